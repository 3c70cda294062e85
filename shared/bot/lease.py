"""Which process runs the bot: steps on the bot's row, for BotStore.change.

A lease is a holder and an instant. Until that instant nobody else may take it; from then on anybody may. A holder that
wants to write what the bot remembers asks for its lease in the same step, so one that lost it writes nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.bot.store.base import BotRow, Step
from shared.errors import LeaseHeld, LeaseLost, OtherAccount


def taken(holder: str, *, account: str, at: datetime, until: datetime) -> Step:
    """The lease is the holder's, whose own it may have been. Raises LeaseHeld while another one's lasts, and
    OtherAccount for who would trade elsewhere than the bot does."""

    def step(row: BotRow) -> BotRow:
        if not is_free(row, at) and row.holder != holder:
            raise LeaseHeld(str(row.holder), row.lease_until)
        if row.account not in (None, account):
            raise OtherAccount(row.account, account)
        return replace(row, account=account, holder=holder, lease_until=until)

    return step


def renewed(holder: str, *, until: datetime, last_cycle: Mapping[str, Any] | None = None) -> Step:
    """Also past its end, where nobody took it meanwhile; with the newest cycle, where there is one to tell of. Raises
    LeaseLost."""

    def step(row: BotRow) -> BotRow:
        return replace(_held(row, holder), lease_until=until, last_cycle=last_cycle or row.last_cycle)

    return step


def released(holder: str) -> Step:
    """Nothing to do for who doesn't have it any more."""

    def step(row: BotRow) -> BotRow | None:
        return replace(row, holder=None, lease_until=None) if row.holder == holder else None

    return step


def saved(holder: str, state: Mapping[str, Any]) -> Step:
    """What the bot remembers. Raises LeaseLost."""

    def step(row: BotRow) -> BotRow:
        return replace(_held(row, holder), state=state)

    return step


def is_free(row: BotRow, at: datetime) -> bool:
    return row.holder is None or row.lease_until is None or row.lease_until <= at


def _held(row: BotRow, holder: str) -> BotRow:
    if row.holder != holder:
        raise LeaseLost(holder, row.holder)
    return row
