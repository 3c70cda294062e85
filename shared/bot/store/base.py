"""The bot's row: what the bot is to do, which process runs it, and what it remembers. What every backend promises."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

Desired = Literal["running", "stopped"]


@dataclass(frozen=True, kw_only=True, slots=True)
class BotRow:
    """One bot; `version` counts its changes from 1, and is 0 for one that was never changed. Instants are in UTC.

    `config` are the settings with which it was started, `state` what it remembers, both JSON values. `holder` is the
    process that runs it, until `lease_until` at the longest. `last_cycle` tells of its newest cycle, as JSON values.
    `account` is whose money it trades at whose prices, as `account_of` words it: what it remembers is true there alone.
    """

    version: int = 0
    desired: Desired = "stopped"
    config: Mapping[str, Any] | None = None
    account: str | None = None
    holder: str | None = None
    lease_until: datetime | None = None
    started_at: datetime | None = None
    last_cycle: Mapping[str, Any] | None = None
    state: Mapping[str, Any] | None = None


Step = Callable[[BotRow], BotRow | None]
"""A pure step from the row as it is to the row as it shall be; None, or an equal one, changes nothing. It refuses by
raising, which writes nothing. What it gives as version is ignored."""


class BotStore(Protocol):
    """One bot's row, durable, for all the processes that share the backend. Two faces on one engine, as in Store.

    Every method raises StoreUnavailable when the store can't answer, and then nothing has changed.
    """

    def read(self) -> BotRow:
        """As of the newest durable change."""
        ...

    async def read_async(self) -> BotRow: ...

    def change(self, step: Step) -> BotRow:
        """Runs the step on the row as it is, writes what it gives atomically and durably, then answers with the row as
        it is then. Nobody's change comes between the step's reading and its writing."""
        ...

    async def change_async(self, step: Step) -> BotRow:
        """As `change`. A caller that is cancelled once its step is handed over doesn't undo it."""
        ...

    def close(self) -> None:
        """Lets go of files and threads. A closed store opens again when used."""
        ...
