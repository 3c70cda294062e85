"""What a start finds changed in a state: another pair of apps, or another version of them, was served on it before."""

from collections.abc import Iterator, Mapping, Sequence

from fastapi_app.cutover.inventory.endpoint import Endpoint
from shared.modes import EndpointMode

SHOWN = 10
"""How many endpoints a sentence names."""


def changed_since(
    before: Sequence[Endpoint], now: Sequence[Endpoint], modes: Mapping[str, EndpointMode]
) -> Iterator[str]:
    """Sentences for the log: which endpoints are gone, which have other sides, and which are in a mode that needs a
    side that they lack now."""
    sides = {endpoint.name: endpoint.sides for endpoint in now}
    if gone := [each.name for each in before if each.name not in sides]:
        one = len(gone) == 1
        yield (
            f"{_count(gone)} of the state file {'is' if one else 'are'} gone, for no app here has "
            f"{'it' if one else 'them'} (is another pair of apps served on the same file?): {_named(gone)}"
        )
    if changed := [each.name for each in before if each.name in sides and each.sides != sides[each.name]]:
        have = "has" if len(changed) == 1 else "have"
        yield f"{_count(changed)} {have} other sides than at the last start: {_named(changed)}"
    if misfits := [f"{name} ({modes[name]})" for name in sides if not modes[name].needs() <= sides[name]]:
        yield (
            f"{_count(misfits)} {'is' if len(misfits) == 1 else 'are'} in a mode that needs a side which no app has "
            f"here; the side that is there answers, and nothing is compared: {_named(misfits)}"
        )


def _count(names: Sequence[str]) -> str:
    return "1 endpoint" if len(names) == 1 else f"{len(names)} endpoints"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
