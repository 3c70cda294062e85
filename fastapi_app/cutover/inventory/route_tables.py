"""What each side says that it serves: the route tables of Flask and of Starlette or FastAPI, and lists for others."""

import inspect
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import fastapi.routing
from starlette.endpoints import HTTPEndpoint
from starlette.routing import BaseRoute, Host, Mount, Route, WebSocketRoute, compile_path
from werkzeug.routing import BaseConverter, Map, Rule

from fastapi_app.cutover.inventory.rules import PathRule, flask_rule, starlette_rule
from shared.errors import SettingsError

FOLLOWING_METHODS = frozenset({"HEAD", "OPTIONS"})
"""They are answered where the other methods of their rule are, and are endpoints only where there is no other."""

Listed = Iterable[tuple[str, str]]
"""Pairs of a method and a rule, in the notation of the side."""

_NATIVE_LIST, _LEGACY_LIST = "native_routes (--native-routes)", "legacy_routes (--legacy-routes)"

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY")


class NativeRoute(NamedTuple):
    """A route as native declares it. `methods` are those of endpoints; None for what takes every one and is none."""

    path: str
    methods: frozenset[str] | None
    rule: PathRule
    pattern: re.Pattern[str]


class NativeTable(NamedTuple):
    """`declared` are in native's order, in which the first that fits is asked; of `listed` no order is known."""

    declared: tuple[NativeRoute, ...]
    listed: tuple[NativeRoute, ...]
    findings: tuple[str, ...]


class LegacyRule(NamedTuple):
    """`methods` are those of endpoints: none where legacy only redirects."""

    rule: PathRule
    methods: frozenset[str]
    source: Rule


class LegacyTable(NamedTuple):
    """`options` are those of the Werkzeug map, which say how it matches. The rules of a WSGI app that isn't Flask's are
    `known` if they are listed."""

    rules: tuple[LegacyRule, ...]
    converters: Mapping[str, type[BaseConverter]]
    options: Mapping[str, Any]
    findings: tuple[str, ...]
    known: bool


def native_table(app: object, listed: Listed | None) -> NativeTable:
    """Raises SettingsError for a listed route that Starlette couldn't have."""
    read: list[NativeRoute | str] = []
    if routes := getattr(app, "routes", None):
        read += _read_native(routes)
    elif app is not None and listed is None:
        read.append(f"native is a {type(app).__name__}, whose routes can't be read: list them in {_NATIVE_LIST}")
    return NativeTable(
        tuple(route for route in read if isinstance(route, NativeRoute)),
        tuple(_listed_native(method, path) for method, path in listed or ()),
        tuple(finding for finding in read if isinstance(finding, str)),
    )


def _read_native(routes: Iterable[Any], prefix: str = "") -> Iterator[NativeRoute | str]:
    """The routes, and a sentence for each that is no endpoint."""
    # FastAPI keeps an included router as one, and lists what is in it; its older versions copied the routes.
    effective = getattr(fastapi.routing, "iter_route_contexts", iter)
    for context in effective(routes):
        route: BaseRoute = getattr(context, "original_route", context)
        path = f"{prefix}{getattr(context, 'path', None) or ''}"
        if isinstance(route, Mount) and route.routes:
            yield from _read_native(route.routes, path)
        elif isinstance(route, Mount):
            yield _native_route(f"{path}/{{path:path}}", None)
            kind = type(route.app).__name__
            yield f"native's mount of a {kind} at {path or '/'} is no endpoint: what it serves stays with legacy"
        elif isinstance(route, WebSocketRoute):
            yield f"native's WebSocket {path} is no endpoint: WebSockets go to native, and have no modes"
        elif isinstance(route, Host):
            yield f"native's routes for the host {route.host} are no endpoints: the cutover goes by path alone"
        elif isinstance(route, Route) and (methods := _methods_of(context)):
            yield _native_route(path, own_methods(methods))
        elif isinstance(route, Route):
            yield _native_route(path, None)
            yield f"native's {path} names no methods, so it is no endpoint: list it with its methods in {_NATIVE_LIST}"
        else:
            yield f"native's {type(route).__name__} {path} is no endpoint: its kind of route isn't known"


def _native_route(path: str, methods: frozenset[str] | None) -> NativeRoute:
    return NativeRoute(path, methods, starlette_rule(path), compile_path(path)[0])


