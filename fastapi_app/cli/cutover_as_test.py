"""`tradewindow cutover mismatches ID --as-test`: the test of a mismatch, with the names that `cutover serve` takes."""

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout

from fastapi_app.cli.cutover_named import WrongUse
from fastapi_app.cutover.comparing.observation import Mismatch

OWN_SIDES = {
    "native": "fastapi_app.sides:native()",
    "legacy": "fastapi_app.sides:legacy()",
    "effects": "fastapi_app.sides:effects()",
    "accepted": "fastapi_app.accepted_differences:ACCEPTED_DIFFERENCES",
}
"""This product's app, as the imports of a test name it."""


def case_of(mismatch: Mismatch, given: Mapping[str, str | None], *, is_own: bool) -> str:
    """`given` are the names of a pair of apps, loaded as `cutover serve` loads them; without any, it is this product's
    own. Raises WrongUse where one is missing, and SettingsError for one that leads to nothing that can be used."""
    from fastapi_app.cutover.suite.as_test import as_test  # noqa: PLC0415 - what one option alone needs

    native, legacy = given["native"], given["legacy"]
    if is_own and not any(given.values()):
        return as_test(mismatch, **OWN_SIDES)
    # An app that has both sides is this product's; a state of others says nothing of where their two are.
    if native is None or (legacy is None and not is_own):
        raise WrongUse(
            "a test of other apps needs --legacy and --native MODULE:APP, as they were given to "
            "`tradewindow cutover serve`"
        )
    if mismatch.recording is not None and given["effects"] is None:
        raise WrongUse(
            f"mismatch {mismatch.id} has a recording, and without it its test would do for real what was recorded: "
            "give --effects MODULE:NAME, as it was given to `tradewindow cutover serve`"
        )
    return as_test(mismatch, **_spelled(native, legacy, effects=given["effects"], accepted=given["accepted"]))


def _spelled(native: str, legacy: str | None, *, effects: str | None, accepted: str | None) -> dict[str, str]:
    """Each as an import string, with the calls that lead to what is needed."""
    from fastapi_app.cli.loading import load_accepted, load_app, load_effects  # noqa: PLC0415 - as above

    # What an app prints as it is loaded is no part of the test.
    with redirect_stdout(sys.stderr):
        app = load_app(native, kind="ASGI", option="--native")
        spelled = {"native": app.spelled}
        if legacy is not None:
            spelled["legacy"] = load_app(legacy, kind="WSGI", option="--legacy").spelled
        elif not (hasattr(app.value, "legacy") and hasattr(app.value, "native")):
            raise WrongUse(f"{native} has not both sides, as its attributes legacy and native: give --legacy, too")
        if effects is not None:
            spelled["effects"] = load_effects(effects, option="--effects").spelled
        if accepted is not None:
            spelled["accepted"] = load_accepted(accepted, option="--accepted").spelled
    return spelled
