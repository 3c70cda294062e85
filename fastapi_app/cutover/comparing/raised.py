"""What a side raised, in words."""

import sysconfig
from pathlib import Path
from traceback import walk_tb

_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
_NOT_THE_APP = (*_LIBRARIES, str(Path(__file__).parents[1]))
"""Python's own code, installed packages, and the cutover, which calls the app."""


def named(error: BaseException) -> str:
    """Such as `KeyError: 'price'`."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception as exc:
        # An app's own class may have no words for itself.
        return f"{type(error).__name__}, whose message raises {type(exc).__name__}"


def place_of(error: BaseException) -> str:
    """The type and where it was raised, such as `KeyError in quote (prices.py:31)`: as deep in the app's own code as
    the traceback goes, or else in a library's. No message, which may hold a secret."""
    name = type(error).__name__
    places = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)]
    if not places:
        return name
    own = [(code, line) for code, line in places if not code.co_filename.startswith(_NOT_THE_APP)]
    code, line = (own or places)[-1]
    return f"{name} in {code.co_name} ({Path(code.co_filename).name}:{line})"
