"""Halts and their end, as transitions. Whether one holds is `shared.halts`."""

from datetime import datetime

from shared.clock import utc_text
from shared.errors import InvalidField
from shared.upkeep import without_halt
from shared.window import ALL, Entry, Halt, Outcome, Transition, WindowState
from shared.window_config import WindowConfig

MAX_HALTED_SYMBOLS = 1_000


def halting(
    entry_id: str, *, reason: str, author: str, symbol: str | None = None, until: datetime | None = None
) -> Transition[Halt]:
    """Stops all new trades, or the symbol's; `*` names all. In the place of a halt of the same that is in force."""
    symbol = None if symbol == ALL else symbol

    def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[Halt]:
        if until is not None and until <= instant:
            raise InvalidField("until", utc_text(until), f"an instant after {utc_text(instant)}")
        halt = Halt(
            reason=reason,
            author=author,
            since=utc_text(instant),
            until=None if until is None else utc_text(until),
        )
        halts = state.get("symbol_halts", {})
        if symbol is not None and symbol not in halts and len(halts) >= MAX_HALTED_SYMBOLS:
            raise InvalidField("symbol", symbol, f"possible: {MAX_HALTED_SYMBOLS} symbols are halted; halt the window")
        changed: WindowState = (
            {**state, "halt": halt} if symbol is None else {**state, "symbol_halts": {**halts, symbol: halt}}
        )
        data = {**halt, "symbol": symbol or ALL, "status": "halted"}
        return Outcome(config, changed, (Entry(id=entry_id, kind="halt", data=data, symbol=symbol),), halt)

    return transition


def resumption(entry_id: str, *, reason: str, author: str, symbol: str | None = None) -> Transition[Halt | None]:
    """Ends the halt of everything, or the symbol's, and answers with it; None where there was none: nothing is
    written. `*` names everything."""
    symbol = None if symbol == ALL else symbol

    def transition(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[Halt | None]:
        halt = state["halt"] if symbol is None else state.get("symbol_halts", {}).get(symbol)
        if halt is None:
            return Outcome(config, state, (), None)
        data = {"reason": reason, "author": author, "symbol": symbol or ALL, "status": "resumed"}
        entry = Entry(id=entry_id, kind="halt", data=data, symbol=symbol)
        return Outcome(config, without_halt(state, symbol), (entry,), halt)

    return transition
