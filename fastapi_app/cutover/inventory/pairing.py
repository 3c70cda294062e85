"""Which rule of native's is the twin of which of legacy's."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from werkzeug.routing import BaseConverter
from werkzeug.routing.converters import DEFAULT_CONVERTERS

from fastapi_app.cutover.inventory.route_tables import (
    FOLLOWING_METHODS,
    LegacyRule,
    LegacyTable,
    NativeRoute,
    NativeTable,
)
from fastapi_app.cutover.inventory.rules import Key, Parameter, PathRule

R = TypeVar("R", LegacyRule, NativeRoute)

Converters = Mapping[str, type[BaseConverter]]

# What Starlette's convertors take beyond Flask's converters of the same name.
_BEYOND = {"float": "whole numbers", "path": "an empty text and one that begins with a slash", "uuid": "no dashes"}


class Pairing(NamedTuple):
    """Every rule of either side by its key, and the twins: native's keys by legacy's.

    `rivals_of_legacy` and `rivals_of_native` are keys without a twin, because two or more of the other side could be
    it. `folded` are native's that belong to the endpoint of their other spelling, since legacy has one rule for both.
    """

    legacy: Mapping[Key, LegacyRule]
    native: Mapping[Key, NativeRoute]
    twins: Mapping[Key, Key]
    rivals_of_legacy: Mapping[Key, list[Key]]
    rivals_of_native: Mapping[Key, list[Key]]
    folded: frozenset[Key]

    def legacy_alone(self) -> list[Key]:
        return [key for key in self.legacy if key not in self.twins]

    def native_alone(self) -> list[Key]:
        paired = set(self.twins.values())
        return [key for key in self.native if key not in paired]


def pair(of_native: NativeTable, of_legacy: LegacyTable) -> Pairing:
    """A twin has the same method and shape; where there is none, it is the one that takes all of legacy's and more."""
    legacy = _first_by_key(of_legacy.rules)
    native = _first_by_key([*of_native.declared, *of_native.listed])
    led = {
        *(rule.rule.skeleton for (method, _), rule in legacy.items() if method not in FOLLOWING_METHODS),
        *(route.rule.skeleton for (method, _), route in native.items() if method not in FOLLOWING_METHODS),
    }
    legacy, native = _without_followers(legacy, led), _without_followers(native, led)
    folded = _folded(legacy, native)
    native = {key: route for key, route in native.items() if key not in folded}
    twins = {key: key for key in legacy if key in native}
    could_be = [
        (key, other)
        for key, rule in legacy.items()
        for other, route in native.items()
        if key not in twins and other not in twins and key[0] == other[0]
        if _takes_more(route.rule, rule.rule, of_legacy.converters)
    ]
    of_key = {key: [other for each, other in could_be if each == key] for key, _ in could_be}
    of_other = {other: [key for key, each in could_be if each == other] for _, other in could_be}
    twins |= {key: other for key, other in could_be if len(of_key[key]) == 1 and len(of_other[other]) == 1}
    return Pairing(
        legacy=legacy,
        native=native,
        twins=twins,
        rivals_of_legacy={key: others for key, others in of_key.items() if len(others) > 1},
        rivals_of_native={other: keys for other, keys in of_other.items() if len(keys) > 1},
        folded=folded,
    )


def differences(legacy: PathRule, native: NativeRoute, converters: Converters) -> Iterator[str]:
    """What twins take that the other doesn't, a sentence each."""
    for of_legacy, of_native in zip(legacy.parameters, native.rule.parameters, strict=True):
        name, converter = of_legacy.name, of_legacy.converter
        if of_legacy[1:] != of_native[1:]:
            beyond = ""
        elif converter in _BEYOND and _is_flasks_own(converter, converters):
            beyond = f" ({_BEYOND[converter]})"
        elif _is_flasks_own(converter, converters):
            continue
        else:
            yield f"each side has a converter {converter!r} of its own for {name}, and what they take may differ"
            continue
        yield (
            f"native's {native.path} takes more for {of_native.name}{beyond} than legacy's {of_legacy}; "
            "it is sent only what legacy's rule takes"
        )


def renamings(legacy: PathRule, native: NativeRoute) -> Iterator[str]:
    for of_legacy, of_native in zip(legacy.parameters, native.rule.parameters, strict=True):
        if of_legacy.name != of_native.name:
            yield f"native calls {of_native.name} what legacy calls {of_legacy.name}"


def takes_both_slashes(rule: LegacyRule) -> bool:
    """Whether the rule is met with and without the slash at the end."""
    return rule.source.strict_slashes is False


def other_slash(shape: str) -> str:
    return shape[:-1] if shape.endswith("/") else f"{shape}/"


def _first_by_key(side: Iterable[R]) -> dict[Key, R]:
    by_key: dict[Key, R] = {}
    for rule in side:
        for method in sorted(rule.methods or ()):
            by_key.setdefault((method, rule.rule.shape), rule)
    return by_key


def _without_followers(side: Mapping[Key, R], led: Collection[str]) -> dict[Key, R]:
    return {key: rule for key, rule in side.items() if key[0] not in FOLLOWING_METHODS or rule.rule.skeleton not in led}


def _folded(legacy: Mapping[Key, LegacyRule], native: Mapping[Key, NativeRoute]) -> frozenset[Key]:
    return frozenset(
        key
        for key in native
        if key not in legacy
        and (other := (key[0], other_slash(key[1]))) in legacy
        and other in native
        and takes_both_slashes(legacy[other])
    )


def _takes_more(native: PathRule, legacy: PathRule, converters: Converters) -> bool:
    return native.skeleton == legacy.skeleton and all(
        _parameter_takes_more(of_native, of_legacy, converters)
        for of_native, of_legacy in zip(native.parameters, legacy.parameters, strict=True)
    )


def _parameter_takes_more(native: Parameter, legacy: Parameter, converters: Converters) -> bool:
    if native.converter == "string":
        return converters[legacy.converter].part_isolating
    # Arguments narrow a converter, but for this one.
    return native.converter == legacy.converter and "signed" not in legacy.arguments


def _is_flasks_own(converter: str, converters: Converters) -> bool:
    return converters[converter] is DEFAULT_CONVERTERS.get(converter)
