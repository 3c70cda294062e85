"""The `parity` fixture. pytest finds it by the distribution's entry point."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fastapi_app.cutover.suite.parity import Parities


@pytest.fixture
def parity() -> Iterator["Parities"]:
    """Puts each request to an old and to a new app, and fails where they differ.
    pair = parity(legacy=create_old, native=create_new) takes two factories, of a WSGI app and of an ASGI app.
    pair.request("POST", "/items?a=1", json={"name": "a"}) sends the request to both, compares status, headers and body
    as the cutover does, and answers with legacy's answer. It takes, too: headers=, body=, and accepted=, a list of
    AcceptedDifference. What the two do to the world is compared with parity(..., effects=Recorder()), by which native
    does nothing for real, or with legacy_effects= and native_effects=, which tell what each world holds.

    For tests that aren't async: both run on an event loop of the fixture's. Legacy runs in threads, as under the
    cutover, and native's lifespan lasts as long as the test. A side that takes longer than timeout_seconds=10 for a
    request fails the test.
    """
    from fastapi_app.cutover.suite.parity import Parities  # noqa: PLC0415 - only a suite that uses it pays for the bridge

    with ExitStack() as stack:
        yield Parities(stack)
