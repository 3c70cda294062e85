import asyncio
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastapi_app.cutover.dispatch import Cutover
from fastapi_app.cutover.endpoints import Endpoint
from shared.settings import Mode


def endpoint(method: str, rule: str, mode: Mode) -> Endpoint:
    return Endpoint(method=method, rule=rule, legacy=True, native=True, mode=mode)


def answering(text: str, seen: list[Scope]) -> ASGIApp:
    """Notes the scope, and answers 200 with two chunks and a header of its own."""

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        seen.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"12")]})
        await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": text.encode()})

    return app


class Asked:
    """A cutover with two stub sides; `ask` gives the side, what the side saw, and what the client got."""

    def __init__(self, *endpoints: Endpoint) -> None:
        self.seen: dict[str, list[Scope]] = {"native": [], "legacy": []}
        self.cutover = Cutover(
            answering("native", self.seen["native"]), answering("legacy", self.seen["legacy"]), endpoints=endpoints
        )

    def ask(self, method: str, path: str) -> list[Message]:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request"}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "state": {"ports": "of the request"}}
        asyncio.run(self.cutover(scope, receive, send))
        return sent


@pytest.fixture
def asked() -> Asked:
    return Asked(
        endpoint("GET", "/items", "native"), endpoint("POST", "/items", "legacy"), endpoint("GET", "/old", "legacy")
    )


@pytest.mark.parametrize(
    ("method", "path", "side"),
    [
        ("GET", "/items", "native"),
        ("HEAD", "/items", "native"),
        ("POST", "/items", "legacy"),
        ("GET", "/old", "legacy"),
        ("HEAD", "/old", "legacy"),
        # what no native endpoint claims
        ("OPTIONS", "/items", "legacy"),
        ("DELETE", "/items", "legacy"),
        ("get", "/items", "legacy"),
        ("GET", "/items/", "legacy"),
        ("GET", "//items", "legacy"),
        ("GET", "/Items", "legacy"),
        ("GET", "/item", "legacy"),
        ("GET", "/items/1", "legacy"),
        ("GET", "", "legacy"),
        ("HEAD", "/nowhere", "legacy"),
    ],
)
def test_an_endpoint_goes_to_its_side_and_the_header_names_it(asked: Asked, method: str, path: str, side: str) -> None:
    start = asked.ask(method, path)[0]
    assert start["headers"] == [(b"content-length", b"12"), (b"x-cutover-side", side.encode())]
    assert {name: len(scopes) for name, scopes in asked.seen.items()} == {"native": 0, "legacy": 0, side: 1}


def test_chunks_pass_as_they_come(asked: Asked) -> None:
    assert [message.get("body") for message in asked.ask("GET", "/items")[1:]] == [b"native", b"native"]
    assert [message.get("body") for message in asked.ask("GET", "/old")[1:]] == [b"legacy", b"legacy"]


def test_head_is_asked_as_get_and_answered_without_body_at_the_same_length(asked: Asked) -> None:
    start, *rest = asked.ask("HEAD", "/items")
    (scope,) = asked.seen["native"]
    assert scope["method"] == "GET"
    assert scope["state"] == {"ports": "of the request"}
    assert (b"content-length", b"12") in start["headers"]
    assert [(message["body"], message.get("more_body", False)) for message in rest] == [(b"", True), (b"", False)]


def test_legacy_answers_head_itself(asked: Asked) -> None:
    asked.ask("HEAD", "/old")
    (scope,) = asked.seen["legacy"]
    assert scope["method"] == "HEAD"


def test_a_head_endpoint_of_its_own_is_not_asked_as_get() -> None:
    asked = Asked(endpoint("HEAD", "/items", "native"), endpoint("GET", "/items", "native"))
    asked.ask("HEAD", "/items")
    (scope,) = asked.seen["native"]
    assert scope["method"] == "HEAD"


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
def test_other_scopes_are_the_native_app_s_untouched(kind: str) -> None:
    calls: list[tuple[Any, ...]] = []

    async def native(*arguments: Any) -> None:
        calls.append(arguments)

    async def legacy(*_arguments: Any) -> None:
        raise AssertionError

    async def receive() -> Message:
        return {}

    async def send(_message: Message) -> None:
        pass

    scope = {"type": kind, "path": "/items"}
    asyncio.run(Cutover(native, legacy, endpoints=[])(scope, receive, send))
    assert calls == [(scope, receive, send)]


def test_a_side_that_fails_before_its_answer_fails_the_request() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("broken")

    async def receive() -> Message:
        return {}

    async def send(_message: Message) -> None:
        raise AssertionError

    cutover = Cutover(broken, broken, endpoints=[endpoint("GET", "/items", "native")])
    for path in ("/items", "/old"):
        with pytest.raises(RuntimeError, match="broken"):
            asyncio.run(cutover({"type": "http", "method": "GET", "path": path}, receive, send))


def test_the_endpoints_can_be_read() -> None:
    endpoints = [endpoint("GET", "/items", "native"), endpoint("GET", "/old", "legacy")]
    assert Asked(*endpoints).cutover.endpoints == tuple(endpoints)


@pytest.mark.parametrize(
    ("path", "side"),
    [
        ("/orders/7", "native"),
        ("/orders/", "legacy"),
        ("/orders/7/fills", "legacy"),
        ("/files/a/b.txt", "native"),
        ("/days/12", "native"),
        ("/days/x", "legacy"),
    ],
)
def test_a_rule_with_parameters_claims_the_paths_that_it_describes(path: str, side: str) -> None:
    rules = ("/orders/<order_id>", "/files/<path:name>", "/days/<int:day>")
    asked = Asked(*(endpoint("GET", rule, "native") for rule in rules))

    start, *_ = asked.ask("GET", path)

    assert (b"x-cutover-side", side.encode()) in start["headers"]
