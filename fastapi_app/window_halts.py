"""The halts of a trading window. Whether one holds is `shared.halts`."""

from collections.abc import Mapping
from datetime import datetime

from fastapi_app.window.halting import halting, resumption
from fastapi_app.window_access import WindowAccess
from shared.clock import aware
from shared.window import ALL, Halt


class WindowHalts(WindowAccess):
    """A window's halts, as transitions on its store."""

    async def halt(self, *, reason: str, author: str, symbol: str | None = None, until: datetime | None = None) -> Halt:
        """Stops all new trades, or one symbol's, on both sides, until it is ended or `until` has come."""
        ports = await self._ports()
        until = None if until is None else aware(until)
        transition = halting(ports.new_id("halt"), reason=reason, author=author, symbol=symbol, until=until)
        return (await ports.windows.apply_async(self._window_id, transition)).answer

    async def resume(self, *, reason: str, author: str, symbol: str | None = None) -> Halt | None:
        """Ends a halt, and answers with it; None where there was none."""
        ports = await self._ports()
        transition = resumption(ports.new_id("halt"), reason=reason, author=author, symbol=symbol)
        return (await ports.windows.apply_async(self._window_id, transition)).answer

    async def get_halts(self) -> Mapping[str, Halt]:
        """Those in force, by symbol; `*` is that of everything."""
        ports = await self._ports()
        state = (await ports.windows.snapshot_async(self._window_id)).state
        of_all = {} if state["halt"] is None else {ALL: state["halt"]}
        return {**of_all, **state.get("symbol_halts", {})}
