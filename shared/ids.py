"""The port for identity."""

import itertools
from collections import defaultdict
from typing import Protocol

import uuid_utils


class Ids(Protocol):
    def new(self, kind: str) -> str:
        """An id that no other call is given; ids of one kind are drawn in time order."""
        ...


class SystemIds:
    """UUIDs of version 7 (RFC 9562): unique without coordination, and sorted by time, which keeps indexes cheap."""

    def new(self, kind: str) -> str:  # noqa: ARG002 - a UUID is the same for every kind
        return str(uuid_utils.uuid7())


class FrozenIds:
    """Ids that a test can write down: `trade-1`, `trade-2`, counted per kind."""

    def __init__(self) -> None:
        self._counts: defaultdict[str, itertools.count[int]] = defaultdict(lambda: itertools.count(1))

    def new(self, kind: str) -> str:
        return f"{kind}-{next(self._counts[kind])}"