def _methods_of(route: Any) -> Collection[str]:
    if inspect.isclass(route.endpoint) and issubclass(route.endpoint, HTTPEndpoint) and not route.methods:
        return [method for method in _METHODS if hasattr(route.endpoint, method.lower())]
    return route.methods or ()


def own_methods(methods: Collection[str]) -> frozenset[str]:
    """Those of endpoints."""
    return frozenset(methods) - FOLLOWING_METHODS or frozenset(methods)


def _listed_native(method: str, path: str) -> NativeRoute:
    try:
        # Which knows what a path must be.
        Route(path, _native_route, methods=[method])
        return _native_route(path, frozenset({method.upper()}))
    except (AssertionError, ValueError) as exc:
        raise SettingsError(f"native_routes: {path!r} is no path of Starlette's: {exc}") from exc


def legacy_table(app: object, listed: Listed | None) -> LegacyTable:
    """Raises SettingsError for a listed rule that Flask couldn't have."""
    url_map = getattr(app, "url_map", None)
    findings: list[str] = []
    rules: list[Rule] = []
    known = True
    if not isinstance(url_map, Map):
        url_map = Map()
        known = app is None or listed is not None
        if not known:
            findings.append(
                f"legacy is a {type(app).__name__}, whose routes can't be read: list them in {_LEGACY_LIST}"
            )
    for rule in url_map.iter_rules():
        if finding := _out_of_reach(rule, url_map):
            findings.append(finding)
        elif not rule.build_only:
            rules.append(rule)
    rules += [_listed_legacy(method, rule, url_map.converters) for method, rule in listed or ()]
    findings += _findings_of_converters(rules, url_map.converters)
    return LegacyTable(
        rules=tuple(LegacyRule(flask_rule(_merged(rule)), _legacy_methods(rule), rule) for rule in rules),
        converters=url_map.converters,
        options={
            "strict_slashes": url_map.strict_slashes,
            "merge_slashes": url_map.merge_slashes,
            "redirect_defaults": url_map.redirect_defaults,
        },
        findings=tuple(findings),
        known=known,
    )


def _out_of_reach(rule: Rule, url_map: Map) -> str | None:
    host = rule.host if url_map.host_matching else rule.subdomain
    if host and (url_map.host_matching or host != url_map.default_subdomain):
        kind = "host" if url_map.host_matching else "subdomain"
        return f"legacy's {rule.rule} of the {kind} {host} is no endpoint: the cutover goes by path alone"
    if rule.websocket:
        return f"legacy's WebSocket {rule.rule} is no endpoint: WebSockets go to native"
    if rule.methods is None:
        return (
            f"legacy's {rule.rule} names no methods, so it is no endpoint: list it with its methods in {_LEGACY_LIST}"
        )
    return None


def _findings_of_converters(rules: Iterable[Rule], converters: Mapping[str, type[BaseConverter]]) -> Iterator[str]:
    used = {parameter.converter for rule in rules for parameter in flask_rule(rule.rule).parameters}
    for name in sorted(used):
        converter = converters[name]
        if converts_by_own_code(converter):
            yield (
                f"legacy's converter {name!r} ({converter.__qualname__}) converts by code of its own; the cutover runs "
                "it, too, to tell which endpoint a request is for, and where it raises, legacy answers"
            )


def converts_by_own_code(converter: type[BaseConverter]) -> bool:
    return not converter.to_python.__module__.startswith("werkzeug.")


def _merged(rule: Rule) -> str:
    return re.sub("/{2,}", "/", rule.rule) if rule.merge_slashes else rule.rule


def _legacy_methods(rule: Rule) -> frozenset[str]:
    if rule.alias or rule.redirect_to is not None:
        return frozenset()
    methods = rule.methods or set()
    # Flask adds it where a view doesn't say that it answers it.
    return own_methods(methods - {"OPTIONS"} if getattr(rule, "provide_automatic_options", False) else methods)


def _listed_legacy(method: str, rule: str, converters: Mapping[str, type[BaseConverter]]) -> Rule:
    try:
        listed = Rule(rule, methods=[method], endpoint=f"{method.upper()} {rule}", strict_slashes=True)
        listed.empty().bind(Map(converters=converters))
    except (LookupError, TypeError, ValueError) as exc:
        raise SettingsError(f"legacy_routes: {rule!r} is no rule of Flask's: {exc}") from exc
    return listed
