"""Keeps a process and the cutover's store in step."""

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from fastapi_app.cutover.evidence import Evidence
from fastapi_app.cutover.observation import Mismatch
from fastapi_app.cutover.redaction import redacted
from fastapi_app.cutover.store.base import ChangeRefused, CutoverStore, ModeTable
from shared.errors import StoreUnavailable
from shared.modes import EndpointMode, Mode

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """A move that this process makes by itself. It holds here at once, and everywhere once it is written."""

    endpoint: str
    after: EndpointMode
    author: str
    reason: str
    only_from: Collection[Mode]
    mismatch: Mismatch | None = None


class Sync:
    """One thread a process. Every `poll_seconds`, and when it is woken, it writes what this process has decided and
    found, and brings the newest table. No request waits for it.

    While the store can't answer, the last table holds, what is to be written waits, and `problem` says why.
    """

    def __init__(
        self,
        store: CutoverStore,
        evidence: Evidence,
        table: ModeTable,
        *,
        on_modes: Callable[[Mapping[str, EndpointMode]], None],
        poll_seconds: float,
        redacted_fields: Collection[str],
    ) -> None:
        self.problem: str | None = None
        self._store = store
        self._evidence = evidence
        self._table = table
        self._on_modes = on_modes
        self._poll_seconds = poll_seconds
        self._redacted_fields = redacted_fields
        self._one_round = threading.Lock()
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
        """Whether it was taken: of two about one endpoint only the first is."""
        with self._lock:
            if any(decision.endpoint == other.endpoint for other in self._decisions):
                return False
            self._decisions.append(decision)
            self._show()
        logger.error("%s goes to %s by itself: %s", decision.endpoint, decision.after, decision.reason)
        self._woken.set()
        return True

    def change(
        self, changes: Mapping[str, EndpointMode], *, author: str, reason: str, version: int | None
    ) -> ModeTable:
        """Blocks. See CutoverStore.change for what it raises."""
        with self._one_round:
            table = self._store.change(changes, author=author, reason=reason, at=datetime.now(UTC), version=version)
            self._adopt(table)
        return table

    def once(self) -> None:
        with self._one_round:
            try:
                self._write_decisions()
                self._write_evidence()
                if self._store.version() != self._table.version:
                    self._adopt(self._store.table())
            except StoreUnavailable as exc:
                if self.problem is None:
                    logger.error("the cutover's store can't answer, the modes in force stay: %s", exc.problem)  # noqa: TRY400 - the sentence says all
                self.problem = exc.problem
            else:
                if self.problem is not None:
                    logger.warning("the cutover's store answers again")
                self.problem = None

    def _run(self) -> None:
        while not self._stopping:
            self._woken.wait(self._poll_seconds)
            self._woken.clear()
            try:
                self.once()
            except Exception:
                # Without this thread no change of modes would reach the process any more.
                self.problem = "a fault, see the log"
                logger.exception("a round with the cutover's store failed")

    def _write_decisions(self) -> None:
        while self._decisions:
            decision = self._decisions[0]
            if decision.mismatch is not None:
                kept = redacted(decision.mismatch, fields=self._redacted_fields)
                (mismatch_id,) = self._store.add_evidence({}, [kept])
                decision = replace(decision, reason=f"mismatch {mismatch_id}: {decision.reason}", mismatch=None)
                with self._lock:
                    self._decisions[0] = decision
            try:
                table = self._store.change(
                    {decision.endpoint: decision.after},
                    author=decision.author,
                    reason=decision.reason,
                    at=datetime.now(UTC),
                    only_from=decision.only_from,
                )
            except ChangeRefused as exc:
                # Somebody took the endpoint out meanwhile.
                logger.warning("%s", exc)
                table = self._store.table()
            with self._lock:
                del self._decisions[0]
            self._adopt(table)

    def _write_evidence(self) -> None:
        counts, mismatches = self._evidence.take()
        if not counts and not mismatches:
            return
        try:
            self._store.add_evidence(
                counts, [redacted(mismatch, fields=self._redacted_fields) for mismatch in mismatches]
            )
        except BaseException:
            self._evidence.give_back(counts, mismatches)
            raise

    def _adopt(self, table: ModeTable) -> None:
        with self._lock:
            self._table = table
            self._show()

    def _show(self) -> None:
        modes = dict(self._table.modes)
        for decision in self._decisions:
            before = modes.get(decision.endpoint)
            if before is not None and before.mode in decision.only_from:
                modes[decision.endpoint] = decision.after
        self._on_modes(modes)
