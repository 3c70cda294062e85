"""Endpoints as they are named on the command line of `tradewindow cutover`."""

from collections.abc import Iterable, Sequence

from fastapi_app.cutover.inventory.endpoint import Endpoint
from fastapi_app.cutover.store.base import CutoverStore
from fastapi_app.cutover.store.rules import unknown_endpoint
from shared.errors import TradingWindowError
from shared.modes import EndpointMode


class WrongUse(TradingWindowError):
    """What a command can't make anything of."""


class NoSuchMismatch(TradingWindowError):
    """One that never was, or that is no longer kept."""


def check_named(words: Sequence[str] | None, *, every: bool) -> None:
    """Raises WrongUse where endpoints are named beside --all, or neither is given."""
    if every and words:
        raise WrongUse("endpoints and --all: give one of them, not both")
    if not every and not words:
        raise WrongUse("give endpoints, such as GET /api/status, or --all")


def names_of(words: Sequence[str]) -> list[str]:
    """Endpoints as they were typed: a method and its rule may come as two words, since a shell takes them apart."""
    names: list[str] = []
    for word in words:
        is_rule_of_method = names and " " not in names[-1] and word.startswith("/")
        if is_rule_of_method:
            names[-1] += f" {word}"
        else:
            names.append(word)
    # What a shell hands over may be no text, and a store takes nothing else.
    printable = (name.encode(errors="backslashreplace").decode() for name in names)
    return list(dict.fromkeys(" ".join(name.split(maxsplit=1)) for name in printable))


def one_known(store: CutoverStore, words: Sequence[str]) -> Endpoint:
    """The one endpoint that is typed. Raises WrongUse for several, and what the store raises for an unknown one."""
    return _known(store, _only(words))


def one_seen(store: CutoverStore, words: Sequence[str] | None) -> str | None:
    """An endpoint that is known; None where none is typed."""
    return _known(store, _only(words)).name if words else None


def fitting(endpoints: Iterable[Endpoint], mode: str) -> list[str]:
    """Those that have the sides which the mode needs."""
    needed = EndpointMode.model_validate({"mode": mode, "percent": 0.0 if mode == "canary" else None}).needs()
    return [endpoint.name for endpoint in endpoints if needed <= endpoint.sides]


def _only(words: Sequence[str]) -> str:
    name, *others = names_of(words)
    if others:
        raise WrongUse(f"one endpoint at a time: {', '.join([name, *others])} are {1 + len(others)}")
    return name


def _known(store: CutoverStore, name: str) -> Endpoint:
    by_name = {endpoint.name: endpoint for endpoint in store.known_endpoints()}
    if name not in by_name:
        raise unknown_endpoint(by_name, name)
    return by_name[name]
