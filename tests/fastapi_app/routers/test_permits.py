"""`/api/windows/{window_id}/permits…` over HTTP: a permit's life, its one end, and what each second try is told."""

from typing import Any

import pytest

from tests.fastapi_app.routers.bench import LEGACY_TRADES, MALFORMED, TRADE, Bench, Malformed

ORDER = {"symbol": "BTC-USD", "side": "buy", "quantity": "0.50", "price": "64250.10", "strategy": "rsi"}
PENDING = {
    "id": "permit-1",
    **ORDER,
    "reduces": False,
    "status": "pending",
    "trade_day": "2025-03-03",
    "reserved_at": "2025-03-03T12:00:00.000000Z",
    "deadline": "2025-03-03T12:01:00.000000Z",
}


def in_status(status: str, *, deadline: str | None = None) -> dict[str, Any]:
    return {**PENDING, "status": status, "deadline": deadline}


async def reserved(bench: Bench, **config: Any) -> str:
    """The path of a permit that is pending, in a window of its own."""
    path = await bench.made(**config)
    await bench.ask("POST", f"{path}/permits", ORDER, status=201)
    return f"{path}/permits/permit-1"


async def counted(bench: Bench, window: str = "desk") -> int:
    count: int = (await bench.get(f"/api/windows/{window}"))["trades_today"]
    return count


async def kinds(bench: Bench) -> list[str]:
    """The ids of the ledger's entries, oldest first."""
    return [entry["id"] for entry in (await bench.get("/api/windows/desk/ledger"))["entries"]][::-1]


# A life


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


# One end, and each step once


BY: dict[str, tuple[str, ...]] = {
    "sent": ("sent",),
    "in doubt": ("sent", "doubt"),
    "confirmed": ("sent", "confirm"),
    "released": ("release",),
}
"""The steps by which a permit gets into a status."""

SECOND_TRIES = [
    ("sent", "sent", "permit 'permit-1' is sent, and can't be sent any more"),
    ("in doubt", "sent", "permit 'permit-1' is in doubt, and can't be sent any more"),
    ("in doubt", "doubt", "permit 'permit-1' is in doubt, and can't be in doubt any more"),
    ("confirmed", "sent", "permit 'permit-1' is confirmed, and can't be sent any more"),
    ("confirmed", "doubt", "permit 'permit-1' is confirmed, and can't be in doubt any more"),
    ("confirmed", "confirm", "permit 'permit-1' is confirmed, and can't be confirmed any more"),
    ("confirmed", "release", "permit 'permit-1' is confirmed, and can't be released any more"),
    ("released", "sent", "permit 'permit-1' is released, and can't be sent any more"),
    ("released", "doubt", "permit 'permit-1' is released, and can't be in doubt any more"),
    ("released", "confirm", "permit 'permit-1' is released, and can't be confirmed any more"),
    ("released", "release", "permit 'permit-1' is released, and can't be released any more"),
]


@pytest.mark.parametrize(("status", "step", "sentence"), SECOND_TRIES, ids=[f"{a}, {b}" for a, b, _ in SECOND_TRIES])
async def test_a_second_try_is_refused_with_a_sentence_of_its_own(
    bench: Bench, status: str, step: str, sentence: str
) -> None:
    permit = await reserved(bench)
    for one in BY[status]:
        await bench.ask("POST", f"{permit}/{one}")
    before = bench.everything()
    assert await bench.ask("POST", f"{permit}/{step}", status=409) == {"error": sentence}
    assert await bench.ask("POST", f"{permit}/{step}", status=409, key="another-key") == {"error": sentence}
    assert bench.everything() == before


async def test_one_that_is_pending_can_t_be_in_doubt(bench: Bench) -> None:
    permit = await reserved(bench)
    before = bench.everything()
    sentence = "permit 'permit-1' is pending, and can't be in doubt before it is sent"
    assert await bench.ask("POST", f"{permit}/doubt", status=409) == {"error": sentence}
    assert bench.everything() == before


# Keys


async def test_a_keyed_reservation_is_answered_again_when_it_is_over_and_the_window_closed(bench: Bench) -> None:
    path = await bench.made(max_trades_per_day=1, end_hour=13)
    first = await bench.ask("POST", f"{path}/permits", ORDER, status=201, key="order-1")
    await bench.ask("POST", f"{path}/permits/permit-1/release")
    bench.at("2025-03-03T13:00:00Z")
    before = bench.everything()
    assert await bench.ask("POST", f"{path}/permits", ORDER, status=201, key="order-1") == first
    assert await bench.ask("POST", f"{path}/permits", {**ORDER, "side": "sell"}, status=422, key="order-1") == {
        "error": 'Idempotency-Key: "order-1" was used for a request with another body'
    }
    await bench.ask("POST", f"{path}/permits", ORDER, status=403, key="order-2")
    assert bench.everything() == before


