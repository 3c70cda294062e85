"""Apps, and what belongs to a pair of them, by the names that people know from uvicorn and gunicorn: `module:app`,
`module:make_app()`. Found in the working directory or what is installed."""

import ast
import importlib
import inspect
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, Literal, NamedTuple, TypeVar, cast

from fastapi_app.cutover.comparing.accepted import AcceptedDifference
from fastapi_app.cutover.effects import Effects
from shared.errors import SettingsError

Kind = Literal["ASGI", "WSGI"]
T = TypeVar("T")

_OWN_PACKAGES = frozenset({"fastapi_app", "legacy_flask", "shared"})

_KINDS: dict[str, str] = {"ASGI": "an ASGI app", "WSGI": "a WSGI app"}
_EFFECTS_METHODS = {"record": "async def record(self, scope)", "from_json": "def from_json(self, recording)"}


class Named(NamedTuple, Generic[T]):
    """What a name leads to."""

    value: T
    spelled: str
    """The name with each call that was made for it, as Python needs it: `module:make_app()`."""


def load_app(name: str, *, kind: Kind, option: str) -> Named[Any]:
    """The app that is named. What is no app itself and takes no arguments is called, and makes it.

    Raises SettingsError, with the option first, for a name that doesn't lead to an app of this kind, and for what the
    app's own code raises, sys.exit() included, whose traceback it shows from that code on.
    """
    with _showing_what_it_raises(name, option):
        found = _found(name, option, form="module:app or module:make_app()")
        taken = _takes(found.value)
        if taken not in (kind, "anything"):
            what = _KINDS.get(taken, f"no app ({type(found.value).__name__})")
            raise SettingsError(f"{option}: {name} is {what}, and {_KINDS[kind]} is needed")
        return found


def load_accepted(name: str, *, option: str) -> Named[Sequence[AcceptedDifference]]:
    """The list or tuple that is named, or what is called and makes one. Raises SettingsError as for an app."""
    with _showing_what_it_raises(name, option):
        found = _found(name, option, form="module:name or module:make()")
        if not isinstance(found.value, list | tuple):
            what = type(found.value).__name__
            raise SettingsError(
                f"{option}: {name} is no list or tuple ({what}), and one of AcceptedDifference is needed"
            )
        for index, rule in enumerate(found.value):
            if not isinstance(rule, AcceptedDifference):
                what = type(rule).__name__
                raise SettingsError(f"{option}: {name}[{index}] is no AcceptedDifference ({what}), and one is needed")
        return found


def load_effects(name: str, *, option: str) -> Named[Effects]:
    """The object that is named, or what the class or the factory that is named makes without arguments. Raises
    SettingsError as for an app."""
    with _showing_what_it_raises(name, option):
        found = _found(name, option, form="module:name or module:make()")
        if isinstance(found.value, type):
            # One that inherits from the protocol seems to take any arguments.
            found = Named(found.value(), f"{found.spelled}()")
        for method, needed in _EFFECTS_METHODS.items():
            if not _can(found.value, method):
                what = type(found.value).__name__
                raise SettingsError(f"{option}: {name} records no effects ({what}): it needs {needed}")
        return cast(Named[Effects], found)


def _can(found: Any, method: str) -> bool:
    bound = getattr(found, method, None)
    is_async = inspect.iscoroutinefunction(bound)
    return callable(bound) and _binds(inspect.signature(bound), 1) and is_async is (method == "record")


@contextmanager
def _showing_what_it_raises(name: str, option: str) -> Iterator[None]:
    try:
        yield
    except SettingsError:
        raise
    except (Exception, SystemExit) as exc:
        raise SettingsError(f"{option}: this came out of {name} as it was loaded:\n{_shown(exc)}") from exc


def _found(name: str, option: str, *, form: str) -> Named[Any]:
    """What the name leads to; called where it says so, and where that takes no arguments."""
    module_name, _, expression = name.partition(":")
    attribute, arguments = _read(expression)
    if attribute is None or not _is_dotted(module_name):
        raise SettingsError(f"{option}: {name!r} is not of the form {form}")
    found: Any = _module(module_name, option)
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise SettingsError(f"{option}: the module {module_name} has no {attribute}")
        found = getattr(found, part)
    if arguments is not None and not callable(found):
        raise SettingsError(f"{option}: {module_name}:{attribute} can't be called: {type(found).__name__}")
    if arguments is None and _takes(found) != "nothing":
        return Named(found, f"{module_name}:{attribute}")
    if inspect.iscoroutinefunction(found):
        raise SettingsError(f"{option}: {module_name}:{attribute} is an async factory, which can't be called here")
    given = arguments or []
    return Named(found(*given), f"{module_name}:{attribute}({', '.join(map(repr, given))})")


def _shown(exc: BaseException) -> str:
    """Its traceback, without the frames that lead from here to the app's own code."""
    frames = exc.__traceback__
    while frames is not None and _leads_there(frames.tb_frame.f_code.co_filename):
        frames = frames.tb_next
    return "".join(traceback.format_exception(exc.with_traceback(frames))).rstrip()


def _leads_there(file: str) -> bool:
    return file in (__file__, importlib.__file__) or file.startswith("<frozen importlib.")


def _read(expression: str) -> tuple[str | None, list[Any] | None]:
    """The dotted name, and what it is called with; None for what is neither a name nor a call with plain values."""
    try:
        tree = ast.parse(expression, mode="eval").body
        if not isinstance(tree, ast.Call):
            name, arguments = ast.unparse(tree), None
        else:
            name, arguments = ast.unparse(tree.func), [ast.literal_eval(argument) for argument in tree.args]
    except (SyntaxError, ValueError):
        return None, None
    has_keywords = isinstance(tree, ast.Call) and tree.keywords
    return (name, arguments) if _is_dotted(name) and not has_keywords else (None, None)


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def _module(name: str, option: str) -> ModuleType:
    # The working directory is where modules are looked for first.
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        _refuse_a_name_of_ours(exc, option)
        if not isinstance(exc, ModuleNotFoundError):
            raise
        # One that the app itself looks for is the app's own trouble, and its traceback says where.
        if exc.name is None or not f"{name}.".startswith(f"{exc.name}."):
            raise
        raise SettingsError(f"{option}: no module {exc.name!r} in {folder} or among what is installed") from None


def _refuse_a_name_of_ours(error: ImportError, option: str) -> None:
    """One process has one package of a name, and the one here is in use."""
    package = (error.name or "").partition(".")[0]
    theirs = Path.cwd() / package
    if package not in _OWN_PACKAGES or not (theirs.is_dir() or theirs.with_suffix(".py").exists()):
        return
    ours = getattr(sys.modules.get(package), "__file__", None)
    if ours is not None and Path(ours).parent != theirs:
        raise SettingsError(
            f"{option}: {error.name} can't be imported: {package!r} in {theirs.parent} has the name of a package of "
            "Trading Window's own, and one process can't have two"
        ) from error


def _takes(found: Any) -> str:
    """The kind of app by its parameters; `nothing` for what is to be called first, `anything` for what doesn't tell."""
    if not callable(found):
        return "no request"
    is_async = inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(type(found).__call__)
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return "anything"
    if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in signature.parameters.values()):
        return "ASGI" if is_async else "anything"
    taken = [count for count in ((3, 0) if is_async else (0, 2, 3)) if _binds(signature, count)]
    return {0: "nothing", 2: "WSGI", 3: "ASGI"}[taken[0]] if taken else "no request"


def _binds(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*[None] * count)
    except TypeError:
        return False
    return True
