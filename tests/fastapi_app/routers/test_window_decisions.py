"""Decisions over HTTP: every reason that fails, and when each clears."""

from typing import Any

from tests.fastapi_app.routers.bench import TRADE, Bench

SATURDAY = "2025-03-08T12:01:00.000000Z"
NEXT_DAY = "2025-03-08T23:00:00.000000Z"
MONDAY_OPEN = "2025-03-10T08:00:00.000000Z"


def reason(code: str, sentence: str, value: Any, bound: Any, clears_at: str | None) -> dict[str, Any]:
    return {"code": code, "sentence": sentence, "value": value, "bound": bound, "clears_at": clears_at}


HOURS = "mon-fri 09:00 - 17:30 Europe/Stockholm"
LAST = "2025-03-08T12:00:00.000000Z"
EVERY_REASON = [
    reason("HALTED", "halted: fat finger", "fat finger", None, "2025-03-09T00:00:00.000000Z"),
    reason("HALTED", "halted: fork", "fork", "BTC-USD", "2025-03-08T18:00:00.000000Z"),
    reason("OUTSIDE_HOURS", f"outside the trading window {HOURS}", SATURDAY, HOURS, MONDAY_OPEN),
    reason("CALENDAR_CLOSED", "the exchange XSTO is closed", SATURDAY, "XSTO", MONDAY_OPEN),
    reason("BLACKOUT", "blackout: rate decision", SATURDAY, "rate decision", "2025-03-08T13:00:00.000000Z"),
    reason("BLACKOUT", "blackout: settlement", SATURDAY, "settlement", "2025-03-08T21:30:00.000000Z"),
    reason("DAILY_LIMIT", "daily trade limit of 1 reached", 1, 1, NEXT_DAY),
    reason("SYMBOL_LIMIT", "daily trade limit of 1 reached for symbol BTC-USD", 1, 1, NEXT_DAY),
    reason("SIDE_LIMIT", "daily trade limit of 1 reached for side buy", 1, 1, NEXT_DAY),
    reason("STRATEGY_LIMIT", "daily trade limit of 1 reached for strategy rsi", 1, 1, NEXT_DAY),
    reason("COOLDOWN", "cooling down for 300 s after the last trade", LAST, 300, "2025-03-08T12:05:00.000000Z"),
    reason(
        "SYMBOL_COOLDOWN",
        "cooling down for 600 s after the last trade of BTC-USD",
        LAST,
        600,
        "2025-03-08T12:10:00.000000Z",
    ),
]
ORDER: dict[str, Any] = {"symbol": "BTC-USD", "side": "buy", "strategy": "rsi"}


async def closed_in_every_way(bench: Bench) -> str:
    """A window whose only trade was on a Saturday at noon, a minute ago, and on which every rule now stands."""
    path = await bench.made()
    bench.at("2025-03-08T12:00:00Z")
    await bench.ask("POST", f"{path}/trades", TRADE, status=201)
    bench.at("2025-03-08T12:01:00Z")
    await bench.ask(
        "PUT",
        f"{path}/config",
        {
            "timezone": "Europe/Stockholm",
            "intervals": [{"days": ["mon", "tue", "wed", "thu", "fri"], "start": "09:00", "end": "17:30"}],
            "calendar": "XSTO",
            "blackouts": [
                {"start": "2025-03-08T12:00:00Z", "end": "2025-03-08T14:00:00+01:00", "reason": "rate decision"}
            ],
            "weekly_blackouts": [{"days": ["sat"], "start": "12:00", "end": "22:30", "reason": "settlement"}],
            "max_trades_per_day": 1,
            "symbol_limits": {"BTC-USD": 1},
            "side_limits": {"buy": 1},
            "strategy_limits": {"*": 1},
            "cooldown_seconds": 300,
            "symbol_cooldown_seconds": 600,
        },
    )
    halt = {"author": "ann", "reason": "fat finger", "until": "2025-03-09T00:00:00Z"}
    await bench.ask("POST", f"{path}/halts", halt)
    of_symbol = {"author": "ann", "reason": "fork", "symbol": "BTC-USD", "until": "2025-03-08T19:00:00+01:00"}
    await bench.ask("POST", f"{path}/halts", of_symbol)
    return path


async def test_a_decision_names_every_reason_and_when_each_clears(bench: Bench) -> None:
    path = await closed_in_every_way(bench)
    before = bench.everything()
    assert await bench.get(f"{path}/decision", **ORDER) == {
        "allowed": False,
        "at": SATURDAY,
        "reasons": EVERY_REASON,
        "clears_at": MONDAY_OPEN,
    }
    assert bench.everything() == before


async def test_a_trade_and_a_permit_are_refused_with_the_reasons_of_the_decision(bench: Bench) -> None:
    path = await closed_in_every_way(bench)
    before = bench.everything()
    refused = {"error": "halted: fat finger", "reasons": EVERY_REASON, "clears_at": MONDAY_OPEN}
    assert await bench.ask("POST", f"{path}/trades", TRADE, status=403) == refused
    assert await bench.ask("POST", f"{path}/permits", ORDER, status=403) == refused
    assert bench.everything() == before


