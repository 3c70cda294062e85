import pytest

from fastapi_app.cutover.store.memory import MemoryCutoverStore
from tests.fastapi_app.cutover.pairs import asgi, cutover_of, wsgi


def test_another_pair_on_the_same_state_says_what_is_gone(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryCutoverStore()
    cutover_of(asgi(), wsgi(), {"GET /items": "shadow", "GET /others": "legacy"}, store=store)
    assert caplog.messages == []
    cutover_of(asgi(), wsgi(), {"GET /others": "legacy", "GET /new": "legacy"}, store=store)
    assert caplog.messages == [
        "1 endpoint of the state file is gone, for no app here has it (is another pair of apps served on the same "
        "file?): GET /items"
    ]
    caplog.clear()
    cutover_of(None, wsgi(), {f"GET /{number}": "legacy" for number in range(12)}, store=store)
    cutover_of(None, wsgi(), {"GET /0": "legacy"}, store=store)
    assert caplog.messages[1].startswith("11 endpoints of the state file are gone, for no app here has them ")
    assert caplog.messages[1].endswith(
        ": GET /1, GET /10, GET /11, GET /2, GET /3, GET /4, GET /5, GET /6, GET /7, GET /8 and 1 more"
    )


def test_a_start_without_native_says_which_modes_need_it(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryCutoverStore()
    cutover_of(asgi(), wsgi(), {"GET /a": "shadow", "GET /b": "native", "GET /c": "legacy"}, store=store)
    misfits = (
        "2 endpoints are in a mode that needs a side which no app has here; the side that is there answers, and "
        "nothing is compared: GET /a (shadow), GET /b (native)"
    )
    for told in (
        ["3 endpoints have other sides than at the last start: GET /a, GET /b, GET /c", misfits],
        [misfits],
    ):
        caplog.clear()
        cutover_of(None, wsgi(), {}, store=store, legacy_alone=[("GET", "/a"), ("GET", "/b"), ("GET", "/c")])
        assert caplog.messages == told
