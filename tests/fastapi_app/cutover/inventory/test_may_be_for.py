"""Which endpoints a request may be one to, by their names alone."""

import pytest

from fastapi_app.cutover.inventory.endpoint import may_be_for


@pytest.mark.parametrize(
    ("endpoint", "request_"),
    [
        ("GET /items/<int:n>", "GET /items/7"),
        ("GET /items/<int(signed=True):n>", "GET /items/-7"),
        ("GET /items/<int:n>", "HEAD /items/7"),
        ("HEAD /x", "HEAD /x"),
        ("GET /items/<name>", "GET /items/a b.å"),
        ("GET /v<float:n>/<uuid:u>", "GET /v1.5/00000000-0000-4000-8000-000000000000"),
        ("GET /files/<path:rest>", "GET /files/a/b\n"),
        ("GET /<any(a, b):kind>/x", "GET /a/x"),
        ("GET /<own:a>", "GET /a/b"),
        ("GET /a.b", "GET /a.b"),
    ],
)
def test_it_may(endpoint: str, request_: str) -> None:
    assert may_be_for(endpoint, *request_.split(" ", 1))


@pytest.mark.parametrize(
    ("endpoint", "request_"),
    [
        ("GET /items/<int:n>", "GET /items/x"),
        ("GET /items/<int:n>", "GET /items/7/x"),
        ("GET /items/<name>", "GET /items/"),
        ("GET /items/<name>", "GET /items/a/b"),
        ("POST /items", "GET /items"),
        ("HEAD /x", "GET /x"),
        ("POST /x", "HEAD /x"),
        ("GET /a.b", "GET /axb"),
        ("GET /a", "GET /a/"),
    ],
)
def test_it_can_t(endpoint: str, request_: str) -> None:
    assert not may_be_for(endpoint, *request_.split(" ", 1))