async def test_each_reason_holds_until_it_clears(bench: Bench) -> None:
    path = await closed_in_every_way(bench)
    for one in EVERY_REASON:
        until = one["clears_at"]
        microsecond_before = until.replace("00.000000", "59.999999").replace(until[11:16], _minute_before(until[11:16]))
        if until.endswith("T00:00:00.000000Z"):
            microsecond_before = "2025-03-08T23:59:59.999999Z"
        held = await bench.get(f"{path}/decision", **ORDER, at=microsecond_before)
        cleared = await bench.get(f"{path}/decision", **ORDER, at=until)
        assert one["sentence"] in [each["sentence"] for each in held["reasons"]]
        assert one["sentence"] not in [each["sentence"] for each in cleared["reasons"]]


def _minute_before(time: str) -> str:
    minutes = (int(time[:2]) * 60 + int(time[3:]) - 1) % 1_440
    return f"{minutes // 60:02}:{minutes % 60:02}"


async def test_at_the_instant_at_which_all_clears_the_order_may_go_out(bench: Bench) -> None:
    path = await closed_in_every_way(bench)
    answer = await bench.get(f"{path}/decision", **ORDER, at="2025-03-10T09:00:00+01:00")
    assert answer == {"allowed": True, "at": MONDAY_OPEN, "reasons": [], "clears_at": None}


async def test_without_an_order_the_rules_that_name_nothing_are_asked(bench: Bench) -> None:
    path = await closed_in_every_way(bench)
    answer = await bench.get(f"{path}/decision")
    assert [each["code"] for each in answer["reasons"]] == [
        "HALTED",
        "OUTSIDE_HOURS",
        "CALENDAR_CLOSED",
        "BLACKOUT",
        "BLACKOUT",
        "DAILY_LIMIT",
        "COOLDOWN",
    ]


async def test_an_order_that_only_reduces_passes_all_but_halts(bench: Bench) -> None:
    path = await closed_in_every_way(bench)
    halted = await bench.get(f"{path}/decision", **ORDER, reduces="true")
    assert halted["reasons"] == EVERY_REASON[:2]
    assert halted["clears_at"] == "2025-03-09T00:00:00.000000Z"
    for symbol in ({}, {"symbol": "BTC-USD"}):
        await bench.ask("POST", f"{path}/resume", {"author": "ann", "reason": "checked", **symbol})
    assert (await bench.get(f"{path}/decision", **ORDER, reduces="true"))["allowed"] is True
    assert (await bench.get(f"{path}/decision", **ORDER, reduces="false"))["reasons"] == EVERY_REASON[2:]


async def test_where_one_reason_has_no_known_end_the_whole_has_none(bench: Bench) -> None:
    path = await bench.made(end_hour=9)
    await bench.ask("POST", f"{path}/halts", {"author": "ann", "reason": "fat finger"})
    answer = await bench.get(f"{path}/decision")
    hours = reason(
        "OUTSIDE_HOURS",
        "outside the trading window 0:00 - 9:00",
        "2025-03-03T12:00:00.000000Z",
        "0:00 - 9:00",
        "2025-03-04T00:00:00.000000Z",
    )
    assert answer["reasons"] == [reason("HALTED", "halted: fat finger", "fat finger", None, None), hours]
    assert answer["clears_at"] is None


async def test_beyond_what_the_calendar_knows_the_answer_is_no(bench: Bench) -> None:
    path = await bench.made(calendar="XSTO")
    sentence = "nobody knows yet whether the exchange XSTO is open"
    later = await bench.get(f"{path}/decision", at="2099-01-01T12:00:00Z")
    assert later["reasons"] == [reason("CALENDAR_UNKNOWN", sentence, "2099-01-01T12:00:00.000000Z", "XSTO", None)]
    earlier = await bench.get(f"{path}/decision", at="2009-12-30T12:00:00Z")
    first = "2010-01-04T08:00:00.000000Z"
    assert earlier["reasons"] == [reason("CALENDAR_UNKNOWN", sentence, "2009-12-30T12:00:00.000000Z", "XSTO", first)]


async def test_a_limit_of_0_never_clears(bench: Bench) -> None:
    path = await bench.made(max_trades_per_day=0, symbol_limits={"*": 0})
    answer = await bench.get(f"{path}/decision", symbol="BTC-USD")
    assert answer["reasons"] == [
        reason("DAILY_LIMIT", "daily trade limit of 0 reached", 0, 0, None),
        reason("SYMBOL_LIMIT", "daily trade limit of 0 reached for symbol BTC-USD", 0, 0, None),
    ]


async def test_slots_of_permits_clear_when_enough_of_them_expire(bench: Bench) -> None:
    path = await bench.made(max_trades_per_day=2, permit_seconds=30)
    await bench.ask("POST", f"{path}/permits", {}, status=201)
    bench.at("2025-03-03T12:00:10Z")
    await bench.ask("POST", f"{path}/permits", {}, status=201)
    answer = await bench.get(f"{path}/decision")
    clears_at = "2025-03-03T12:00:30.000000Z"
    assert answer["reasons"] == [reason("DAILY_LIMIT", "daily trade limit of 2 reached", 2, 2, clears_at)]
    assert (await bench.get(f"{path}/decision", at=clears_at))["allowed"] is True
