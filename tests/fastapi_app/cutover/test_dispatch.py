import random
from datetime import date
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Message, Receive, Scope, Send

from fastapi_app.cutover.comparing.accepted import AcceptedDifference
from fastapi_app.cutover.dispatch import Cutover
from fastapi_app.cutover.inventory.endpoints import take_inventory
from fastapi_app.cutover.store.memory import MemoryCutoverStore
from shared.errors import SettingsError
from shared.modes import EndpointMode, Mode, Side
from shared.settings import CutoverSettings
from tests.fastapi_app.cutover.pairs import asgi, ask, counts_of, cutover_of, wsgi

NATIVE, LEGACY = b'{"from":"native"}', b'{"from":"legacy"}'


def cutover() -> Cutover:
    return cutover_of(
        asgi(NATIVE),
        wsgi(LEGACY),
        {
            "GET /items": "native",
            "POST /items": "legacy",
            "GET /orders/<order_id>": "native",
            "GET /days/<int:day>": "native",
        },
        legacy_alone=[("GET", "/old"), ("GET", "/orders/special")],
    )


@pytest.mark.parametrize(
    ("method", "path", "side"),
    [
        ("GET", "/items", "native"),
        ("HEAD", "/items", "native"),
        ("POST", "/items", "legacy"),
        ("GET", "/old", "legacy"),
        ("HEAD", "/old", "legacy"),
        ("GET", "/orders/7", "native"),
        ("GET", "/orders/special", "legacy"),
        ("GET", "/days/12", "native"),
        # what no native endpoint claims
        ("GET", "/days/x", "legacy"),
        ("GET", "/orders/7/fills", "legacy"),
        ("OPTIONS", "/items", "legacy"),
        ("DELETE", "/items", "legacy"),
        ("get", "/items", "legacy"),
        ("GET", "/items/", "legacy"),
        ("GET", "/Items", "legacy"),
        ("GET", "/item", "legacy"),
        ("GET", "/items/1", "legacy"),
        ("HEAD", "/nowhere", "legacy"),
        # nobody asked for the cutover's own API
        ("GET", "/cutover/health", "legacy"),
    ],
)
async def test_an_endpoint_goes_to_its_side_and_the_header_names_it(method: str, path: str, side: str) -> None:
    asked = await ask(cutover(), method, path)
    body = NATIVE if side == "native" else LEGACY
    assert (asked.status, asked.side) == (200, side)
    assert asked.body == (b"" if method == "HEAD" else body)
    assert asked.headers["content-length"] == str(len(body))


async def test_head_is_asked_of_native_as_get() -> None:
    seen: list[Scope] = []
    app = cutover_of(asgi(NATIVE, seen=seen), wsgi(LEGACY), {"GET /items": "native"})
    await ask(app, "HEAD", "/items", state={"ports": "of the request"})
    (scope,) = seen
    assert (scope["method"], scope["state"]) == ("GET", {"ports": "of the request"})


async def test_a_head_endpoint_of_its_own_is_asked_as_head() -> None:
    seen: list[Scope] = []
    app = cutover_of(asgi(NATIVE, seen=seen), wsgi(LEGACY), {"HEAD /only": "native"})
    await ask(app, "HEAD", "/only")
    assert [scope["method"] for scope in seen] == ["HEAD"]


async def test_a_slash_redirect_of_legacy_s_stays_legacy_s() -> None:
    native, legacy = asgi(NATIVE), wsgi(LEGACY)
    inventory = take_inventory(native, legacy, native_routes=[("GET", "/x")], legacy_routes=[("GET", "/x/")])
    app = Cutover(native, legacy, inventory=inventory)
    assert (await ask(app, "GET", "/x")).side == "legacy"


@pytest.mark.parametrize(
    ("method", "path", "side"),
    [
        ("DELETE", "/new", "native"),
        ("OPTIONS", "/new", "native"),
        ("HEAD", "/new/7", "native"),
        ("GET", "/own", "native"),
        ("GET", "/own/x", "native"),
        ("GET", "/owner", "legacy"),
        ("GET", "/new/", "legacy"),
        ("DELETE", "/old", "legacy"),
    ],
)
async def test_what_native_s_rules_alone_take_is_native_s_to_refuse(method: str, path: str, side: str) -> None:
    native, legacy = asgi(NATIVE, status=405), wsgi(LEGACY)
    own = take_inventory(
        native, legacy, native_routes=[("GET", "/new"), ("POST", "/new/{x}")], legacy_routes=[("GET", "/old")]
    )
    app = Cutover(native, legacy, inventory=own, native_paths=["/own"])
    assert (await ask(app, method, path)).side == side
    alone = Cutover(None, legacy, inventory=own, native_paths=["/own"])
    assert (await ask(alone, method, path)).side == "legacy"


