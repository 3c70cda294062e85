"""A cache for what is made of values that can't be hashed, such as a window config, which holds tables."""

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")

_KEPT = 1024


def cached_by_identity(make: Callable[[Given], Made]) -> Callable[[Given], Made]:
    """Makes a function of one frozen object remember its last 1024 answers, by the object itself and not by its value.

    What is remembered keeps its object alive, so that no other can have its identity. For several threads at once; two
    that ask first at the same time may both work the answer out, and get the same one.
    """
    known: dict[int, tuple[Given, Made]] = {}
    changing = Lock()

    def remembered(given: Given) -> Made:
        try:
            return known[id(given)][1]
        except KeyError:
            made = make(given)
        with changing:
            entry = known.setdefault(id(given), (given, made))
            if len(known) > _KEPT:
                del known[next(iter(known))]
        return entry[1]

    return remembered
