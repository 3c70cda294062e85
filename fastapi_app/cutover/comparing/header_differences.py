"""Where two answers' headers differ, for a client."""

from collections.abc import Callable, Iterator, Sequence
from email.message import Message
from typing import Any

from fastapi_app.cutover.comparing.instants import same_but_for_when_signed, same_date
from fastapi_app.cutover.comparing.json_differences import only_candidate, only_primary
from fastapi_app.cutover.comparing.observation import Difference
from fastapi_app.cutover.comparing.paths import under_key

UNCOMPARED_HEADERS = frozenset(
    {
        *("connection", "date", "keep-alive", "proxy-connection", "server", "trailer", "transfer-encoding", "upgrade"),
        *("age", "alt-svc", "via", "x-cache"),
        *("server-timing", "x-cutover-side", "x-request-id"),
        "content-length",
    }
)
"""Those of servers and connections; of proxies; those that differ from one request to the next by their nature, or name
the side. Content-Length follows from the body, which two sides may write differently, also that of a GET which a HEAD
leaves out; where it contradicts the body, `length_difference` says so. All others are compared."""

PATH = "headers"

MAX_PARSED_CHARACTERS = 1_000
"""A Content-Type that is longer is compared as it is: to parse it takes time by the square of its length."""

Headers = Sequence[tuple[str, str]]


def header_differences(primary: Headers, candidate: Headers, *, have_content: bool = True) -> Iterator[Difference]:
    """In the order of the primary. Where neither answer can have content (204, 304), its Content-Type isn't compared:
    each framework sends a default of its own. Of equal meaning are

    - Content-Type: other case, and a charset of UTF-8 on JSON, which has no other (RFC 8259, 8.1);
    - Allow, Vary, Cache-Control and the lists of CORS: another order;
    - Set-Cookie: another order of cookies with different names, or of one's attributes, an Expires beside the Max-Age
      that overrules it (RFC 6265, 5.3), and a value that says when it was signed, at another instant;
    - Expires, also a cookie's: a minute earlier or later, for it is counted from now;
    - any other header: lines of its own instead of commas.
    """
    if primary == candidate:
        return
    ours, theirs = _by_name(primary), _by_name(candidate)
    if ours == theirs:
        return
    if not have_content:
        ours.pop("content-type", None)
        theirs.pop("content-type", None)
    for name in ours | theirs:
        if ours.get(name) != theirs.get(name):
            if name == "set-cookie":
                yield from _by_cookie(ours.get(name, []), theirs.get(name, []))
            else:
                yield from _difference(name, ours.get(name), theirs.get(name))


def media_type(headers: Headers) -> str:
    """That of the Content-Type, in lower case and without parameters; empty without one."""
    for name, value in headers:
        if name == "content-type":
            return value.partition(";")[0].strip().lower()
    return ""


def is_json(media: str) -> bool:
    return media == "application/json" or media.endswith("+json")


def _by_name(headers: Headers) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    for name, value in headers:
        if name not in UNCOMPARED_HEADERS:
            values.setdefault(name, []).append(value)
    return values


def _difference(name: str, ours: list[str] | None, theirs: list[str] | None) -> Iterator[Difference]:
    path = under_key(PATH, name)
    if ours is None:
        yield only_candidate(path, ", ".join(theirs or ()))
    elif theirs is None:
        yield only_primary(path, ", ".join(ours))
    else:
        our_text, their_text = ", ".join(ours), ", ".join(theirs)
        meaning = _MEANINGS.get(name, str)
        is_same = same_date(our_text, their_text) if name == "expires" else meaning(our_text) == meaning(their_text)
        if not is_same:
            yield Difference(path=path, primary=our_text, candidate=their_text)


def _by_cookie(ours: list[str], theirs: list[str]) -> Iterator[Difference]:
    our_cookies, their_cookies = _cookies(ours), _cookies(theirs)
    for name in our_cookies | their_cookies:
        path = under_key(f"{PATH}.set-cookie", name)
        ours, theirs = our_cookies.get(name, []), their_cookies.get(name, [])
        # Of one name in their order: the last wins.
        if len(ours) != len(theirs) or not all(map(_same_cookie, ours, theirs)):
            yield from _difference_of_cookie(path, ", ".join(ours), ", ".join(theirs))


def _difference_of_cookie(path: str, ours: str, theirs: str) -> Iterator[Difference]:
    if not ours:
        yield only_candidate(path, theirs)
    elif not theirs:
        yield only_primary(path, ours)
    else:
        yield Difference(path=path, primary=ours, candidate=theirs)


def _cookies(lines: list[str]) -> dict[str, list[str]]:
    cookies: dict[str, list[str]] = {}
    for line in lines:
        cookies.setdefault(line.partition(";")[0].partition("=")[0].strip(), []).append(line)
    return cookies


def _same_cookie(ours: str, theirs: str) -> bool:
    (our_pair, our_attributes), (their_pair, their_attributes) = _cookie(ours), _cookie(theirs)
    # Whether there is one counts: without it a cookie goes with the session.
    if our_attributes.keys() != their_attributes.keys():
        return False
    if not same_date(our_attributes.pop("expires", None), their_attributes.pop("expires", None)):
        return False
    if our_attributes != their_attributes:
        return False
    return our_pair == their_pair or same_but_for_when_signed(our_pair, their_pair)


def _cookie(line: str) -> tuple[str, dict[str, str]]:
    pair, *parts = line.split(";")
    attributes: dict[str, str] = {}
    for part in parts:
        name, _, value = part.strip().partition("=")
        attributes[name.lower()] = value if name.lower() == "path" else value.lower()
    if "max-age" in attributes:
        attributes.pop("expires", None)
    return pair.strip(), attributes


def _content_type(text: str) -> Any:
    if len(text) > MAX_PARSED_CHARACTERS:
        return text
    message = Message()
    message["content-type"] = text
    parameters = {name.lower(): str(value) for name, value in message.get_params([])[1:]}
    if "charset" in parameters:
        parameters["charset"] = parameters["charset"].lower()
    media = text.partition(";")[0].strip().lower()
    if is_json(media) and parameters.get("charset") == "utf-8":
        del parameters["charset"]
    return media, parameters


def _set_of_methods(text: str) -> frozenset[str]:
    return frozenset(item.strip() for item in text.split(","))


def _set_of_names(text: str) -> frozenset[str]:
    return _set_of_methods(text.lower())


_MEANINGS: dict[str, Callable[[str], Any]] = {
    "content-type": _content_type,
    "allow": _set_of_methods,
    "vary": _set_of_names,
    "cache-control": _set_of_names,
    "access-control-allow-headers": _set_of_names,
    "access-control-allow-methods": _set_of_methods,
    "access-control-expose-headers": _set_of_names,
}