async def test_without_a_legacy_app_native_answers_what_nobody_claims() -> None:
    app = cutover_of(asgi(NATIVE), None, {"GET /items": "native"})
    assert (await ask(app, "GET", "/nowhere")).side == "native"


async def test_without_a_native_app_legacy_answers_everything() -> None:
    app = cutover_of(None, wsgi(LEGACY), {"GET /items": "legacy"})
    assert [(await ask(app, "GET", path)).side for path in ("/items", "/nowhere")] == ["legacy", "legacy"]


def test_a_cutover_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="a native app, a legacy app, or both"):
        Cutover(None, None)


@pytest.mark.parametrize(
    ("name", "mode", "sentence"),
    [
        ("GET /nowhere", "native", "cutover.modes: 'GET /nowhere' is not an endpoint: the nearest are GET /"),
        ("GET /old", "shadow", "cutover.modes: 'GET /old' can't be 'shadow': it has no native side"),
    ],
)
def test_an_initial_mode_that_can_not_be_is_refused(name: str, mode: Any, sentence: str) -> None:
    inventory = cutover_of(asgi(), wsgi(), {"GET /items": "native"}, legacy_alone=[("GET", "/old")]).inventory
    with pytest.raises(SettingsError, match="^" + sentence.replace("?", r"\?")):
        Cutover(asgi(), wsgi(), inventory=inventory, initial_modes={name: EndpointMode(mode=mode)})


@pytest.mark.parametrize("key", ["pure", "costly"])
def test_a_setting_about_an_endpoint_that_there_is_not_is_refused(key: str) -> None:
    settings = CutoverSettings.model_validate({key: ["GET /items", "GET /itmes"]})
    with pytest.raises(
        SettingsError, match=f"^cutover.{key}: 'GET /itmes' is not an endpoint: the nearest are GET /items$"
    ):
        cutover_of(asgi(), wsgi(), {"GET /items": "shadow"}, settings=settings)


def rule(endpoint: str) -> AcceptedDifference:
    return AcceptedDifference(
        name="newer", endpoint=endpoint, path="body.a", reason="counts differ on purpose", expires=date(2999, 1, 1)
    )


@pytest.mark.parametrize(
    ("endpoint", "hint"),
    [
        ("GET /itmes", "the nearest are GET /items"),
        # A HEAD is its GET's, and rules are named as legacy writes them.
        ("HEAD /items", "HEAD goes with GET /items"),
        ("GET /days/{day:int}", "the nearest are GET /days/<int:day>"),
        ("PUT /x", "`tradewindow cutover list` shows all"),
    ],
)
def test_an_accepted_difference_of_an_endpoint_that_there_is_not_is_refused(endpoint: str, hint: str) -> None:
    accepted = [rule("*"), rule("GET /items"), rule(endpoint)]
    modes: dict[str, Mode | EndpointMode] = {"GET /items": "shadow", "GET /days/<int:day>": "shadow"}
    with pytest.raises(SettingsError) as caught:
        cutover_of(asgi(), wsgi(), modes, accepted=accepted)
    assert str(caught.value) == f"the accepted difference 'newer': '{endpoint}' is not an endpoint: {hint}"


async def test_a_change_is_in_force_at_once_in_the_process_that_makes_it() -> None:
    app = cutover()
    assert (await ask(app, "POST", "/items")).side == "legacy"
    table = await app.change({"POST /items": EndpointMode(mode="native")}, author="ada", reason="proved")
    assert (await ask(app, "POST", "/items")).side == "native"
    assert table == app.store.table()
    assert app.health()["version"] == table.version


async def test_a_canary_sends_a_client_to_the_same_side_each_time() -> None:
    app = cutover_of(asgi(NATIVE), wsgi(LEGACY), {"GET /items": EndpointMode(mode="canary", percent=30, sample_rate=0)})
    sides = {
        client: [(await ask(app, "GET", "/items", headers=[("X-API-Key", client)])).side for _ in range(2)]
        for client in map(str, range(200))
    }
    assert all(first == second for first, second in sides.values())
    # Which clients these are is a promise over processes, restarts and releases; found out once, by hand.
    native = [client for client, (side, _) in sides.items() if side == "native"]
    assert 40 <= len(native) <= 80
    await app.change(
        {"GET /items": EndpointMode(mode="canary", percent=60, sample_rate=0)}, author="ada", reason="more"
    )
    for client in native:
        assert (await ask(app, "GET", "/items", headers=[("X-API-Key", client)])).side == "native"


async def test_a_canary_without_a_key_tells_clients_by_their_address() -> None:
    app = cutover_of(asgi(NATIVE), wsgi(LEGACY), {"GET /items": EndpointMode(mode="canary", percent=50, sample_rate=0)})
    sides = {
        address: {(await ask(app, "GET", "/items", client=address)).side for _ in range(3)}
        for address in (f"10.0.0.{number}" for number in range(40))
    }
    assert all(len(side) == 1 for side in sides.values())
    assert {side for (side,) in sides.values()} == {"legacy", "native"}


