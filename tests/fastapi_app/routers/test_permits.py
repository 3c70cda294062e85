"""A permit's life over HTTP, from its reservation to its end."""

from tests.fastapi_app.routers.bench import LEGACY_TRADES, TRADE, Bench
from tests.fastapi_app.routers.permits import ORDER, PENDING, counted, in_status, kinds, reserved


async def test_a_permit_from_its_reservation_to_its_trade(bench: Bench) -> None:
    path = await bench.made(max_trades_per_day=2)
    assert await bench.ask("POST", f"{path}/permits", ORDER, status=201) == {
        "permit": PENDING,
        "trades_today": 1,
        "remaining_trades": 1,
    }
    bench.at("2025-03-03T12:00:20Z")
    sent = in_status("sent", deadline="2025-03-03T12:01:20.000000Z")
    assert await bench.ask("POST", f"{path}/permits/permit-1/sent") == {
        "permit": sent,
        "trades_today": 1,
        "remaining_trades": 1,
    }
    assert await bench.get(f"{path}/permits") == {"permits": [sent], "count": 1}
    bench.at("2025-03-03T12:00:30Z")
    trade = {
        "id": "trade-1",
        **ORDER,
        "executed_at": "2025-03-03T12:00:30.000000Z",
        "trade_day": "2025-03-03",
    }
    assert await bench.ask("POST", f"{path}/permits/permit-1/confirm") == {
        "permit": in_status("confirmed"),
        "trade": trade,
        "trades_today": 1,
        "remaining_trades": 1,
    }
    assert await bench.get(f"{path}/permits") == {"permits": [], "count": 0}
    assert await bench.get(f"{path}/permits/permit-1") == in_status("confirmed")
    assert await bench.get(f"{path}/trades") == {"trades": [trade], "count": 1}
    assert await kinds(bench) == ["permit-1-reserved", "permit-1-sent", "permit-1-confirmed", "trade-1"]


async def test_an_order_of_which_nothing_is_known_yet_gets_a_permit(bench: Bench) -> None:
    path = await bench.made()
    answer = await bench.ask("POST", f"{path}/permits", {}, status=201)
    assert answer["permit"] == {**PENDING, **dict.fromkeys(ORDER)}


async def test_a_released_permit_gives_its_slot_back(bench: Bench) -> None:
    permit = await reserved(bench, max_trades_per_day=1)
    await bench.ask("POST", f"{permit}/sent")
    answer = await bench.ask("POST", f"{permit}/release", {"reason": "the exchange refused it"})
    assert answer == {"permit": in_status("released"), "trades_today": 0, "remaining_trades": 1}
    assert await bench.get(permit) == in_status("released")
    (newest, *_) = (await bench.get("/api/windows/desk/ledger"))["entries"]
    assert newest["data"] == {**in_status("released"), "reason": "the exchange refused it"}
    await bench.ask("POST", "/api/windows/desk/permits", ORDER, status=201)


async def test_pending_permits_and_trades_share_one_limit(bench: Bench) -> None:
    permit = await reserved(bench, max_trades_per_day=2)
    await bench.ask("POST", "/api/windows/desk/trades", TRADE, status=201)
    before = bench.everything()
    refused = {
        "error": "daily trade limit of 2 reached",
        "reasons": [
            {
                "code": "DAILY_LIMIT",
                "sentence": "daily trade limit of 2 reached",
                "value": 2,
                "bound": 2,
                "clears_at": "2025-03-03T12:01:00.000000Z",
            }
        ],
        "clears_at": "2025-03-03T12:01:00.000000Z",
    }
    assert await bench.ask("POST", "/api/windows/desk/permits", ORDER, status=409) == refused
    assert await bench.ask("POST", "/api/windows/desk/trades", TRADE, status=409) == refused
    assert bench.everything() == before
    await bench.ask("POST", f"{permit}/confirm")
    assert await counted(bench) == 2


async def test_a_permit_that_is_not_sent_in_time_expires(bench: Bench) -> None:
    permit = await reserved(bench, permit_seconds=10)
    bench.at("2025-03-03T12:00:09.999999Z")
    assert (await bench.get(permit))["status"] == "pending"
    assert await counted(bench) == 1
    bench.at("2025-03-03T12:00:10Z")
    before = bench.everything()
    assert await bench.get(permit) == in_status("expired")
    assert await bench.get("/api/windows/desk/permits") == {"permits": [], "count": 0}
    assert await counted(bench) == 0
    for step, wanted in (("sent", "sent"), ("doubt", "in doubt"), ("confirm", "confirmed"), ("release", "released")):
        assert await bench.ask("POST", f"{permit}/{step}", status=409) == {
            "error": f"permit 'permit-1' is expired, and can't be {wanted} any more"
        }
    assert bench.everything() == before
    await bench.ask("POST", "/api/windows/desk/trades", TRADE, status=201)
    assert await kinds(bench) == ["permit-1-reserved", "permit-1-expired", "trade-2"]
    assert await bench.get(permit) == in_status("expired")
    assert (await bench.ask("POST", f"{permit}/sent", status=409))["error"].startswith("permit 'permit-1' is expired")


