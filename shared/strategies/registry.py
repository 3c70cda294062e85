"""Which strategies there are: those that an installed distribution names in the entry points of `GROUP`."""

import logging
from collections.abc import Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic_core import to_jsonable_python

from shared.errors import BrokenStrategy, UnknownStrategy
from shared.strategies.base import Strategy

GROUP = "trading_window.strategies"

_log = logging.getLogger(__name__)

AnyStrategy = Strategy[Any]


class StrategyRegistry:
    """The strategies by name. A class is imported when it is first asked for; one that fails is tried anew each time.

    Without `found` it reads the installed distributions, once; a plug-in that is installed later needs a restart.
    """

    def __init__(self, found: Iterable[EntryPoint] | None = None) -> None:
        self._found: dict[str, dict[str, EntryPoint]] = {}
        for point in entry_points(group=GROUP) if found is None else found:
            self._found.setdefault(point.name, {})[point.value] = point
        self._loaded: dict[str, type[AnyStrategy]] = {}

    def names(self) -> tuple[str, ...]:
        """In order; also of those that can't be used."""
        return tuple(sorted(self._found))

    def get(self, name: str) -> type[AnyStrategy]:
        """Raises UnknownStrategy, and BrokenStrategy for one whose plug-in fails."""
        if name not in self._found:
            raise UnknownStrategy(name, self.names())
        if name not in self._loaded:
            self._loaded[name] = _load(name, list(self._found[name].values()))
        return self._loaded[name]

    def make(self, name: str, parameters: Mapping[str, Any]) -> AnyStrategy:
        """A new one with these parameters. Raises as `get`, and InvalidField for a parameter."""
        return self.get(name).of(parameters)

    def listed(self) -> list[dict[str, Any]]:
        """Name and parameters, each with its default and its rule, of all that can be used, as JSON values.

        Those that can't be used are left out and logged.
        """
        usable = []
        for name in self.names():
            try:
                found = self.get(name)
            except BrokenStrategy:
                _log.exception("a strategy is left out")
            else:
                usable.append({"name": name, "parameters": _parameters(found)})
        return usable


def _load(name: str, points: list[EntryPoint]) -> type[AnyStrategy]:
    if len(points) > 1:
        claimants = " and ".join(sorted(_shown(point) for point in points))
        raise BrokenStrategy(name, f"its name is taken more than once, by {claimants}")
    (point,) = points
    try:
        loaded = point.load()
    except (Exception, SystemExit) as exc:  # whatever a stranger's module does on import
        raise BrokenStrategy(name, f"{_shown(point)} fails with {type(exc).__name__}: {exc}") from exc
    if not (isinstance(loaded, type) and issubclass(loaded, Strategy)):
        raise BrokenStrategy(name, f"{_shown(point)} is not a subclass of {Strategy.__module__}.Strategy")
    if missing := sorted(loaded.__abstractmethods__):
        raise BrokenStrategy(name, f"{_shown(point)} doesn't have {', '.join(missing)}")
    if (own := getattr(loaded, "name", None)) != name:
        raise BrokenStrategy(name, f"{_shown(point)} calls itself {own!r}")
    if not hasattr(loaded, "parameters_class"):
        raise BrokenStrategy(name, f"{_shown(point)} doesn't have parameters_class")
    return loaded


def _shown(point: EntryPoint) -> str:
    return f"{point.value} of {point.dist.name}" if point.dist else point.value


def _json(value: Any) -> Any:
    return to_jsonable_python(value, fallback=str)


def _parameters(found: type[AnyStrategy]) -> dict[str, Any]:
    return {
        name: {
            "default": None if field.is_required() else _json(field.get_default(call_default_factory=True)),
            "rule": field.description,
        }
        for name, field in found.parameters_class.model_fields.items()
    }
