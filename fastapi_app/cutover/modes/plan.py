"""How each endpoint is served: the table that requests go by, made anew and swapped whole when modes change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from fastapi_app.cutover.inventory.endpoint import Endpoint
from fastapi_app.cutover.inventory.endpoints import Inventory
from fastapi_app.cutover.store.base import ModeTable
from shared.modes import EndpointMode, Mode, Side

GUARDED: tuple[Mode, ...] = ("canary", "verify")
"""In which clients get native's answers while legacy is still compared."""

_SIDES: Mapping[Mode, Side] = {"legacy": "legacy", "shadow": "legacy", "verify": "native", "native": "native"}


@dataclass(frozen=True, eq=False, kw_only=True, slots=True, weakref_slot=True)
class Plan:
    """An endpoint while it stays in one mode. When it comes back to that mode later, that is another plan, also for a
    process that saw nothing of what was in between, so that what was found under the one is not held against the
    other."""

    endpoint: str
    mode: EndpointMode
    since: int
    """The version of the table with which it came into the mode."""
    side: Side | None
    """None for a canary: it depends on the client."""
    sample_rate: float
    guarded: bool

    @property
    def only_side(self) -> Side | None:
        """To which each request goes, and nothing is compared or counted; None where there is something to decide."""
        return None if self.sample_rate or self.guarded else self.side


class Plans(NamedTuple):
    """`by_path` has the rules without parameters. `misfits` are endpoints whose mode needs a side that they lack here,
    because another version of the program wrote it; they are served by the side that they have."""

    by_name: Mapping[str, Plan]
    by_path: Mapping[tuple[str, str], Plan]
    misfits: tuple[str, ...] = ()


NO_PLANS = Plans({}, {})


def plans_of(inventory: Inventory, table: ModeTable, before: Plans) -> Plans:
    """A plan whose mode is still the same since the same version is kept."""
    by_name: dict[str, Plan] = {}
    misfits = []
    for endpoint in inventory.endpoints:
        mode, since = table.modes.get(endpoint.name), table.since.get(endpoint.name, 0)
        if mode is None or not mode.needs() <= endpoint.sides:
            if mode is not None:
                misfits.append(endpoint.name)
            mode = EndpointMode(mode="legacy" if endpoint.legacy else "native")
        known = before.by_name.get(endpoint.name)
        if known is None or (known.mode, known.since) != (mode, since):
            known = _plan(endpoint, mode, since)
        by_name[endpoint.name] = known
    by_path = {at: by_name[endpoint.name] for at, endpoint in inventory.by_path.items()}
    return Plans(by_name, by_path, tuple(misfits))


def _plan(endpoint: Endpoint, mode: EndpointMode, since: int) -> Plan:
    return Plan(
        endpoint=endpoint.name,
        mode=mode,
        since=since,
        side=_SIDES.get(mode.mode),
        sample_rate=0.0 if mode.mode in ("legacy", "native") else mode.sample_rate,
        guarded=mode.mode in GUARDED,
    )
