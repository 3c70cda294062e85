"""Which rule a request is for: Flask's routing, over the rules of both sides."""

import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache, partial
from itertools import islice
from typing import Any, NamedTuple

from starlette.convertors import CONVERTOR_TYPES
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import BaseConverter, Map, MapAdapter, RequestRedirect, Rule, ValidationError
from werkzeug.routing.converters import DEFAULT_CONVERTERS, NumberConverter
from werkzeug.routing.rules import parse_converter_args

from fastapi_app.cutover.inventory.route_tables import LegacyTable, converts_by_own_code
from fastapi_app.cutover.inventory.rules import Key, Parameter, PathRule

logger = logging.getLogger(__name__)

# Added to the weight of a converter of native's, so that legacy's rules are tried first: before equals, and before
# those that differ in nothing but converters.
_LATER = 1
_LAST = 1_000

# No rule has it.
_NO_METHOD = "--"

# A search takes 7 to 20 µs, to remember its result 0.4 µs.
_REMEMBERED = 1_024
_REMEMBERED_CHARACTERS = 256

# Most converters take one of these.
_USUAL_SAMPLES = ("sample", "1", "1.5", "00000000-0000-4000-8000-000000000000", "2026-01-31", "sample/1")
_SAMPLES = (
    *_USUAL_SAMPLES,
    *("1" + "0" * digits for digits in range(1, 10)),
    *("s" * length for length in range(1, 40)),
)


class NativeRule(NamedTuple):
    """A rule that native alone has. It yields where legacy has one that differs from it in converters alone."""

    method: str
    rule: PathRule
    yields: bool = False


class Matcher:
    """Finds the key of a legacy rule, out of `keys`, or of one that native alone has. `twins` are the patterns of the
    routes that native has for legacy's."""

    def __init__(
        self,
        table: LegacyTable,
        keys: Collection[Key],
        native: Sequence[NativeRule] = (),
        twins: Mapping[Key, re.Pattern[str]] | None = None,
    ) -> None:
        self._twins = twins or {}
        legacy_rules = list(_legacy_rules(table, keys))
        native_rules = list(_native_rules(native))
        self.plain: dict[tuple[str, str], Key] = {}
        """By (method, path), those of rules without parameters. Such a rule wins over any with parameters."""
        for rule in (*legacy_rules, *native_rules):
            # A rule with defaults may redirect to another.
            if "<" not in rule.rule and not rule.defaults:
                for method, key in rule.keys.items():
                    self.plain.setdefault((method, rule.rule), key)
        self._depends_on_path_alone = not any(map(converts_by_own_code, table.converters.values()))
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._search)
        self._native_paths = {rule.rule for rule in native_rules if "<" not in rule.rule}
        self._methods = {method for rule in (*legacy_rules, *native_rules) for method in rule.keys}
        with_parameters = [rule for rule in native_rules if "<" in rule.rule]
        self._legacy = _adapter(table, legacy_rules)
        copies = (rule.empty() for rule in legacy_rules)
        self._both = _adapter(table, [*copies, *with_parameters]) if with_parameters else self._legacy

    def match(self, method: str, path: str) -> Key | None:
        """See Inventory.match."""
        key = self.plain.get((method, path))
        if key is not None or method not in self._methods or path.startswith("//"):
            return key
        if len(path) > _REMEMBERED_CHARACTERS or not self._depends_on_path_alone:
            return self._search(method, path)
        return self._remembered(method, path)

    def _search(self, method: str, path: str) -> Key | None:
        try:
            return self._by_rules(method, path)
        except HTTPException:
            return None
        except Exception:
            # It came out of a converter of the legacy app, and legacy will answer as it does to that.
            logger.warning("the path of a %s can't be matched, so legacy answers", method, exc_info=True)
            return None

    def is_native_alone(self, path: str) -> bool:
        """See Inventory.is_native_alone."""
        if path.startswith("//"):
            return False
        try:
            self._legacy.match(path, _NO_METHOD)
        except NotFound:
            return path in self._native_paths or self._is_of_some_method(path)
        except Exception:  # another method's, a redirect, or a converter of the legacy app's that fails
            return False
        return False

    def _is_of_some_method(self, path: str) -> bool:
        try:
            self._both.match(path, _NO_METHOD)
        except MethodNotAllowed:
            return True
        except HTTPException:
            return False
        return True

    def redirects(self, method: str, path: str) -> bool:
        """Whether legacy answers with a redirect to another spelling of the path."""
        try:
            self._legacy.match(path, method)
        except RequestRedirect:
            return True
        except Exception:  # no match, or a converter of the legacy app's that needs a request
            return False
        return False

    def _by_rules(self, method: str, path: str) -> Key | None:
        try:
            rule, _ = self._both.match(path, method, return_rule=True)
        except RequestRedirect:
            if self._both is self._legacy:
                raise
            # To the slash of a rule of native's, perhaps, on which legacy doesn't insist.
            rule, _ = self._legacy.match(path, method, return_rule=True)
        key = rule.keys.get(method) if isinstance(rule, _RuleWithKeys) else None
        if key is None or path.isascii():
            return key
        # Flask's numbers may have digits of any script, Starlette's are ASCII: only legacy has an answer to others.
        twin = self._twins.get(key)
        return key if twin is None or twin.match(path) else None


