"""Keeps a process and the cutover's store in step."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, get_args

from fastapi_app.cutover.comparing.observation import Mismatch
from fastapi_app.cutover.evidence.evidence import Evidence
from fastapi_app.cutover.evidence.redaction import without_content
from fastapi_app.cutover.modes.plan import GUARDED
from fastapi_app.cutover.store.base import (
    ChangeRefused,
    CountKey,
    CutoverStore,
    DecisionAuthor,
    ModeTable,
    VersionConflict,
)
from shared.errors import StoreUnavailable
from shared.modes import EndpointMode

logger = logging.getLogger(__name__)

DecisionKind = Literal["take back", "stop comparing", "give up"]
"""To `shadow`; to a sample rate of 0; to both, for a native side that must not go on."""

_TOLD: Mapping[DecisionKind, str] = {
    "take back": "taken back to shadow",
    "stop comparing": "compared no more",
    "give up": "compared no more",
}

_LOOKED_AT = 100
"""Newest entries of an endpoint's log: by themselves processes move it a few times at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A move that this process makes by itself. It holds here at once, and everywhere once it is written."""

    endpoint: str
    kind: DecisionKind
    author: DecisionAuthor
    reason: str
    since: int
    """Of the plan under which it was found. A move by a person that is newer stands, and this one is dropped."""
    mismatch: Mismatch | None = None
    """The one that caused it, redacted."""

    def takes_clients_back(self, before: EndpointMode) -> bool:
        return before.mode in GUARDED and self.kind != "stop comparing"

    def after(self, before: EndpointMode) -> EndpointMode:
        rate = before.sample_rate if self.kind == "take back" else 0.0
        if self.takes_clients_back(before):
            return EndpointMode(mode="shadow", sample_rate=rate)
        # Of what is taken back somebody may have moved it meanwhile.
        return before.model_copy(update={"sample_rate": rate})


def _back_to_legacy(before: EndpointMode) -> EndpointMode:
    return EndpointMode(mode="legacy", sample_rate=before.sample_rate)


