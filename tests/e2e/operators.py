"""The cutover of a running server, as an operator meets it: by HTTP, by command, and by what lies in its file."""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from fastapi_app.cutover.comparing.observation import Mismatch
from fastapi_app.cutover.store.base import Change
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from shared.modes import EndpointMode, Mode
from tests.e2e.servers import BIN, DEADLINE_SECONDS, Server, ask, wait_for

FOLLOWED_SECONDS = 1.0
"""Within which every process follows a change."""

NEW_CONNECTIONS = 12
"""How many are asked where each of several processes should answer once: whom a connection reaches is chance."""


class Operator:
    """Of a server that keeps the cutover's state at var/cutover.sqlite3 in its working directory."""

    def __init__(self, server: Server, folder: Path, *, token: str = "var/cutover.token") -> None:
        self.state = folder / "var/cutover.sqlite3"
        self._server = server
        self._folder = folder
        self._token = folder / token

    @property
    def authorization(self) -> str:
        """The header's value."""
        return f"Bearer {self._token.read_text().strip()}"

    def ask(self, method: str, path: str, body: Any = None, *, expected: int = 200) -> Any:
        """The JSON of an answer with this status."""
        status, answer = ask(self._server.port, method, f"/cutover{path}", body, Authorization=self.authorization)
        assert status == expected, answer
        return answer

    def health(self) -> dict[str, Any]:
        """Of the process that happens to answer."""
        health: dict[str, Any] = self.ask("GET", "/health")
        return health

    def change(self, endpoints: Iterable[str], mode: Mapping[str, Any]) -> int:
        """By HTTP; in force in every process when it returns, as is promised. The table's version."""
        changes = {endpoint: dict(mode) for endpoint in endpoints}
        version: int = self.ask("PUT", "/modes", {"changes": changes, "author": "test", "reason": "a test"})["version"]
        time.sleep(FOLLOWED_SECONDS)
        wait_for(lambda: self.versions() == {version}, f"every process is at version {version}")
        return version

    def versions(self) -> set[int]:
        """Of the table, over many new connections."""
        return {self.health()["version"] for _ in range(NEW_CONNECTIONS)}

    def command(self, *words: str) -> str:
        """What `tradewindow cutover …` prints."""
        done = subprocess.run(
            [BIN / "tradewindow", "cutover", *words, "--state", self.state],
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def command_json(self, *words: str) -> Any:
        return json.loads(self.command(*words, "--json"))

    def last_change(self) -> Change:
        """Of the log, whether a server runs or not."""
        with closing(SQLiteCutoverStore(self.state)) as store:
            return store.log(limit=1)[0]

    def mode(self, endpoint: str) -> EndpointMode:
        with closing(SQLiteCutoverStore(self.state)) as store:
            return store.table().modes[endpoint]

    def mismatches(self) -> Sequence[Mismatch]:
        with closing(SQLiteCutoverStore(self.state)) as store:
            return store.mismatches()

    def counts(self, mode: Mode, endpoint: str | None = None) -> dict[str, int]:
        """What came of comparisons in this mode, such as {"match": 7, "skipped queue_full": 1}."""
        with closing(SQLiteCutoverStore(self.state)) as store:
            all_counts = store.counts()
        counts: Counter[str] = Counter()
        for key, count in all_counts.items():
            if key.mode == mode and endpoint in (None, key.endpoint):
                counts[f"{key.outcome} {key.reason}".strip()] += count
        return dict(counts)
