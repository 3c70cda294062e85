"""Takes an endpoint back to `shadow` by itself when native proves wrong while clients get its answers."""

from collections.abc import Callable
from weakref import WeakKeyDictionary

from fastapi_app.cutover.comparing.observation import Mismatch
from fastapi_app.cutover.modes.plan import Plan
from fastapi_app.cutover.modes.sync import Decision


class Guard:
    """Watches the endpoints in `canary` and `verify`: one mismatch that nobody accepted, or more than
    `max_native_errors` answers of 500 and above by native in this process since the endpoint came into its mode.

    What was found under a plan that is no longer in force moves nothing: a person may have decided since. Nothing here
    moves an endpoint forward again.
    """

    def __init__(
        self, decide: Callable[[Decision], bool], in_force: Callable[[str], Plan | None], *, max_native_errors: int
    ) -> None:
        self._decide = decide
        self._in_force = in_force
        self._max_native_errors = max_native_errors
        self._errors: WeakKeyDictionary[Plan, int] = WeakKeyDictionary()

    def watches(self, plan: Plan) -> bool:
        """Whether a mismatch under this plan would move its endpoint."""
        return plan.guarded and self._in_force(plan.endpoint) is plan

    def mismatched(self, plan: Plan, mismatch: Mismatch) -> bool:
        """Whether the endpoint is taken back for it, and the mismatch kept with that. It is redacted already."""
        return self._take_back(plan, mismatch.first_difference, mismatch)

    def native_failed(self, plan: Plan) -> None:
        if not plan.guarded:
            return
        errors = self._errors[plan] = self._errors.get(plan, 0) + 1
        if errors > self._max_native_errors:
            self._take_back(plan, f"native failed {errors} times, more than {self._max_native_errors}", None)

    def _take_back(self, plan: Plan, reason: str, mismatch: Mismatch | None) -> bool:
        if not self.watches(plan):
            return False
        return self._decide(
            Decision(
                endpoint=plan.endpoint,
                kind="take back",
                author="guard",
                reason=reason,
                since=plan.since,
                mismatch=mismatch,
            )
        )
