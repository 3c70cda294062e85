"""What is named where an endpoint isn't known."""

import pytest

from fastapi_app.cutover.store.rules import unknown_endpoint

KNOWN = [
    "GET /<path:rest>",
    "GET /items",
    "GET /items/<int:item_id>",
    "GET /items/<name>",
    "POST /items/<int:item_id>",
]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("GET /items/1", "the nearest are GET /items/<int:item_id>, GET /items/<name>, GET /<path:rest>"),
        ("GET /items/x", "the nearest are GET /items/<name>, GET /<path:rest>, GET /items"),
        ("POST /items/1", "the nearest are POST /items/<int:item_id>"),
        ("PUT /items/1", "the nearest are GET /items"),
        ("HEAD /items/x", "HEAD goes with GET /items/<name>, GET /<path:rest>"),
        ("GET nothing", "`tradewindow cutover list` shows all"),
    ],
)
def test_first_comes_what_such_a_request_may_be_for(name: str, hint: str) -> None:
    assert str(unknown_endpoint(KNOWN, name)).startswith(f"{name!r} is not an endpoint: {hint}")
