"""Endpoints: what either side serves, paired by method and rule, and which of them a request is for."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from starlette.types import ASGIApp

from fastapi_app.bridge.exchange import WSGIApp
from fastapi_app.cutover.inventory.endpoint import Endpoint
from fastapi_app.cutover.inventory.findings import (
    almost_twins,
    behind,
    never_asked,
    out_of_order,
    overlaps,
    twins_that_differ,
    without_twin,
)
from fastapi_app.cutover.inventory.matching import Matcher, NativeRule
from fastapi_app.cutover.inventory.pairing import Pairing, pair, renamings
from fastapi_app.cutover.inventory.route_tables import Listed, legacy_table, native_table
from fastapi_app.cutover.inventory.rules import Key
from shared.errors import SettingsError


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """Every endpoint of either side, in the order of rules, and what whoever moves them must know, a sentence each.

    `findings` begin with what belongs to no endpoint and is told nowhere else; then comes what changes an answer, and
    last the endpoints that one side alone has.
    """

    endpoints: tuple[Endpoint, ...]
    findings: tuple[str, ...]
    of_no_endpoint: int
    """How many of the findings, the first ones, belong to no endpoint."""
    by_path: Mapping[tuple[str, str], Endpoint]
    """The endpoints without parameters, by (method, path); HEAD is there where GET is."""
    by_key: Mapping[Key, Endpoint] = field(repr=False)
    matcher: Matcher = field(repr=False, compare=False)

    def match(self, method: str, path: str) -> Endpoint | None:
        """The endpoint that a request is for, by its decoded path. It is what Flask's routing chooses, by specificity,
        over the rules of both sides; HEAD is for what GET is for.

        None is for legacy to answer by itself: no rule, another method, a redirect, and a path that begins with two
        slashes, which Flask alone takes for one. But where `is_native_alone`, it is for native to refuse.
        """
        endpoint = self.by_path.get((method, path))
        if endpoint is not None:
            return endpoint
        key = self.matcher.match(method, path)
        return None if key is None else self.by_key[key]

    def is_native_alone(self, path: str) -> bool:
        """Whether rules of native's take this path, by whatever method, and none of legacy's does."""
        return self.matcher.is_native_alone(path)


def take_inventory(
    native: ASGIApp | None,
    legacy: WSGIApp | None,
    *,
    native_routes: Listed | None = None,
    legacy_routes: Listed | None = None,
    admin_prefix: str | None = None,
) -> Inventory:
    """Reads the route tables of Starlette or FastAPI and of Flask. Of other apps, and of what is mounted, the routes
    are listed, as ("GET", "/items/{item_id:int}") for native and ("GET", "/items/<int:item_id>") for legacy. What
    begins with `admin_prefix` the cutover answers itself.

    Raises SettingsError for a rule that can't be, and where native would take every request because legacy's routes
    aren't known.
    """
    of_native = native_table(native, native_routes)
    of_legacy = legacy_table(legacy, legacy_routes)
    if native is not None and not of_legacy.known:
        raise SettingsError(f"{of_legacy.findings[0]}, or native would take all that it has a route for")
    pairing = pair(of_native, of_legacy)
    legacy_matcher = Matcher(of_legacy, pairing.legacy)
    idle = dict(never_asked(pairing, legacy_matcher))
    asked = _asked(pairing, without=idle)
    patterns = {key: pairing.native[twin].pattern for key, twin in pairing.twins.items()}
    matcher = Matcher(of_legacy, pairing.legacy, asked, patterns)
    shared = {key: sentence for key, sentence in overlaps(pairing, legacy_matcher, matcher) if key not in idle}

    legacy_of = {twin: key for key, twin in pairing.twins.items()}
    weighty = [
        *((legacy_of.get(key, key), sentence) for key, sentence in out_of_order(pairing, of_native, of_legacy)),
        *idle.items(),
        *shared.items(),
        *twins_that_differ(pairing, of_legacy),
    ]
    both_have_rules = of_legacy.rules and (of_native.declared or of_native.listed)
    almost = list(almost_twins(pairing, told=shared)) if both_have_rules else []
    explained = {key for keys, _ in almost for key in keys}
    by_key = _endpoints(pairing, _notes(weighty, almost), shared)
    of_no_endpoint = [
        *of_native.findings,
        *of_legacy.findings,
        *(() if admin_prefix is None else behind(admin_prefix, pairing, legacy_matcher)),
    ]
    return Inventory(
        endpoints=tuple(sorted(by_key.values(), key=lambda endpoint: (endpoint.rule, endpoint.method))),
        findings=(
            *of_no_endpoint,
            *(f"{by_key[key].name}: {sentence}" for key, sentence in weighty),
            *(sentence for _, sentence in almost),
            *(without_twin(pairing, told={*shared, *explained}) if both_have_rules else ()),
        ),
        of_no_endpoint=len(of_no_endpoint),
        by_path={at: by_key[key] for at, key in matcher.plain.items()},
        by_key=by_key,
        matcher=matcher,
    )


def _notes(weighty: Iterable[tuple[Key, str]], almost: Iterable[tuple[tuple[Key, ...], str]]) -> dict[Key, list[str]]:
    notes: dict[Key, list[str]] = defaultdict(list)
    for key, sentence in weighty:
        notes[key].append(sentence)
    for keys, sentence in almost:
        for key in keys:
            notes[key].append(sentence)
    return notes


def _asked(pairing: Pairing, *, without: Mapping[Key, str]) -> list[NativeRule]:
    skeletons = {(method, rule.rule.skeleton) for (method, _), rule in pairing.legacy.items()}
    rules = [(key[0], pairing.native[key].rule) for key in pairing.native_alone() if key not in without]
    return [NativeRule(method, rule, yields=(method, rule.skeleton) in skeletons) for method, rule in rules]


def _endpoints(pairing: Pairing, notes: Mapping[Key, list[str]], shared: Collection[Key]) -> dict[Key, Endpoint]:
    """By legacy's key where there is one. `shared` are native's, without a twin, that legacy answers, too."""
    endpoints = {}
    for key, legacy in pairing.legacy.items():
        twin = pairing.twins.get(key)
        renamed = () if twin is None else renamings(legacy.rule, pairing.native[twin])
        endpoints[key] = Endpoint(
            method=key[0],
            rule=str(legacy.rule),
            legacy=True,
            native=twin is not None,
            notes=(*notes.get(key, ()), *renamed),
        )
    for key in pairing.native_alone():
        rule = str(pairing.native[key].rule)
        endpoints[key] = Endpoint(
            method=key[0], rule=rule, legacy=key in shared, native=True, notes=tuple(notes.get(key, ()))
        )
    return endpoints