class _RuleWithKeys(Rule):
    def __init__(self, rule: str, keys: Mapping[str, Key], **options: Any) -> None:
        super().__init__(rule, **options)
        self.keys = keys

    def get_empty_kwargs(self) -> Mapping[str, Any]:
        return {**super().get_empty_kwargs(), "keys": self.keys, "merge_slashes": self.merge_slashes}

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        """Puts off what builds the rule's URL until a redirect needs it (of rules with defaults, or with an alias). To
        compile it costs ten times what matching does, for each rule at each start. A Werkzeug that has no such method
        any more doesn't ask for it."""
        compiled = cache(partial(super()._compile_builder, append_unknown))

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            return compiled()(rule, **values)

        return build


def _legacy_rules(table: LegacyTable, keys: Collection[Key]) -> Iterator[_RuleWithKeys]:
    for legacy in table.rules:
        source = legacy.source
        yield _RuleWithKeys(
            str(legacy.rule),
            _by_method(key for method in legacy.methods if (key := (method, legacy.rule.shape)) in keys),
            methods=source.methods,
            endpoint=source.endpoint,
            defaults=source.defaults,
            strict_slashes=source.strict_slashes,
            merge_slashes=source.merge_slashes,
            redirect_to=source.redirect_to,
            alias=source.alias,
        )


def _native_rules(native: Iterable[NativeRule]) -> Iterator[_RuleWithKeys]:
    for number, (method, rule, yields) in enumerate(native):
        family = "yielding" if yields else "native"
        parts = (
            part._replace(converter=f"{family}_{part.converter}") if isinstance(part, Parameter) else part
            for part in rule.parts
        )
        yield _RuleWithKeys(
            "".join(map(str, parts)), _by_method([(method, rule.shape)]), methods=[method], endpoint=number
        )


def _by_method(keys: Iterable[Key]) -> dict[str, Key]:
    by_method = {key[0]: key for key in keys}
    if "GET" in by_method:
        by_method.setdefault("HEAD", by_method["GET"])
    return by_method


def _adapter(table: LegacyTable, rules: Iterable[Rule]) -> MapAdapter:
    converters = {
        **table.converters,
        **{f"native_{name}": converter for name, converter in native_converters(_LATER).items()},
        **{f"yielding_{name}": converter for name, converter in native_converters(_LAST).items()},
    }
    url_map = Map(rules, converters=converters, **table.options)
    url_map.update()
    return url_map.bind("cutover")


def native_converters(later: int = 0) -> dict[str, type[BaseConverter]]:
    """Starlette's convertors, by Flask's names, as Werkzeug's; each takes exactly what it takes there."""
    converters = {}
    for name, convertor in CONVERTOR_TYPES.items():
        flask_name = "string" if name == "str" else name
        like = DEFAULT_CONVERTERS.get(flask_name, BaseConverter)
        converters[flask_name] = type(
            f"Native{flask_name.title()}Converter",
            (BaseConverter,),
            {
                "regex": convertor.regex,
                "weight": like.weight + later,
                "part_isolating": re.fullmatch(convertor.regex, "a/b") is None,
            },
        )
    return converters


def sample(rule: PathRule, converters: Mapping[str, type[BaseConverter]]) -> str | None:
    """A path that the rule takes; None where none comes to mind."""
    return next(samples(rule, converters), None)


def samples(rule: PathRule, converters: Mapping[str, type[BaseConverter]]) -> Iterator[str]:
    """Paths that the rule takes, of several kinds where its parameters do."""
    url_map = Map()
    texts = [
        [part] if isinstance(part, str) else _texts_for(converters[part.converter], part.arguments, url_map)
        for part in rule.parts
    ]
    if all(texts):
        for number in range(max(map(len, texts), default=0)):
            yield "".join(each[min(number, len(each) - 1)] for each in texts)


def _texts_for(converter_type: type[BaseConverter], arguments: str, url_map: Map) -> list[str]:
    positional, named = parse_converter_args(arguments)
    converter = converter_type(url_map, *positional, **named)
    candidates = (*map(str, getattr(converter, "items", ())), *_SAMPLES)
    taken = (text for text in candidates if _takes(converter, text))
    return list(islice(taken, len(_USUAL_SAMPLES)))


def _takes(converter: BaseConverter, text: str) -> bool:
    if re.fullmatch(converter.regex, text) is None:
        return False
    if not isinstance(converter, NumberConverter):
        return True
    try:
        converter.to_python(text)
    except ValidationError:
        return False
    return True