@pytest.mark.parametrize(("percent", "side"), [(0, "legacy"), (100, "native")])
async def test_the_ends_of_a_canary(percent: float, side: str) -> None:
    app = cutover_of(asgi(NATIVE), wsgi(LEGACY), {"GET /items": EndpointMode(mode="canary", percent=percent)})
    assert {(await ask(app, "GET", "/items", client=f"10.0.0.{number}")).side for number in range(50)} == {side}


async def test_each_mode_answers_from_its_side() -> None:
    sides: dict[Mode, Side] = {"legacy": "legacy", "shadow": "legacy", "verify": "native", "native": "native"}
    for mode, side in sides.items():
        app = cutover_of(asgi(NATIVE), wsgi(LEGACY), {"GET /items": mode})
        assert (await ask(app, "GET", "/items")).side == side


async def test_what_is_not_sampled_is_not_compared() -> None:
    seen: list[Scope] = []
    app = cutover_of(asgi(NATIVE, seen=seen), wsgi(LEGACY), {"GET /items": EndpointMode(mode="shadow", sample_rate=0)})
    await ask(app, "GET", "/items")
    assert await counts_of(app) == {}
    assert seen == []


async def test_what_is_drawn_for_the_sample_is_not_the_app_s() -> None:
    app = cutover_of(asgi(NATIVE), wsgi(LEGACY), {"GET /items": EndpointMode(mode="shadow", sample_rate=1e-9)})
    random.seed(7)
    expected = random.random()
    random.seed(7)
    await ask(app, "GET", "/items")
    assert random.random() == expected


async def test_an_app_that_fails_before_its_answer_fails_the_request() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("broken")

    app = cutover_of(broken, wsgi(), {"GET /items": "native"})
    scope = {"type": "http", "method": "GET", "path": "/items", "headers": []}

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_message: Message) -> None:
        raise AssertionError

    with pytest.raises(RuntimeError, match="broken"):
        await app(scope, receive, send)


async def test_it_runs_again_after_it_has_ended() -> None:
    app = cutover()
    for _ in range(2):
        async with app.running():
            assert (await ask(app, "GET", "/old")).status == 200


async def test_under_a_root_path_rules_are_about_what_is_below_it() -> None:
    app = Starlette(routes=[Mount("/svc", cutover())])
    for path, side in (("/svc/items", "native"), ("/svc/old", "legacy"), ("/svc/orders/7", "native")):
        assert (await ask(app, "GET", path)).side == side


async def test_under_a_root_path_a_rule_that_begins_like_it_is_another_one() -> None:
    app = cutover_of(asgi(NATIVE), wsgi(LEGACY), {"GET /items": "native", "GET /svc/items": "legacy"})

    async def under_svc(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "root_path": "/svc"}, receive, send)

    assert (await ask(under_svc, "GET", "/svc/items")).side == "native"
    assert (await ask(app, "GET", "/svc/items")).side == "legacy"


@pytest.mark.parametrize("path", ["/cutover", "/cutover/modes"])
async def test_no_endpoint_takes_a_path_of_the_admin_s(path: str) -> None:
    app = cutover_of(asgi(NATIVE), wsgi(LEGACY), {f"GET {path}": "native"}, admin_token=lambda: "s3cret")
    assert "x-cutover-side" not in (await ask(app, "GET", path)).headers


async def test_an_app_s_own_messages_stay_as_they_are() -> None:
    start: Message = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}

    async def native(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": b""})

    app = cutover_of(native, wsgi(), {"GET /items": "native"})
    for _ in range(2):
        await ask(app, "GET", "/items")
    assert start["headers"] == [(b"content-length", b"0")]


@pytest.mark.parametrize("mode", ["native", "verify"])
async def test_headers_may_be_any_iterable(mode: Mode) -> None:
    async def native(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = iter([(b"content-type", b"application/json"), (b"x-own", b"1")])
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    app = cutover_of(native, wsgi(), {"GET /items": mode})
    assert (await ask(app, "GET", "/items")).headers["x-own"] == "1"


async def test_a_mode_that_this_process_can_not_serve_is_served_by_the_side_that_is_there() -> None:
    store = MemoryCutoverStore()
    cutover_of(asgi(NATIVE), wsgi(LEGACY), {"GET /items": "native"}, store=store)
    old = Cutover(
        None, wsgi(LEGACY), inventory=take_inventory(None, wsgi(), legacy_routes=[("GET", "/items")]), store=store
    )
    newer = cutover_of(asgi(NATIVE), wsgi(LEGACY), {"GET /items": "native"}, store=store)
    await newer.change({"GET /items": EndpointMode(mode="native")}, author="ada", reason="proved")
    async with old.running():
        await old.settled()
        assert (await ask(old, "GET", "/items")).side == "legacy"
        assert old.health()["problems"] == ["GET /items is in a mode that needs a side it doesn't have here"]
