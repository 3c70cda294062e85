"""The halts of a trading window. Whether one holds is `shared.halts`."""

from collections.abc import Mapping
from datetime import datetime

from fastapi_app.window.halting import NewHalt, Resumption, SetHalt, halting, resumption
from fastapi_app.window_access import WindowAccess
from shared.fields import validated
from shared.window import ALL, Halt


class WindowHalts(WindowAccess):
    """A window's halts, as transitions on its store."""

    async def halt(
        self, *, reason: str, author: str, symbol: str | None = None, until: datetime | None = None
    ) -> SetHalt:
        """Stops all new trades, or one symbol's, on both sides, until it is ended or `until` has come. `*` names all.

        There is one halt of everything, and one of a symbol: a second takes the place of the first, which is `before`
        in the answer; its `since` stays. So one `resume` ends what both began.

        Raises InvalidField, also for what could be no symbol: a halt that stops nothing is worse than none.
        """
        given = {"reason": reason, "author": author, "symbol": _one_symbol(symbol), "until": until}
        asked = validated(NewHalt, given)
        ports = await self.ports()
        transition = halting(ports.new_id("halt"), asked)
        return (await ports.windows.apply_async(self._window_id, transition)).answer

    async def resume(self, *, reason: str, author: str, symbol: str | None = None) -> Halt | None:
        """Ends the halt of everything, or `*`, or of the symbol, and answers with it; None where there was none.

        Raises InvalidField.
        """
        asked = validated(Resumption, {"reason": reason, "author": author, "symbol": _one_symbol(symbol)})
        ports = await self.ports()
        transition = resumption(ports.new_id("halt"), asked)
        return (await ports.windows.apply_async(self._window_id, transition)).answer

    async def get_halts(self) -> Mapping[str, Halt]:
        """Those in force, by symbol; `*` is that of everything."""
        ports = await self.ports()
        state = (await ports.windows.snapshot_async(self._window_id)).state
        of_all = {} if state["halt"] is None else {ALL: state["halt"]}
        return {**of_all, **state.get("symbol_halts", {})}


def _one_symbol(symbol: str | None) -> str | None:
    return None if symbol == ALL else symbol
