"""What whoever moves endpoints must know of the two route tables, in sentences."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from fastapi_app.cutover.inventory.matching import Matcher, native_converters, sample, samples
from fastapi_app.cutover.inventory.pairing import Pairing, differences, other_slash, takes_both_slashes
from fastapi_app.cutover.inventory.route_tables import LegacyRule, LegacyTable, NativeRoute, NativeTable
from fastapi_app.cutover.inventory.rules import Key

Side = Mapping[Key, LegacyRule] | Mapping[Key, NativeRoute]

# When a move begins, nearly all of legacy is alone.
_NAMED_ALONE = 3


def out_of_order(pairing: Pairing, of_native: NativeTable, of_legacy: LegacyTable) -> Iterator[tuple[Key, str]]:
    """By native's key: that native answers its requests by a route that it declares earlier."""
    legacy_of = {twin: key for key, twin in pairing.twins.items()}
    converters = native_converters()
    takers: list[NativeRoute] = []
    for route in of_native.declared:
        for method in sorted(route.methods or ()):
            key = (method, route.rule.shape)
            if pairing.native.get(key) is not route:
                continue
            twin = pairing.legacy[legacy_of[key]].rule if key in legacy_of else None
            path = sample(twin, of_legacy.converters) if twin else sample(route.rule, converters)
            taker = next((each for each in takers if path and _takes(each, method, path)), None)
            if taker is not None:
                yield (
                    key,
                    f"native declares {taker.path} before {route.path} and answers {path} by it, where Flask's routing "
                    f"takes the more specific: declare {route.path} first",
                )
        if route.rule.parameters:
            takers.append(route)


def twins_that_differ(pairing: Pairing, of_legacy: LegacyTable) -> Iterator[tuple[Key, str]]:
    """By legacy's key: what one of the twins takes and the other doesn't."""
    for key, twin in pairing.twins.items():
        rule = pairing.legacy[key]
        for difference in differences(rule.rule, pairing.native[twin], of_legacy.converters):
            yield key, difference
        if takes_both_slashes(rule) and (key[0], other_slash(key[1])) not in pairing.folded:
            yield key, f"legacy answers {other_slash(str(rule.rule))} by the same rule, native has no route for it"


def almost_twins(pairing: Pairing, *, told: Collection[Key]) -> Iterator[tuple[tuple[Key, ...], str]]:
    """By the keys of the endpoints that it is about: why those that are nearly twins don't pair. What is `told` of
    native's is left out."""
    native_alone = [key for key in pairing.native_alone() if key not in told]
    explained: set[Key] = set()
    for other, keys in pairing.rivals_of_native.items():
        explained |= {other, *keys}
        names = " and of ".join(str(pairing.legacy[key].rule) for key in keys)
        path = pairing.native[other].path
        yield (other, *keys), f"native's {other[0]} {path} could be the twin of {names}, so it is that of none"
    for key, others in pairing.rivals_of_legacy.items():
        explained |= {key, *others}
        names = " and ".join(pairing.native[other].path for other in others)
        rule = pairing.legacy[key].rule
        yield (key, *others), f"{key[0]} {rule} could pair with native's {names}, so it pairs with none"
    for key in pairing.legacy_alone():
        for other in native_alone:
            if key[0] != other[0] or key in explained or other in explained:
                continue
            rule, route = pairing.legacy[key].rule, pairing.native[other]
            if rule.skeleton == route.rule.skeleton:
                why = "their converters differ, and native's doesn't take all that legacy's takes"
            elif other_slash(key[1]) == other[1]:
                why = "they differ in the slash at the end"
            else:
                continue
            explained |= {key, other}
            yield (key, other), f"{key[0]} {rule} and native's {route.path} don't pair: {why}"


def without_twin(pairing: Pairing, *, told: Collection[Key]) -> Iterator[str]:
    """The other endpoints that one side alone has. What is `told` is left out."""
    legacy_alone = [key for key in pairing.legacy_alone() if key not in told]
    native_alone = [key for key in pairing.native_alone() if key not in told]
    yield from _alone(legacy_alone, pairing.legacy, pairing.native, "native")
    yield from _alone(native_alone, pairing.native, pairing.legacy, "legacy")


def _alone(keys: Iterable[Key], side: Side, other_side: Side, other_name: str) -> Iterator[str]:
    methods: dict[str, set[str]] = defaultdict(set)
    for (method, _), rule in other_side.items():
        methods[rule.rule.skeleton].add(method)
    nowhere = []
    for key in keys:
        name = f"{key[0]} {side[key].rule}"
        if there := methods.get(side[key].rule.skeleton, set()) - {key[0]}:
            yield f"{name} has no {other_name} twin: {other_name} has {', '.join(sorted(there))} there"
        else:
            nowhere.append(name)
    if len(nowhere) > _NAMED_ALONE + 1:
        named, rest = ", ".join(nowhere[:_NAMED_ALONE]), len(nowhere) - _NAMED_ALONE
        yield f"{len(nowhere)} endpoints have no {other_name} twin: {named} and {rest} more"
    else:
        yield from (f"{name} has no {other_name} twin" for name in nowhere)


def never_asked(pairing: Pairing, legacy: Matcher) -> Iterator[tuple[Key, str]]:
    """By native's key, of those without a twin: that legacy has an answer of its own to its paths."""
    converters = native_converters()
    for key in pairing.native_alone():
        path = sample(pairing.native[key].rule, converters)
        if path is None:
            continue
        if legacy.redirects(key[0], path):
            yield key, f"native's is never asked, for legacy redirects {path}"
        elif (taker := legacy.match(key[0], path)) and taker[1] == other_slash(key[1]):
            yield key, f"native's is never asked, for legacy answers {path} by {pairing.legacy[taker].rule}"


def overlaps(pairing: Pairing, legacy: Matcher, both: Matcher) -> Iterator[tuple[Key, str]]:
    """By native's key, of those without a twin that take paths from a rule of legacy's: that it answers them, too."""
    converters = native_converters()
    native_alone = pairing.native_alone()
    for key in native_alone:
        for path in samples(pairing.native[key].rule, converters):
            taker = legacy.match(key[0], path)
            if taker is not None and both.match(key[0], path) in native_alone:
                yield key, f"legacy answers {path}, too, by {pairing.legacy[taker].rule}"
                break


def behind(prefix: str, pairing: Pairing, legacy: Matcher) -> Iterator[str]:
    """Of legacy's rules for paths that begin with the prefix: that it isn't asked for them."""
    paths = (prefix, f"{prefix}/", f"{prefix}/sample")
    rules = {
        str(rule.rule): None
        for key, rule in pairing.legacy.items()
        if str(rule.rule).startswith(f"{prefix}/") or key in {legacy.match(key[0], path) for path in paths}
    }
    if rules:
        yield f"the cutover's own API is at {prefix}, so legacy isn't asked there for {', '.join(rules)}"


def _takes(route: NativeRoute, method: str, path: str) -> bool:
    return method in (route.methods or {method}) and route.pattern.match(path) is not None
