"""What time alone does to a window's state, and what each trade leaves in it, whichever side counted it. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.clock import utc_text
from shared.halts import is_in_force
from shared.window import ALL, Entry, Halt, Permit, Tally, WindowState
from shared.window_config import MAX_COOLDOWN_SECONDS


def upkept(state: WindowState, at: datetime) -> tuple[WindowState, tuple[Entry, ...]]:
    """The state as it is at this instant, and the entries that tell how it came to be.

    A permit that is pending expires at its deadline and gives its slot back; one that was sent becomes in doubt, and
    keeps it. A halt with an end ends. The state is the very same where nothing was due.
    """
    halts = state.get("symbol_halts")
    if state["halt"] is None and not halts and "permits" not in state:
        return state, ()
    entries: list[Entry] = []
    changed = state
    for symbol, halt in [(None, state["halt"]), *(halts or {}).items()]:
        if halt is not None and not is_in_force(halt, at):
            changed = without_halt(changed, symbol)
            entries.append(_end_of_halt(halt, symbol))
    now = utc_text(at)
    for permit in state.get("permits", {}).values():
        deadline = permit["deadline"]
        if deadline is not None and deadline <= now:
            changed, entry = _past_its_deadline(changed, permit, deadline)
            entries.append(entry)
    return changed, tuple(entries)


def without_halt(state: WindowState, symbol: str | None) -> WindowState:
    """Of the symbol; without one, of everything."""
    if symbol is None:
        return {**state, "halt": None}
    halts = {name: halt for name, halt in state.get("symbol_halts", {}).items() if name != symbol}
    changed: WindowState = {**state, "symbol_halts": halts}
    if not halts:
        del changed["symbol_halts"]
    return changed


def with_permit(state: WindowState, permit: Permit) -> WindowState:
    return {**state, "permits": {**state.get("permits", {}), permit["id"]: permit}}


def without_permit(state: WindowState, permit: Permit, *, frees_slot: bool) -> WindowState:
    """With `frees_slot` the slot is free again, on the day that the permit was reserved on."""
    permits = {name: each for name, each in state.get("permits", {}).items() if name != permit["id"]}
    changed: WindowState = {**state, "permits": permits}
    if not permits:
        del changed["permits"]
    if frees_slot and not permit["reduces"] and permit["trade_day"] == state["trade_day"]:
        changed["trades_today"] -= 1
    return changed


def permit_entry(permit: Permit, *, entry_id: str, **more: Any) -> Entry:
    """A step in the life of a permit, as the ledger keeps it."""
    return Entry(
        id=entry_id,
        kind="permit",
        data={**permit, **more},
        trade_day=permit["trade_day"],
        symbol=permit["symbol"],
        subject=permit["id"],
    )


def day_turned(before: WindowState, after: WindowState) -> tuple[Entry, ...]:
    """The entry of a write that is the first on a new day. The day on which a window begins is no turn."""
    old, new = before["trade_day"], after["trade_day"]
    if old is None or new is None or old == new:
        return ()
    data = {"before": old, "after": new, "trades": before["trades_today"]}
    return (Entry(id=f"day-{new}", kind="day", data=data, trade_day=new),)


def noted(before: WindowState, after: WindowState, entries: Iterable[Entry], at: datetime) -> WindowState:
    """`after`, with the trades among the entries in the tally of their day, and in the times of the last trades."""
    trades = [entry for entry in entries if entry.kind == "trade" and not entry.data.get("reduces")]
    turned = before["trade_day"] != after["trade_day"] and ("tally" in after or "last_trades" in after)
    if not trades and not turned:
        return after
    changed: WindowState = {**after}
    if turned:
        changed.pop("tally", None)
        changed["last_trades"] = _recent(changed.get("last_trades", {}), at)
    for entry in trades:
        changed["last_trades"] = _with_time(changed.get("last_trades", {}), entry.symbol, utc_text(at))
        if entry.trade_day == changed["trade_day"]:
            changed["tally"] = _with_trade(changed.get("tally"), entry.data)
    return changed


def _past_its_deadline(state: WindowState, permit: Permit, deadline: str) -> tuple[WindowState, Entry]:
    if permit["status"] == "pending":
        expired: Permit = {**permit, "status": "expired", "deadline": None}
        entry = permit_entry(expired, entry_id=f"{permit['id']}-expired", at=deadline)
        return without_permit(state, permit, frees_slot=True), entry
    in_doubt: Permit = {**permit, "status": "in_doubt", "deadline": None}
    return with_permit(state, in_doubt), permit_entry(in_doubt, entry_id=f"{permit['id']}-in-doubt", at=deadline)


def _end_of_halt(halt: Halt, symbol: str | None) -> Entry:
    data = {**halt, "symbol": symbol or ALL, "status": "ended"}
    return Entry(id=f"halt-{symbol or ALL}-{halt.get('until')}", kind="halt", data=data, symbol=symbol)


def _with_time(times: Mapping[str, str], symbol: str | None, now: str) -> dict[str, str]:
    """A clock that went back makes no trade older."""
    return {**times, **{name: max(now, times.get(name, now)) for name in (ALL, symbol) if name}}


def _recent(times: Mapping[str, str], at: datetime) -> dict[str, str]:
    """Those that a cooldown can still ask for."""
    oldest = utc_text(at - timedelta(seconds=MAX_COOLDOWN_SECONDS))
    return {name: time for name, time in times.items() if time >= oldest}


def _with_trade(tally: Tally | None, trade: Mapping[str, Any]) -> Tally:
    tally = tally or Tally(symbol={}, side={}, strategy={})
    return Tally(
        symbol=_one_more(tally["symbol"], trade.get("symbol")),
        side=_one_more(tally["side"], trade.get("side")),
        strategy=_one_more(tally["strategy"], trade.get("strategy")),
    )


def _one_more(counts: dict[str, int], name: str | None) -> dict[str, int]:
    return counts if name is None else {**counts, name: counts.get(name, 0) + 1}
