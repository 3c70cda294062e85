"""What a bot is told, from any process and either side: steps on its row, and what the row says of it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from shared.bot.lease import is_free, taken
from shared.bot.store.base import BotRow, Step
from shared.clock import utc_text
from shared.errors import BotIsRunning, BotIsStopped, OtherAccount
from shared.settings import BotSettings
from shared.window_config import WindowConfig

OWNED_BY_REPLAY = "replay"
"""The key of the row's config under which a replay's file says whose it is; the settings of a bot have no such key."""


def started(settings: BotSettings, *, account: str, at: datetime) -> Step:
    """The bot is to run with these settings. What it remembers stays, if it has traded this account.

    Raises BotIsRunning, and OtherAccount where it has something open at another account.
    """

    def step(row: BotRow) -> BotRow:
        if row.desired == "running":
            raise BotIsRunning
        row = _moved(row, account, at)
        return replace(row, desired="running", config=config_of(settings), started_at=at)

    return step


def begun_here(settings: BotSettings, *, account: str, holder: str, at: datetime) -> Step:
    """As `started`, by a process that is going to run the bot itself, and so takes the lease in the same step. It also
    goes on with one that is to run and that no process runs, such as after a crash.

    Raises BotIsRunning while the lease of another process lasts, LeaseHeld while that process finishes what is in
    flight, and OtherAccount for a bot that is to run, or has something open, at another account.
    """
    until = at + timedelta(seconds=settings.lease_seconds)
    takes_the_lease = taken(holder, account=account, at=at, until=until)

    def step(row: BotRow) -> BotRow | None:
        if row.desired == "running" and not is_free(row, at):
            raise BotIsRunning(row.holder)
        if row.desired == "stopped":
            row = _moved(row, account, at)
        begun = replace(row, desired="running", config=config_of(settings), started_at=row.started_at or at)
        return takes_the_lease(begun)

    return step


def stopped() -> Step:
    """The bot is to finish what is in flight, and end. Raises BotIsStopped."""

    def step(row: BotRow) -> BotRow:
        if row.desired == "stopped":
            raise BotIsStopped
        return replace(row, desired="stopped", started_at=None)

    return step


def ended_here(holder: str) -> Step:
    """The bot is to run no more, unless another process has taken it over meanwhile. To be written before the lease is
    given back: else another process could take up what is about to end."""

    def step(row: BotRow) -> BotRow | None:
        if row.holder not in (None, holder):
            return None
        return replace(row, desired="stopped", started_at=None)

    return step


def _moved(row: BotRow, account: str, at: datetime) -> BotRow:
    """A bot that is stopped and has nothing open at its old account begins anew at this one: prices that it remembers
    are others' prices. Raises OtherAccount while a process may still trade the old one."""
    if row.account in (None, account):
        return replace(row, account=account)
    state = row.state or {}
    if state.get("holdings") or state.get("intents") or not is_free(row, at):
        raise OtherAccount(row.account, account)
    return replace(row, account=account, state=None)


def config_of(settings: BotSettings) -> dict[str, Any]:
    """The settings as JSON values, without what holds keys; `BotSettings` takes them back."""
    return settings.model_dump(mode="json", exclude={"notify_urls"})


def told_at_start(settings: BotSettings, *, holder: str, account: str, window: WindowConfig) -> str:
    """What a process says that runs the bot; `window` is the stored one, by which it trades."""
    symbols, strategies = ", ".join(settings.symbols), ", ".join(settings.strategies)
    return f"the bot runs as {holder}: {symbols} by {strategies}, {account}; the window: {window.in_words()}"


def status_of(row: BotRow, settings: BotSettings) -> dict[str, Any]:
    """As the wire shows it; `settings` are those of a bot that was never started. Symbols are parted by commas."""
    config: Mapping[str, Any] = row.config or config_of(settings)
    return {
        "status": row.desired,
        "started_at": None if row.started_at is None else utc_text(row.started_at),
        "symbol": ",".join(config["symbols"]),
        "strategies": list(config["strategies"]),
        "last_cycle": row.last_cycle,
    }
