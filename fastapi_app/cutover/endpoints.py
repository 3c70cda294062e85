"""Endpoints: what either side serves, paired by method and rule, and who answers."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from fastapi import FastAPI
from flask import Flask
from starlette.routing import Route

from shared.errors import SettingsError
from shared.settings import Mode

Side = Literal["legacy", "native"]

# Starlette's {name} and {name:convertor} as Flask writes them.
_PARAMETER = re.compile(r"{(\w+)(?::(\w+))?}")
_CONVERTERS = {"int": "int:", "float": "float:", "path": "path:", "uuid": "uuid:", "str": "", None: ""}

# Flask's <name> and <converter:name>, and what a converter takes that isn't one segment of anything.
_FLASK_PARAMETER = re.compile(r"<(?:(\w+):)?\w+>")
_CONVERTED = {"path": ".+", "int": "[0-9]+", "float": r"[0-9]+\.[0-9]+"}

_FOLLOWING_METHODS = {"HEAD", "OPTIONS"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One method and rule (in Flask's notation), which sides have it, and its mode."""

    method: str
    rule: str
    legacy: bool
    native: bool
    mode: Mode

    @property
    def name(self) -> str:
        return f"{self.method} {self.rule}"

    def pattern(self) -> re.Pattern[str] | None:
        """What the paths of a rule with parameters look like; None for a rule that is a path itself."""
        if "<" not in self.rule:
            return None
        parts = _FLASK_PARAMETER.split(self.rule)
        # Odd parts are the parameters' converters.
        texts = (_CONVERTED.get(part, "[^/]+") if index % 2 else re.escape(part) for index, part in enumerate(parts))
        return re.compile("".join(texts))


def pair(native: FastAPI, legacy: Flask, modes: Mapping[str, Mode]) -> tuple[Endpoint, ...]:
    """Every endpoint of either side, in the order of rules. What has one side only is served by that.

    Raises SettingsError for a mode whose endpoint doesn't exist or lacks the side that the mode needs.
    """
    of_legacy = set(_legacy_endpoints(legacy))
    of_native = set(_native_endpoints(native))
    names = of_legacy | of_native
    for name, mode in modes.items():
        wanted = tuple(name.split(" ", 1))
        if wanted not in names:
            raise SettingsError(f"cutover.modes: {name!r} is not an endpoint; see `tradewindow routes`")
        if wanted not in (of_legacy if mode == "legacy" else of_native):
            raise SettingsError(f"cutover.modes: {name!r} can't be {mode!r}: it has no {mode} side")
    return tuple(
        Endpoint(
            method=method,
            rule=rule,
            legacy=(method, rule) in of_legacy,
            native=(method, rule) in of_native,
            mode=modes.get(f"{method} {rule}", "legacy" if (method, rule) in of_legacy else "native"),
        )
        for method, rule in sorted(names, key=lambda name: (name[1], name[0]))
    )


def _legacy_endpoints(app: Flask) -> Iterable[tuple[str, str]]:
    for rule in app.url_map.iter_rules():
        for method in (rule.methods or set()) - _FOLLOWING_METHODS:
            yield method, rule.rule


def _native_endpoints(app: FastAPI) -> Iterable[tuple[str, str]]:
    for route in app.routes:
        if isinstance(route, Route):
            rule = _PARAMETER.sub(lambda match: f"<{_CONVERTERS[match[2]]}{match[1]}>", route.path)
            for method in (route.methods or set()) - _FOLLOWING_METHODS:
                yield method, rule