@pytest.mark.parametrize(
    ("steps", "body"),
    [
        (("sent",), None),
        (("sent", "doubt"), None),
        (("sent", "confirm"), {"price": "64000.5"}),
        (("release",), {"reason": "no fill"}),
    ],
    ids=["sent", "doubt", "confirm", "release"],
)
async def test_the_same_key_gets_the_same_answer_also_when_the_permit_has_its_end(
    bench: Bench, steps: tuple[str, ...], body: Any
) -> None:
    permit = await reserved(bench)
    *earlier, step = steps
    for one in earlier:
        await bench.ask("POST", f"{permit}/{one}")
    first = await bench.ask("POST", f"{permit}/{step}", body, key="step-1")
    assert await bench.ask("POST", f"{permit}/{step}", body, key="step-1") == first
    if step in ("sent", "doubt"):
        await bench.ask("POST", f"{permit}/confirm")
    bench.at("2025-03-04T12:00:00Z")
    before = bench.everything()
    assert await bench.ask("POST", f"{permit}/{step}", body, key="step-1") == first
    assert bench.everything() == before


@pytest.mark.parametrize(
    ("step", "body", "other"),
    [("confirm", {"price": "1"}, {"price": "2"}), ("confirm", {"price": "1"}, None), ("release", {"reason": "a"}, {})],
)
async def test_a_key_with_another_body_is_a_422(bench: Bench, step: str, body: Any, other: Any) -> None:
    permit = await reserved(bench)
    await bench.ask("POST", f"{permit}/{step}", body, key="step-1")
    before = bench.everything()
    assert await bench.ask("POST", f"{permit}/{step}", other, status=422, key="step-1") == {
        "error": 'Idempotency-Key: "step-1" was used for a request with another body'
    }
    assert bench.everything() == before


async def test_one_key_may_name_each_step_of_each_permit(bench: Bench) -> None:
    path = await bench.made()
    for number in (1, 2):
        await bench.ask("POST", f"{path}/permits", {"symbol": f"S{number}"}, status=201, key=f"order-{number}")
        for step in ("sent", "confirm"):
            answer = await bench.ask("POST", f"{path}/permits/permit-{number}/{step}", key=f"order-{number}")
            assert answer["permit"]["id"] == f"permit-{number}"
    again = await bench.ask("POST", f"{path}/permits/permit-2/sent", key="order-1", status=409)
    assert again == {"error": "permit 'permit-2' is confirmed, and can't be sent any more"}


# Halts


async def test_a_halt_refuses_new_permits_and_lets_those_that_are_out_be_confirmed(bench: Bench) -> None:
    permit = await reserved(bench)
    await bench.ask("POST", "/api/windows/desk/halts", {"reason": "fat finger", "author": "ann"})
    refused = await bench.ask("POST", "/api/windows/desk/permits", ORDER, status=403)
    assert refused["error"] == "halted: fat finger"
    await bench.ask("POST", f"{permit}/sent")
    await bench.ask("POST", f"{permit}/confirm")


async def test_where_the_config_says_so_a_halt_refuses_the_confirmation_with_its_reason(bench: Bench) -> None:
    permit = await reserved(bench, confirm_while_halted=False)
    await bench.ask("POST", f"{permit}/sent")
    halt = {"reason": "fork", "author": "ann", "symbol": "BTC-USD", "until": "2025-03-03T12:00:30Z"}
    await bench.ask("POST", "/api/windows/desk/halts", halt)
    before = bench.everything()
    clears_at = "2025-03-03T12:00:30.000000Z"
    reason = {
        "code": "HALTED",
        "sentence": "halted: fork",
        "value": "fork",
        "bound": "BTC-USD",
        "clears_at": clears_at,
    }
    assert await bench.ask("POST", f"{permit}/confirm", status=403, key="step-1") == {
        "error": "halted: fork",
        "reasons": [reason],
        "clears_at": clears_at,
    }
    assert bench.everything() == before
    bench.at("2025-03-03T12:00:30Z")
    assert (await bench.ask("POST", f"{permit}/confirm", key="step-1"))["permit"] == in_status("confirmed")


async def test_where_nothing_can_be_confirmed_nothing_is_sent_either(bench: Bench) -> None:
    permit = await reserved(bench, confirm_while_halted=False)
    await bench.ask("POST", "/api/windows/desk/halts", {"reason": "fork", "author": "ann"})
    before = bench.everything()
    refused = await bench.ask("POST", f"{permit}/sent", status=403)
    assert (refused["error"], refused["reasons"][0]["code"]) == ("halted: fork", "HALTED")
    assert bench.everything() == before
    await bench.ask("POST", "/api/windows/desk/resume", {"reason": "over", "author": "ann"})
    assert (await bench.ask("POST", f"{permit}/sent"))["permit"]["status"] == "sent"


# The window of the legacy routes


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


# What is unknown or malformed


STEPS = ("sent", "doubt", "confirm", "release")
ALL = [("GET", ""), *(("POST", f"/{step}") for step in STEPS)]


