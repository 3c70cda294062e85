"""What a step does to the table of modes and to what is kept, the same for every backend. Does no I/O."""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from typing import NamedTuple

from fastapi_app.cutover.inventory.endpoint import Endpoint, may_be_for
from fastapi_app.cutover.store.base import Change, ChangeRefused, CountKey, Forgotten, ModeTable, VersionConflict
from shared.clock import aware
from shared.modes import EndpointMode, Mode

REGISTRATION = "tradewindow"
"""The author of what registering an inventory does to the modes."""

_NEAREST = 3


class Group(NamedTuple):
    """Mismatches that are bounded together."""

    endpoint: str
    mode: Mode


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """The table after a step, and what the log says of it. Where no mode changed, the version is as it was."""

    table: ModeTable
    log: tuple[Change, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgetting:
    """Whose evidence goes, and what the log says of it."""

    forgotten: tuple[Forgotten, ...]
    log: tuple[Change, ...]


def registering(
    table: ModeTable, endpoints: Sequence[Endpoint], initial: Mapping[str, EndpointMode], *, at: datetime
) -> Step:
    """See CutoverStore.register. Raises ChangeRefused for an initial mode that can't be."""
    by_name = {endpoint.name: endpoint for endpoint in endpoints}
    for name, wanted in initial.items():
        refuse_impossible(by_name, name, wanted)
    modes: dict[str, EndpointMode] = {}
    moves: list[tuple[str, EndpointMode | None, str]] = []
    for name, endpoint in by_name.items():
        known = table.modes.get(name)
        modes[name] = known or initial.get(name, EndpointMode(mode="legacy" if endpoint.legacy else "native"))
        if known is None:
            moves.append((name, None, "first seen" if name not in initial else "first seen, as the settings say"))
    modes |= {name: mode for name, mode in table.modes.items() if name not in by_name}
    if not moves:
        return Step(table=replace(table, modes=modes))
    return _step(replace(table, modes=modes), moves, author=REGISTRATION, at=at)


def changing(
    table: ModeTable,
    endpoints: Iterable[Endpoint],
    changes: Mapping[str, EndpointMode],
    *,
    author: str,
    reason: str,
    at: datetime,
    version: int | None,
) -> Step:
    """See CutoverStore.change."""
    if version is not None and version != table.version:
        raise VersionConflict(version, table.version)
    by_name = {endpoint.name: endpoint for endpoint in endpoints}
    modes = dict(table.modes)
    moves: list[tuple[str, EndpointMode | None, str]] = []
    for name, wanted in changes.items():
        is_gone = name in modes and name not in by_name
        if not is_gone:
            refuse_impossible(by_name, name, wanted)
        before = modes[name]
        if before != wanted:
            modes[name] = wanted
            moves.append((name, before, reason))
    if not moves:
        return Step(table=table)
    return _step(replace(table, modes=modes), moves, author=author, at=at)


def forgetting(
    table: ModeTable,
    endpoints: Collection[str] | None,
    counts: Mapping[CountKey, int],
    kept: Iterable[tuple[int, Group]],
    *,
    author: str,
    reason: str,
    at: datetime,
) -> Forgetting:
    """See CutoverStore.forget, given all that is counted and kept."""
    for name in endpoints or ():
        if name not in table.modes:
            raise unknown_endpoint(table.modes, name)
    counted: Counter[str] = Counter()
    for key, count in counts.items():
        counted[key.endpoint] += count
    mismatches = Counter(group.endpoint for _, group in kept)
    forgotten = tuple(
        Forgotten(endpoint=name, comparisons=counted[name], mismatches=mismatches[name])
        for name in table.modes
        if (endpoints is None or name in endpoints) and (counted[name] or mismatches[name])
    )
    instant = aware(at)
    log = tuple(
        Change(
            version=table.version,
            at=instant,
            endpoint=each.endpoint,
            before=table.modes[each.endpoint],
            after=table.modes[each.endpoint],
            author=_writable(author),
            reason=_writable(reason),
        )
        for each in forgotten
    )
    return Forgetting(forgotten=forgotten, log=log)


def refuse_impossible(endpoints: Mapping[str, Endpoint], name: str, wanted: EndpointMode) -> None:
    """Raises ChangeRefused where there is no such endpoint, or it lacks a side that the mode needs."""
    endpoint = endpoints.get(name)
    if endpoint is None:
        raise unknown_endpoint(endpoints, name)
    for side in sorted(wanted.needs() - endpoint.sides):
        raise ChangeRefused(f"{name} can't be in mode {wanted.mode}: it has no {side} side")


def listed(known: Iterable[Endpoint], modes: Mapping[str, EndpointMode]) -> list[Endpoint]:
    """The inventory, and of those that are gone from it the ones that legacy had and that are in another mode: a
    process that started before may still answer them by native."""
    return [
        endpoint
        for endpoint in known
        if not endpoint.is_gone or (endpoint.legacy and modes[endpoint.name].mode != "legacy")
    ]


def unknown_endpoint(names: Iterable[str], name: str) -> ChangeRefused:
    """With the endpoints that are nearest. Those that a request of this method and path may be for come first, the one
    with most of the path in its rule before others."""
    known = list(names)
    method, _, path = name.partition(" ")
    asked = [each for each in known if may_be_for(each, method, path)]
    asked.sort(key=lambda each: len(re.sub("<[^>]*>", "", each)), reverse=True)
    near = list(dict.fromkeys([*asked, *get_close_matches(name, known, n=_NEAREST)]))[:_NEAREST]
    if asked and method == "HEAD":
        hint = f"HEAD goes with {', '.join(near[: len(asked)])}"
    elif near:
        hint = f"the nearest are {', '.join(near)}"
    else:
        hint = "`tradewindow cutover list` shows all"
    return ChangeRefused(f"{name!r} is not an endpoint: {hint}")


def surplus(kept: Iterable[tuple[int, Group]], bound: int) -> Sequence[int]:
    """Which ids to drop, given all that are kept, oldest first. What goes is the oldest of the largest group, until
    `bound` are left; of groups of one size, the one with the oldest loses it."""
    groups: dict[Group, deque[int]] = defaultdict(deque)
    for mismatch_id, group in kept:
        groups[group].append(mismatch_id)
    dropped: list[int] = []
    for _ in range(sum(map(len, groups.values())) - bound):
        largest = max(groups.values(), key=lambda ids: (len(ids), -ids[0] if ids else 0))
        dropped.append(largest.popleft())
    return dropped


def _step(
    table: ModeTable,
    moves: Iterable[tuple[str, EndpointMode | None, str]],
    *,
    author: str,
    at: datetime,
) -> Step:
    """Of `table`, which has the moves' modes already, one version on."""
    instant, version = aware(at), table.version + 1
    log = tuple(
        Change(
            version=version,
            at=instant,
            endpoint=name,
            before=before,
            after=table.modes[name],
            author=_writable(author),
            reason=_writable(reason),
        )
        for name, before, reason in moves
    )
    since = {**table.since, **{change.endpoint: version for change in log}}
    return Step(table=ModeTable(version, table.modes, since), log=log)


def _writable(text: str) -> str:
    """Text from a command line or out of a request may hold what no file takes, such as half of a surrogate pair."""
    return text.encode(errors="backslashreplace").decode()
