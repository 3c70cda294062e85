"""Takes an endpoint back to `shadow` by itself when native proves wrong while clients get its answers."""

from collections.abc import Callable

from fastapi_app.cutover.observation import Mismatch
from fastapi_app.cutover.sync import Decision
from shared.modes import EndpointMode, Mode

GUARDED: tuple[Mode, ...] = ("canary", "verify")


class Guard:
    """Watches the endpoints in `canary` and `verify`: one mismatch that nobody accepted, or more than
    `max_native_errors` answers of 500 and above by native in this process since the endpoint came into its mode.

    Nothing here moves an endpoint forward again: that is a person's.
    """

    def __init__(self, decide: Callable[[Decision], bool], *, max_native_errors: int) -> None:
        self._decide = decide
        self._max_native_errors = max_native_errors
        self._errors: dict[str, tuple[EndpointMode, int]] = {}

    def mismatched(self, mismatch: Mismatch) -> bool:
        """Whether the endpoint is taken back for it, and the mismatch kept with that."""
        if mismatch.mode.mode not in GUARDED:
            return False
        return self._take_back(mismatch.endpoint, mismatch.mode, str(mismatch.differences[0]), mismatch)

    def native_failed(self, endpoint: str, mode: EndpointMode) -> None:
        if mode.mode not in GUARDED:
            return
        counted_in, errors = self._errors.get(endpoint, (mode, 0))
        errors = errors + 1 if counted_in == mode else 1
        self._errors[endpoint] = (mode, errors)
        if errors > self._max_native_errors:
            del self._errors[endpoint]
            self._take_back(endpoint, mode, f"native failed {errors} times, more than {self._max_native_errors}", None)

    def _take_back(self, endpoint: str, mode: EndpointMode, reason: str, mismatch: Mismatch | None) -> bool:
        return self._decide(
            Decision(
                endpoint=endpoint,
                after=EndpointMode(mode="shadow", sample_rate=mode.sample_rate),
                author="guard",
                reason=reason,
                only_from=GUARDED,
                mismatch=mismatch,
            )
        )
