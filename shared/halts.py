"""Whether a window is halted: the one rule that both stacks share, so that a halt holds on either at once."""

from datetime import datetime

from shared.clock import utc_text
from shared.errors import Reason
from shared.window import Halt, WindowState


def halt_reasons(state: WindowState, symbol: str | None, at: datetime) -> tuple[Reason, ...]:
    """One for a halt of everything, one for a halt of the symbol; none where trading goes on."""
    of_all, of_symbols = state["halt"], state.get("symbol_halts")
    if of_all is None and not of_symbols:
        return ()
    found = []
    if of_all is not None and is_in_force(of_all, at):
        found.append(_reason(of_all, None))
    of_symbol = of_symbols.get(symbol or "") if of_symbols else None
    if of_symbol is not None and is_in_force(of_symbol, at):
        found.append(_reason(of_symbol, symbol))
    return tuple(found)


def is_in_force(halt: Halt, at: datetime) -> bool:
    until = halt.get("until")
    return until is None or utc_text(at) < until


def _reason(halt: Halt, symbol: str | None) -> Reason:
    until = halt.get("until")
    return Reason(
        code="HALTED",
        sentence=f"halted: {halt['reason']}",
        value=halt["reason"],
        bound=symbol,
        clears_at=datetime.fromisoformat(until) if until else None,
    )