async def test_a_permit_that_is_sent_and_not_resolved_in_time_is_in_doubt_and_keeps_its_slot(bench: Bench) -> None:
    permit = await reserved(bench, in_doubt_after_seconds=10, max_trades_per_day=1)
    await bench.ask("POST", f"{permit}/sent")
    bench.at("2025-03-03T12:00:10Z")
    assert await bench.get(permit) == in_status("in_doubt")
    assert await bench.get("/api/windows/desk/permits") == {"permits": [in_status("in_doubt")], "count": 1}
    refused = await bench.ask("POST", "/api/windows/desk/trades", TRADE, status=409)
    assert refused["clears_at"] == "2025-03-04T00:00:00.000000Z"
    assert (await bench.get("/api/windows/desk"))["in_doubt"] == 1
    assert await bench.ask("POST", f"{permit}/release") == {
        "permit": in_status("released"),
        "trades_today": 0,
        "remaining_trades": 1,
    }
    assert await kinds(bench) == [
        "permit-1-reserved",
        "permit-1-sent",
        "permit-1-in-doubt",
        "permit-1-released",
    ]


async def test_a_permit_can_be_put_in_doubt_by_hand(bench: Bench) -> None:
    permit = await reserved(bench)
    await bench.ask("POST", f"{permit}/sent")
    answer = await bench.ask("POST", f"{permit}/doubt")
    assert answer == {"permit": in_status("in_doubt"), "trades_today": 1, "remaining_trades": 4}
    assert (await bench.ask("POST", f"{permit}/confirm"))["permit"] == in_status("confirmed")


async def test_one_that_is_confirmed_the_next_day_keeps_its_trade_day(bench: Bench) -> None:
    permit = await reserved(bench)
    await bench.ask("POST", f"{permit}/sent")
    bench.at("2025-03-04T00:30:00Z")
    await bench.ask("POST", "/api/windows/desk/trades", TRADE, status=201)
    answer = await bench.ask("POST", f"{permit}/confirm")
    assert (answer["trade"]["trade_day"], answer["trade"]["executed_at"]) == (
        "2025-03-03",
        "2025-03-04T00:30:00.000000Z",
    )
    assert (answer["permit"]["trade_day"], answer["trades_today"], answer["remaining_trades"]) == ("2025-03-03", 1, 4)
    of_monday = await bench.get("/api/windows/desk/trades", date="2025-03-03")
    assert [trade["id"] for trade in of_monday["trades"]] == [answer["trade"]["id"]]


async def test_one_that_is_released_the_next_day_frees_no_slot_of_that_day(bench: Bench) -> None:
    permit = await reserved(bench)
    await bench.ask("POST", f"{permit}/sent")
    bench.at("2025-03-04T00:30:00Z")
    await bench.ask("POST", "/api/windows/desk/trades", TRADE, status=201)
    assert (await bench.ask("POST", f"{permit}/release"))["trades_today"] == 1


async def test_the_fill_s_quantity_and_price_are_the_trade_s(bench: Bench) -> None:
    permit = await reserved(bench)
    answer = await bench.ask("POST", f"{permit}/confirm", {"quantity": 0.25, "price": "64000.5"})
    assert answer["trade"] == {
        "id": "trade-1",
        **ORDER,
        "quantity": "0.25",
        "price": "64000.5",
        "executed_at": "2025-03-03T12:00:00.000000Z",
        "trade_day": "2025-03-03",
    }
    assert answer["permit"] == in_status("confirmed")


async def test_a_fill_may_say_only_one_of_them(bench: Bench) -> None:
    permit = await reserved(bench)
    trade = (await bench.ask("POST", f"{permit}/confirm", {"price": "1", "quantity": None}))["trade"]
    assert (trade["quantity"], trade["price"]) == ("0.50", "1")


async def test_a_permit_that_only_reduces_takes_no_slot(bench: Bench) -> None:
    path = await bench.made(max_trades_per_day=0, end_hour=9)
    answer = await bench.ask("POST", f"{path}/permits", {**ORDER, "reduces": True}, status=201)
    assert (answer["permit"]["reduces"], answer["trades_today"], answer["remaining_trades"]) == (True, 0, 0)
    confirmed = await bench.ask("POST", f"{path}/permits/permit-1/confirm")
    assert confirmed["trades_today"] == 0
    assert (await bench.get(f"{path}/trades"))["trades"][0]["reduces"] is True


async def test_the_open_permits_are_told_oldest_first(bench: Bench) -> None:
    path = await bench.made()
    for _ in range(3):
        await bench.ask("POST", f"{path}/permits", {}, status=201)
    await bench.ask("POST", f"{path}/permits/permit-1/sent")
    listed = await bench.get(f"{path}/permits")
    assert ([permit["id"] for permit in listed["permits"]], listed["count"]) == (
        ["permit-1", "permit-2", "permit-3"],
        3,
    )


async def test_a_pending_permit_cools_down_until_it_expires(bench: Bench) -> None:
    await reserved(bench, cooldown_seconds=300, permit_seconds=10)
    refused = await bench.ask("POST", "/api/windows/desk/permits", ORDER, status=409)
    assert [(one["code"], one["clears_at"]) for one in refused["reasons"]] == [
        ("COOLDOWN", "2025-03-03T12:00:10.000000Z")
    ]
    bench.at("2025-03-03T12:00:10Z")
    await bench.ask("POST", "/api/windows/desk/permits", ORDER, status=201)


async def test_permits_of_the_default_window_are_counted_by_the_legacy_routes(bench: Bench) -> None:
    for _ in range(4):
        await bench.ask("POST", "/api/windows/default/permits", {}, status=201)
    answer = await bench.ask("POST", LEGACY_TRADES, TRADE, status=201)
    assert (answer["trades_today"], answer["remaining_trades"]) == (5, 0)
    assert await bench.ask("POST", LEGACY_TRADES, TRADE, status=409) == {
        "error": "daily trade limit of 5 reached",
        "trades_today": 5,
        "max_trades_per_day": 5,
    }
    bench.at("2025-03-03T12:01:00Z")
    assert (await bench.ask("POST", LEGACY_TRADES, TRADE, status=201))["trades_today"] == 2