@pytest.mark.parametrize(("method", "rest"), ALL)
async def test_a_permit_that_was_never_given_out_is_a_404(bench: Bench, method: str, rest: str) -> None:
    await reserved(bench)
    before = bench.everything()
    answer = await bench.ask(method, f"/api/windows/desk/permits/none{rest}", status=404)
    assert answer == {"error": "no permit is named 'none'"}
    assert bench.everything() == before


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_permits_of_a_window_that_was_never_made_are_a_404(bench: Bench, method: str) -> None:
    body: dict[str, str] | None = None if method == "GET" else {}
    answer = await bench.ask(method, "/api/windows/none/permits", body, status=404)
    assert answer == {"error": "no trading window is named 'none'"}


@pytest.mark.parametrize(("method", "rest"), ALL)
async def test_a_permit_of_a_window_that_was_never_made_is_a_404(bench: Bench, method: str, rest: str) -> None:
    await reserved(bench)
    answer = await bench.ask(method, f"/api/windows/none/permits/permit-1{rest}", status=404)
    assert answer == {"error": "no trading window is named 'none'"}


async def test_a_permit_is_its_window_s_own(bench: Bench) -> None:
    permit = await reserved(bench)
    await bench.made("other")
    elsewhere = permit.replace("desk", "other")
    assert await bench.ask("POST", f"{elsewhere}/sent", status=404) == {"error": "no permit is named 'permit-1'"}


async def test_an_entry_of_another_kind_is_no_permit(bench: Bench) -> None:
    path = await bench.made()
    await bench.ask("POST", f"{path}/trades", TRADE, status=201)
    assert await bench.get(f"{path}/permits/trade-1", status=404) == {"error": "no permit is named 'trade-1'"}


@pytest.mark.parametrize(
    "path", ["/api/windows/desk/permits", *(f"/api/windows/desk/permits/permit-1/{step}" for step in STEPS)]
)
@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_body_changes_nothing(bench: Bench, path: str, malformed: Malformed) -> None:
    await reserved(bench)
    before = bench.everything()
    assert await bench.send("POST", path, malformed) == {"error": malformed.sentence}
    assert bench.everything() == before


SYMBOL_RULE = "is not a symbol such as BTC-USD"
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("", {"symbol": "btc"}, f'symbol: "btc" {SYMBOL_RULE}'),
    ("", {"side": "hold"}, 'side: "hold" is not "buy" or "sell"'),
    ("", {"quantity": "0"}, 'quantity: "0" is not a decimal greater than 0'),
    ("", {"price": True}, "price: true is not a decimal greater than 0"),
    ("", {"strategy": "\n"}, 'strategy: "\\n" is not a text of 1 to 64 printable characters'),
    ("", {"reduces": 1}, "reduces: 1 is not true or false"),
    ("", {"fill": 1}, "fill: 1 is not expected: the known fields are symbol, side, quantity, price, strategy, reduces"),
    ("/permit-1/confirm", {"quantity": -1}, "quantity: -1 is not a decimal greater than 0"),
    ("/permit-1/confirm", {"price": "free"}, 'price: "free" is not a decimal greater than 0'),
    ("/permit-1/confirm", {"symbol": "X"}, 'symbol: "X" is not expected: the known fields are quantity, price'),
    ("/permit-1/release", {"reason": ""}, 'reason: "" is not a text of 1 to 200 characters'),
    ("/permit-1/release", {"reason": "r" * 201}, 'reason: "rrr'),
    ("/permit-1/release", {"why": "r"}, 'why: "r" is not expected: the known fields are reason'),
]


@pytest.mark.parametrize(("rest", "body", "sentence"), WRONG, ids=[f"{rest} {body}"[:60] for rest, body, _ in WRONG])
async def test_a_wrong_field_is_refused_by_its_name_its_value_and_the_bound(
    bench: Bench, rest: str, body: dict[str, Any], sentence: str
) -> None:
    await reserved(bench)
    before = bench.everything()
    answer = await bench.ask("POST", f"/api/windows/desk/permits{rest}", body, status=400)
    assert answer["error"].startswith(sentence)
    assert bench.everything() == before


@pytest.mark.parametrize("rest", ["", *(f"/permit-1/{step}" for step in STEPS)])
async def test_a_wrong_key_changes_nothing(bench: Bench, rest: str) -> None:
    await reserved(bench)
    before = bench.everything()
    answer = await bench.ask("POST", f"/api/windows/desk/permits{rest}", {}, status=400, key="two words")
    assert answer == {"error": 'Idempotency-Key: "two words" is not 1 to 255 visible ASCII characters'}
    assert bench.everything() == before


@pytest.mark.parametrize("step", ["sent", "doubt"])
async def test_a_step_that_takes_nothing_refuses_fields(bench: Bench, step: str) -> None:
    permit = await reserved(bench)
    if step == "doubt":
        await bench.ask("POST", f"{permit}/sent")
    before = bench.everything()
    answer = await bench.ask("POST", f"{permit}/{step}", {"price": "1"}, status=400)
    assert answer["error"].startswith('price: "1" is not expected')
    assert bench.everything() == before
