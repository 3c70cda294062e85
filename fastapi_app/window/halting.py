"""Halts and their end, as transitions. Whether one holds is `shared.halts`."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.clock import utc_text
from shared.errors import InvalidField
from shared.upkeep import without_halt
from shared.window import ALL, Entry, Halt, Outcome, Transition, WindowState
from shared.window_config import Instant, Why, WindowConfig
from shared.wire_fields import Symbol

MAX_HALTED_SYMBOLS = 1_000

Author = Annotated[str, Field(min_length=1, max_length=64, description="a text of 1 to 64 characters")]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class NewHalt(_Request):
    """A stop of all new trades, or of one symbol's, for good or until an instant."""

    reason: Why
    author: Author
    symbol: Annotated[Symbol | None, Field(description="a symbol such as BTC-USD")] = None
    until: Annotated[Instant | None, Field(description="an instant with its offset, such as 2026-12-24T12:00:00Z")] = (
        None
    )


class Resumption(_Request):
    """The end of a halt: of everything, or of the symbol's."""

    reason: Why
    author: Author
    symbol: Annotated[Symbol | None, Field(description="a symbol such as BTC-USD")] = None


class SetHalt(Halt):
    """A halt that was set, and the one of the same that was in force until then; None where there was none."""

    before: Halt | None


def halting(entry_id: str, asked: NewHalt) -> Transition[SetHalt]:
    """Stops all new trades, or the symbol's. Of a halt of the same that is in force `since` stays; the rest is
    replaced, and is `before` in the answer and in the ledger."""
    symbol, until = asked.symbol, asked.until

    def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[SetHalt]:
        if until is not None and until <= instant:
            raise InvalidField("until", utc_text(until), f"an instant after {utc_text(instant)}")
        before = _halt_of(state, symbol)
        now = utc_text(instant)
        halt = Halt(
            reason=asked.reason,
            author=asked.author,
            since=now if before is None else min(now, before.get("since", now)),
            until=None if until is None else utc_text(until),
        )
        halts = state.get("symbol_halts", {})
        if symbol is not None and symbol not in halts and len(halts) >= MAX_HALTED_SYMBOLS:
            raise InvalidField("symbol", symbol, f"possible: {MAX_HALTED_SYMBOLS} symbols are halted; halt the window")
        changed: WindowState = (
            {**state, "halt": halt} if symbol is None else {**state, "symbol_halts": {**halts, symbol: halt}}
        )
        answer = SetHalt(**halt, before=before)
        data = {**answer, "symbol": symbol or ALL, "status": "halted"}
        return Outcome(config, changed, (Entry(id=entry_id, kind="halt", data=data, symbol=symbol),), answer)

    return transition


def resumption(entry_id: str, asked: Resumption) -> Transition[Halt | None]:
    """Ends the halt and answers with it; None where there was none: nothing is written."""
    symbol = asked.symbol

    def transition(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[Halt | None]:
        halt = _halt_of(state, symbol)
        if halt is None:
            return Outcome(config, state, (), None)
        data = {"reason": asked.reason, "author": asked.author, "symbol": symbol or ALL, "status": "resumed"}
        entry = Entry(id=entry_id, kind="halt", data=data, symbol=symbol)
        return Outcome(config, without_halt(state, symbol), (entry,), halt)

    return transition


def _halt_of(state: WindowState, symbol: str | None) -> Halt | None:
    return state["halt"] if symbol is None else state.get("symbol_halts", {}).get(symbol)
