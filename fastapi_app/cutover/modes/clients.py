"""Which of a canary's two sides a client gets: the same one each time, in every process, after every restart."""

from collections.abc import Sequence
from hashlib import blake2b

from starlette.types import Scope

_SHARES = 10_000


def client_key(scope: Scope, headers: Sequence[bytes]) -> bytes:
    """What tells clients apart: the first of the named headers that the request has, else its address."""
    given = dict(scope["headers"])
    for name in headers:
        if value := given.get(name):
            return name + b":" + bytes(value)
    client = scope.get("client")
    return b"address:" + (client[0].encode() if client else b"")


def is_in_canary(key: bytes, percent: float) -> bool:
    """A client that is in at some percent is in at every higher one. Endpoints make no difference, so that what a
    client does in several steps stays on one side."""
    share = int.from_bytes(blake2b(key, digest_size=8).digest()) % _SHARES
    return share < percent * _SHARES / 100