class Sync:
    """One thread a process. Every `poll_seconds`, and when it is woken, it brings the newest table, and writes what
    this process has decided and found. No request waits for it.

    While the store can't answer, the last table holds, what is to be written waits, and `problem` says why.
    """

    def __init__(
        self,
        store: CutoverStore,
        evidence: Evidence,
        table: ModeTable,
        *,
        on_table: Callable[[ModeTable], None],
        poll_seconds: float,
    ) -> None:
        self.problem: str | None = None
        self._store = store
        self._evidence = evidence
        self._table = table
        self._openings = store.openings
        self._on_table = on_table
        self._poll_seconds = poll_seconds
        self._of_a_round = threading.Lock()
        # Held around the table's way between store and process, in that order; never around evidence.
        self._of_the_table = threading.Lock()
        # Between the threads that decide and the one that writes:
        self._lock = threading.Lock()
        self._decisions: list[Decision] = []
        self._woken = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._show()

    @property
    def version(self) -> int:
        return self._table.version

    @property
    def is_running(self) -> bool:
        thread = self._thread
        return thread is not None and thread.is_alive()

    def start(self) -> None:
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="cutover-sync", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Blocks until what was found is kept, or can't be."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._stopping = True
            self._woken.set()
            thread.join()
        self.once()
        if self.problem is not None:
            logger.error("evidence that was found last is lost: %s", self.problem)
        self._store.close()

    def decide(self, decision: Decision) -> bool:
        """Whether it was taken: the same about the same endpoint is taken once."""
        with self._lock:
            if any((decision.endpoint, decision.kind) == (other.endpoint, other.kind) for other in self._decisions):
                return False
            self._decisions.append(decision)
            self._show()
        logger.error("%s: %s: %s", decision.endpoint, _TOLD[decision.kind], decision.reason)
        self._woken.set()
        return True

    def change(
        self, changes: Mapping[str, EndpointMode], *, author: str, reason: str, version: int | None
    ) -> ModeTable:
        """Blocks. See CutoverStore.change for what it raises."""
        with self._of_the_table:
            table = self._store.change(changes, author=author, reason=reason, at=datetime.now(UTC), version=version)
            self._adopt(table)
        return table

    def once(self) -> None:
        """One round, once the one that runs is through."""
        with self._of_a_round:
            self._round()

    def _round(self) -> None:
        """The table comes first: what can't be written must not keep a change of modes from the process."""
        try:
            with self._of_the_table:
                version, openings = self._store.version(), self._store.openings
                if (version, openings) != (self._table.version, self._openings):
                    self._adopt(self._store.table())
                    self._openings = openings
            self._write_decisions()
            self._write_evidence()
        except StoreUnavailable as exc:
            if self.problem is None:
                logger.error(  # noqa: TRY400 - the sentence says all
                    "the cutover's store can't answer, the modes in force stay: %s", exc.problem
                )
            self.problem = exc.problem
        except Exception:
            # Without this thread no change of modes would reach the process any more.
            self.problem = "a fault, see the log"
            logger.exception("a round with the cutover's store failed")
        else:
            if self.problem is not None:
                logger.warning("the cutover's store answers again")
            self.problem = None

    def _run(self) -> None:
        while not self._stopping:
            self._woken.wait(self._poll_seconds)
            self._woken.clear()
            self.once()

    def _write_decisions(self) -> None:
        while self._decisions:
            decision = self._decisions[0]
            unkept: StoreUnavailable | None = None
            if decision.mismatch is not None:
                try:
                    (mismatch_id,) = self._keep({}, [decision.mismatch])
                except StoreUnavailable as exc:
                    # It may be too large for what is left of a disk, and the move isn't.
                    unkept = exc
                else:
                    decision = replace(decision, reason=f"mismatch {mismatch_id}: {decision.reason}", mismatch=None)
                    with self._lock:
                        self._decisions[0] = decision
            with self._of_the_table:
                table = self._written(decision)
                # In one step: other threads decide, too, and what they put in force must not lack this one.
                with self._lock:
                    del self._decisions[0]
                    self._table = table
                    self._show()
            if unkept is not None and decision.mismatch is not None:
                self._evidence.give_back(Counter(), [decision.mismatch])
                raise unkept

    def _written(self, decision: Decision) -> ModeTable:
        """The table with the decision in it. Somebody may move the endpoint meanwhile, or take it out."""
        after = decision.after
        while True:
            table = self._store.table()
            before = table.modes.get(decision.endpoint)
            if before is None:
                return table
            if self._is_overtaken(decision, table):
                logger.warning("%s: somebody has moved it since, and that stands", decision.endpoint)
                return table
            try:
                return self._store.change(
                    {decision.endpoint: after(before)},
                    author=decision.author,
                    reason=decision.reason,
                    at=datetime.now(UTC),
                    version=table.version,
                )
            except VersionConflict:
                continue
            except ChangeRefused as exc:
                if after is _back_to_legacy or not decision.takes_clients_back(before):
                    logger.warning("%s", exc)
                    return table
                # A newer version of the app has no native side there, which shadow needs, and this one serves it yet.
                after = _back_to_legacy

    def _is_overtaken(self, decision: Decision, table: ModeTable) -> bool:
        """Whether a person has moved the endpoint since. What this process or another moved by itself overtakes
        nothing: of two such decisions both hold."""
        if table.since.get(decision.endpoint, 0) <= decision.since:
            return False
        return any(
            decision.since < change.version <= table.version
            and change.kind == "move"
            and change.author not in get_args(DecisionAuthor)
            for change in self._store.log(limit=_LOOKED_AT, endpoint=decision.endpoint)
        )

    def _write_evidence(self) -> None:
        counts, mismatches = self._evidence.take()
        if not counts and not mismatches:
            return
        try:
            self._keep(counts, mismatches)
        except BaseException:
            self._evidence.give_back(counts, mismatches)
            raise

    def _keep(self, counts: Mapping[CountKey, int], mismatches: Sequence[Mismatch]) -> Sequence[int]:
        """The ids. What can't be written whole, such as a recording nested to the interpreter's limit, is written
        without its content: it must not hold up a decision, or what is found later."""
        try:
            return self._store.add_evidence(counts, mismatches)
        except StoreUnavailable:
            raise
        except Exception:
            if not mismatches:
                raise
            logger.exception("%d mismatches can't be kept in full", len(mismatches))
            return self._store.add_evidence(counts, [without_content(each, fields=()) for each in mismatches])

    def _adopt(self, table: ModeTable) -> None:
        with self._lock:
            self._table = table
            self._show()

    def _show(self) -> None:
        modes = dict(self._table.modes)
        for decision in self._decisions:
            if decision.endpoint in modes:
                modes[decision.endpoint] = decision.after(modes[decision.endpoint])
        self._on_table(replace(self._table, modes=modes))
