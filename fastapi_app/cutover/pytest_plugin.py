"""The `parity` fixture. pytest finds it by the distribution's entry point."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fastapi_app.cutover.suite.parity import Parities


@pytest.fixture
def parity() -> Iterator["Parities"]:
    """Puts requests to an old and to a new app, and fails where they differ.

    `parity(legacy=..., native=...)` takes two factories, of a WSGI app and of an ASGI app, and gives a pair; its
    `request(method, target, ...)` sends the request to both, compares status, headers and body as the cutover does, and
    answers with legacy's answer.
    """
    from fastapi_app.cutover.suite.parity import Parities  # noqa: PLC0415 - only a suite that uses it pays for the bridge

    with ExitStack() as stack:
        yield Parities(stack)
