"""`/api/windows…` over HTTP: each answer is written down."""

from typing import Any

import pytest

from tests.fastapi_app.routers.bench import MALFORMED, TRADE, Bench, Malformed

WINDOWS = "/api/windows"
DEFAULTS = {"start_hour": 0, "end_hour": 24, "max_trades_per_day": 5, "timezone": "UTC"}

ANSWERED_TRADE = {
    "id": "trade-1",
    "symbol": "BTC-USD",
    "side": "buy",
    "quantity": "0.50",
    "price": "64250.10",
    "strategy": "rsi",
    "executed_at": "2025-03-03T12:00:00.000000Z",
    "trade_day": "2025-03-03",
}


# Making


async def test_a_window_is_made_with_its_config_at_version_1(bench: Bench) -> None:
    wanted = {"window_id": "desk-1", "config": {"end_hour": 17, "cooldown_seconds": 60}}
    made = await bench.ask("POST", WINDOWS, wanted, status=201)
    assert made == {"config": {**DEFAULTS, "end_hour": 17, "cooldown_seconds": 60}, "version": 1}
    assert await bench.get("/api/windows/desk-1/config") == made


async def test_without_a_config_it_has_the_defaults(bench: Bench) -> None:
    assert await bench.ask("POST", WINDOWS, {"window_id": "plain"}, status=201) == {"config": DEFAULTS, "version": 1}


async def test_an_equal_window_is_made_again_with_the_same_answer_and_no_write(bench: Bench) -> None:
    wanted = {"window_id": "desk", "config": {"end_hour": 17}}
    first = await bench.ask("POST", WINDOWS, wanted, status=201)
    before = bench.everything()
    assert await bench.ask("POST", WINDOWS, wanted, status=201) == first
    spelled_out = {"window_id": "desk", "config": {**DEFAULTS, "end_hour": 17, "calendar": None}}
    assert await bench.ask("POST", WINDOWS, spelled_out, status=201) == first
    assert bench.everything() == before


@pytest.mark.parametrize("window_id", ["desk", "default"])
async def test_a_window_that_is_there_with_another_config_stays_as_it_is(bench: Bench, window_id: str) -> None:
    await bench.made("desk")
    before = bench.everything()
    wanted = {"window_id": window_id, "config": {"end_hour": 16}}
    assert await bench.ask("POST", WINDOWS, wanted, status=409) == {
        "error": f"a trading window named '{window_id}' is there already, with another config"
    }
    assert bench.everything() == before


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "window_id: missing is not a name of 1 to 64 letters a-z, digits, dashes and underscores, which begins"),
        ({"window_id": "Desk"}, 'window_id: "Desk" is not a name of 1 to 64 letters a-z'),
        ({"window_id": "-a"}, 'window_id: "-a" is not a name of 1 to 64 letters a-z'),
        ({"window_id": "a" * 65}, 'window_id: "aaaa'),
        ({"window_id": "a\n"}, 'window_id: "a\\n" is not a name'),
        ({"window_id": "\ud800"}, 'window_id: "\\ud800" is not a name'),
        ({"window_id": None}, "window_id: null is not a name"),
        ({"window_id": "a", "config": None}, "config: null is not a table of the config's keys"),
        ({"window_id": "a", "config": [1]}, "config: [1] is not a table of the config's keys"),
        ({"window_id": "a", "more": 1}, "more: 1 is not expected: the known fields are window_id, config"),
        ({"window_id": "a", "config": {"end_hour": 25}}, "end_hour: 25 is not a whole number from 0 to 24"),
        ({"window_id": "a", "config": {"day_turns_at": "session"}}, 'day_turns_at: "session" is not possible without'),
    ],
    ids=str,
)
async def test_a_window_that_is_asked_for_wrongly_is_not_made(bench: Bench, body: Any, sentence: str) -> None:
    before = bench.everything()
    answer = await bench.ask("POST", WINDOWS, body, status=400)
    assert answer["error"].startswith(sentence)
    assert bench.everything() == before


# Listing


async def test_the_windows_are_listed_in_order_by_pages(bench: Bench) -> None:
    for name in ("b", "a", "c-1", "c"):
        await bench.made(name)
    assert await bench.get(WINDOWS) == {"windows": ["a", "b", "c", "c-1", "default"], "next": None}
    assert await bench.get(WINDOWS, limit=2) == {"windows": ["a", "b"], "next": "b"}
    assert await bench.get(WINDOWS, limit=2, after="b") == {"windows": ["c", "c-1"], "next": "c-1"}
    assert await bench.get(WINDOWS, limit=2, after="c-1") == {"windows": ["default"], "next": None}
    assert await bench.get(WINDOWS, limit=2, after="c") == {"windows": ["c-1", "default"], "next": None}
    assert await bench.get(WINDOWS, after="bb") == {"windows": ["c", "c-1", "default"], "next": None}
    assert await bench.get(WINDOWS, after="z") == {"windows": [], "next": None}


# The whole


async def test_the_whole_window_at_one_instant(bench: Bench) -> None:
    path = await bench.made(start_hour=9, end_hour=17, max_trades_per_day=4, in_doubt_after_seconds=1)
    await bench.ask("POST", f"{path}/trades", TRADE, status=201)
    await bench.ask("POST", f"{path}/permits", {}, status=201)
    await bench.ask("POST", f"{path}/permits", {}, status=201)
    await bench.ask("POST", f"{path}/permits/permit-2/sent")
    await bench.ask("POST", f"{path}/halts", {"reason": "fork", "author": "ann", "symbol": "ETH-USD"})
    bench.at("2025-03-03T12:00:30Z")
    assert await bench.get(path) == {
        "window_id": "desk",
        "version": 1,
        "config": {
            "start_hour": 9,
            "end_hour": 17,
            "max_trades_per_day": 4,
            "timezone": "UTC",
            "in_doubt_after_seconds": 1,
        },
        "is_open": True,
        "next_open": "2025-03-04T09:00:00.000000Z",
        "next_close": "2025-03-03T17:00:00.000000Z",
        "trade_day": "2025-03-03",
        "trades_today": 3,
        "max_trades_per_day": 4,
        "remaining_trades": 1,
        "open_permits": 2,
        "in_doubt": 1,
        "halts": {
            "ETH-USD": {"reason": "fork", "author": "ann", "since": "2025-03-03T12:00:00.000000Z", "until": None}
        },
        "warning": None,
    }


async def test_one_that_never_opens_and_one_that_never_closes_know_no_such_instant(bench: Bench) -> None:
    never = await bench.get(await bench.made("never", start_hour=22, end_hour=6))
    assert (never["is_open"], never["next_open"], never["next_close"]) == (False, None, None)
    always = await bench.get(await bench.made("always"))
    assert (always["is_open"], always["next_open"], always["next_close"]) == (True, None, None)


UNKNOWN = [
    ("GET", "", None),
    ("GET", "/config", None),
    ("PUT", "/config", {"end_hour": 17}),
    ("GET", "/decision", None),
    ("GET", "/schedule", None),
    ("POST", "/trades", TRADE),
    ("GET", "/trades", None),
    ("GET", "/ledger", None),
]


@pytest.mark.parametrize(("method", "rest", "body"), UNKNOWN, ids=[f"{method} {rest}" for method, rest, _ in UNKNOWN])
async def test_a_window_that_was_never_made_is_a_404(bench: Bench, method: str, rest: str, body: Any) -> None:
    before = bench.everything()
    answer = await bench.ask(method, f"/api/windows/none{rest}", body, status=404)
    assert answer == {"error": "no trading window is named 'none'"}
    assert bench.everything() == before


# Configs


async def test_each_change_of_a_config_is_the_next_version_and_an_entry(bench: Bench) -> None:
    path = await bench.made(end_hour=17)
    changes: dict[str, Any] = {"max_trades_per_day": 2, "symbol_limits": {"BTC-USD": 1, "*": 2}}
    second = {"config": {**DEFAULTS, "end_hour": 17, **changes}, "version": 2}
    assert await bench.ask("PUT", f"{path}/config", changes) == second
    assert await bench.ask("PUT", f"{path}/config", {}) == second
    assert await bench.ask("PUT", f"{path}/config", changes) == second
    third = {"config": {**DEFAULTS, "end_hour": 17, "max_trades_per_day": 2}, "version": 3}
    assert await bench.ask("PUT", f"{path}/config", {"symbol_limits": {}}) == third
    assert await bench.get(f"{path}/config") == third
    newest, oldest = (await bench.get(f"{path}/ledger"))["entries"]
    assert oldest["data"] == {"before": {**DEFAULTS, "end_hour": 17}, "after": second["config"]}
    assert newest["data"] == {"before": second["config"], "after": third["config"]}


async def test_a_change_never_rewrites_what_was_counted(bench: Bench) -> None:
    path = await bench.made()
    for _ in range(3):
        await bench.ask("POST", f"{path}/trades", TRADE, status=201)
    listed = await bench.get(f"{path}/trades")
    await bench.ask("PUT", f"{path}/config", {"max_trades_per_day": 2})
    whole = await bench.get(path)
    assert (whole["trades_today"], whole["remaining_trades"]) == (3, 0)
    assert await bench.get(f"{path}/trades") == listed


WRONG_CONFIGS: list[tuple[dict[str, Any], str]] = [
    ({"start_hour": 24}, "start_hour: 24 is not a whole number from 0 to 23"),
    ({"start_hour": None}, "start_hour: null is not a whole number from 0 to 23"),
    ({"start_hour": "9"}, 'start_hour: "9" is not a whole number from 0 to 23'),
    ({"start_hour": 9.0}, "start_hour: 9.0 is not a whole number from 0 to 23"),
    ({"end_hour": -1}, "end_hour: -1 is not a whole number from 0 to 24"),
    ({"max_trades_per_day": True}, "max_trades_per_day: true is not a whole number from 0 to 1000000"),
    ({"max_trades_per_day": 1_000_001}, "max_trades_per_day: 1000001 is not a whole number from 0 to 1000000"),
    ({"timezone": "Mars/Base"}, 'timezone: "Mars/Base" is not a time zone of the IANA database, such as'),
    ({"timezone": "../etc/passwd"}, 'timezone: "../etc/passwd" is not a time zone of the IANA database, such as'),
    ({"intervals": None}, "intervals: null is not a list of intervals, such as"),
    ({"intervals": [{"start": "09:00", "end": "09:00"}]}, 'intervals: [{"start": "09:00", "end": "09:00"}] is not a'),
    (
        {"intervals": [{"start": "9:00", "end": "17:00"}]},
        'intervals: [{"start": "9:00", "end": "17:00"}] is not a list',
    ),
    ({"intervals": [{"days": [], "start": "09:00", "end": "17:00"}]}, 'intervals: [{"days": [], "start"'),
    (
        {"intervals": [{"days": ["mon", "mon"], "start": "09:00", "end": "17:00"}]},
        'intervals: [{"days": ["mon", "mon"]',
    ),
    ({"calendar": "NOPE"}, 'calendar: "NOPE" is not the code of a calendar that exchange_calendars knows'),
    ({"calendar": ""}, 'calendar: "" is not the code of a calendar that exchange_calendars knows, such as XSTO'),
    (
        {"blackouts": [{"start": "2025-03-03T10:00:00", "end": "2025-03-03T11:00:00Z", "reason": "news"}]},
        'blackouts: [{"start": "2025-03-03T10:00:00", "end": "2025-03-03T11:00:00Z", "reason": "news is not a list',
    ),
    ({"blackouts": [{"start": "2025-03-03T11:00:00Z", "end": "2025-03-03T10:00:00Z", "reason": "r"}]}, "blackouts: [{"),
    ({"weekly_blackouts": [{"start": "10:00", "end": "11:00"}]}, 'weekly_blackouts: [{"start": "10:00", "end": "11:0'),
    ({"day_turns_at": "24:00"}, 'day_turns_at: "24:00" is not a time of day from 00:00 to 23:59, written HH:MM, or'),
    ({"day_turns_at": "session"}, 'day_turns_at: "session" is not possible without a calendar'),
    ({"day_timezone": "Nowhere"}, 'day_timezone: "Nowhere" is not a time zone of the IANA database'),
    (
        {"symbol_limits": {"btc-usd": 1}},
        'symbol_limits: {"btc-usd": 1} is not a table of at most 500 symbols such as BTC-USD or "*" (each other one)',
    ),
    ({"symbol_limits": {"BTC-USD": -1}}, 'symbol_limits: {"BTC-USD": -1} is not a table of at most 500 symbols'),
    ({"symbol_limits": {"": 1}}, 'symbol_limits: {"": 1} is not a table of at most 500 symbols'),
    (
        {"strategy_limits": {"": 1}},
        'strategy_limits: {"": 1} is not a table of at most 500 names or "*" (each other one)',
    ),
    ({"side_limits": {"hold": 1}}, 'side_limits: {"hold": 1} is not a table of "buy", "sell" or "*" with a limit'),
    ({"strategy_limits": [["rsi", 1]]}, 'strategy_limits: [["rsi", 1]] is not a table of at most 500 names'),
    ({"cooldown_seconds": 604_801}, "cooldown_seconds: 604801 is not a whole number from 0 to 604800"),
    ({"symbol_cooldown_seconds": -1}, "symbol_cooldown_seconds: -1 is not a whole number from 0 to 604800"),
    ({"permit_seconds": 0}, "permit_seconds: 0 is not a whole number from 1 to 86400"),
    ({"in_doubt_after_seconds": 86_401}, "in_doubt_after_seconds: 86401 is not a whole number from 1 to 86400"),
    ({"confirm_while_halted": "yes"}, 'confirm_while_halted: "yes" is not true or false'),
    ({"confirm_while_halted": None}, "confirm_while_halted: null is not true or false"),
    ({"max_trades": 3}, "max_trades: 3 is not expected: the known fields are start_hour, end_hour, max_trades_per_day"),
    ({"\ud800": 3}, "\\ud800: 3 is not expected: the known fields are start_hour, end_hour, max_trades_per_day"),
    ({"end_hour": 12, "start_hour": 99, "zzz": 1}, "start_hour: 99 is not a whole number from 0 to 23"),
]


CALENDAR_UNKNOWN = 'calendar: "NOPE" is not the code of a calendar'
SEVERAL_WRONG: list[tuple[dict[str, Any], str]] = [
    ({"calendar": "NOPE", "start_hour": 99}, "start_hour: 99 is not a whole number from 0 to 23"),
    ({"calendar": "NOPE", "intervals": None}, "intervals: null is not a list of intervals"),
    ({"cooldown_seconds": -1, "calendar": "NOPE"}, CALENDAR_UNKNOWN),
    ({"blackouts": None, "calendar": "NOPE", "day_turns_at": "session"}, CALENDAR_UNKNOWN),
    ({"zzz": 1, "calendar": "NOPE"}, CALENDAR_UNKNOWN),
    ({"cooldown_seconds": -1, "calendar": "XSTO"}, "cooldown_seconds: -1 is not a whole number from 0 to 604800"),
]


@pytest.mark.parametrize("window_id", ["default", "desk"])
@pytest.mark.parametrize(("config", "sentence"), SEVERAL_WRONG, ids=[str(config) for config, _ in SEVERAL_WRONG])
async def test_of_several_wrong_keys_the_first_in_the_config_s_order_is_named(
    bench: Bench, window_id: str, config: dict[str, Any], sentence: str
) -> None:
    await bench.made()
    before = bench.everything()
    changed = await bench.ask("PUT", f"{WINDOWS}/{window_id}/config", config, status=400)
    made = await bench.ask("POST", WINDOWS, {"window_id": "other", "config": config}, status=400)
    assert changed["error"].startswith(sentence)
    assert made["error"].startswith(sentence)
    assert bench.everything() == before


async def test_a_config_may_have_as_many_rules_as_it_may_list() -> None:
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    weekly = {"days": days, "start": "10:00", "end": "10:01"}
    once = {"start": "2025-03-03T10:00:00.000000Z", "end": "2025-03-03T10:01:00.000000Z", "reason": "[{"}
    config: dict[str, Any] = {
        "intervals": [weekly] * 500,
        "blackouts": [once] * 500,
        "weekly_blackouts": [{**weekly, "reason": "}]"}] * 500,
        "symbol_limits": {f"S{number}": number for number in range(500)},
        "side_limits": {"buy": 1, "sell": 2, "*": 3},
        "strategy_limits": {f"s{number}": number for number in range(500)},
    }
    bench = Bench(max_body_bytes=1_048_576)
    path = await bench.made(**config)
    assert (await bench.get(f"{path}/config"))["config"] == {**DEFAULTS, **config}
    await bench.ask("PUT", f"{path}/config", config)
    one_more = await bench.ask("PUT", f"{path}/config", {"intervals": [weekly] * 501}, status=400)
    assert one_more["error"].startswith('intervals: [{"days": ["mon"')
    await bench.http.aclose()


@pytest.mark.parametrize(("config", "sentence"), WRONG_CONFIGS, ids=[str(config) for config, _ in WRONG_CONFIGS])
async def test_a_wrong_config_is_refused_by_its_key_its_value_and_the_bound(
    bench: Bench, config: dict[str, Any], sentence: str
) -> None:
    path = await bench.made(end_hour=20)
    before = bench.everything()
    changed = await bench.ask("PUT", f"{path}/config", config, status=400)
    made = await bench.ask("POST", WINDOWS, {"window_id": "other", "config": config}, status=400)
    assert changed["error"].startswith(sentence)
    assert made["error"].startswith(sentence)
    assert bench.everything() == before


# Decisions


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


# Schedules


async def test_the_next_opens_and_closes_of_an_overnight_window(bench: Bench) -> None:
    overnight = {"days": ["mon", "fri"], "start": "22:00", "end": "06:00"}
    path = await bench.made(timezone="Europe/Stockholm", intervals=[overnight])
    assert await bench.get(f"{path}/schedule", limit=4) == {
        "is_open": False,
        "upcoming": [
            {"opens": True, "at": "2025-03-03T21:00:00.000000Z"},
            {"opens": False, "at": "2025-03-04T05:00:00.000000Z"},
            {"opens": True, "at": "2025-03-07T21:00:00.000000Z"},
            {"opens": False, "at": "2025-03-08T05:00:00.000000Z"},
        ],
        "known_until": None,
        "warning": None,
    }
    at_the_change_to_summer_time = "2025-03-28T22:00:00+01:00"
    summer = await bench.get(f"{path}/schedule", at=at_the_change_to_summer_time, limit=3)
    assert summer["is_open"] is True
    assert summer["upcoming"] == [
        {"opens": False, "at": "2025-03-29T05:00:00.000000Z"},
        {"opens": True, "at": "2025-03-31T20:00:00.000000Z"},
        {"opens": False, "at": "2025-04-01T04:00:00.000000Z"},
    ]


async def test_ten_turns_are_told_unless_another_number_is_given(bench: Bench) -> None:
    path = await bench.made(start_hour=9, end_hour=17)
    assert len((await bench.get(f"{path}/schedule"))["upcoming"]) == 10
    assert len((await bench.get(f"{path}/schedule", limit=500))["upcoming"]) == 500


async def test_a_calendar_says_how_far_it_knows_and_warns_before(bench: Bench) -> None:
    path = await bench.made(calendar="XSTO")
    noon = await bench.get(f"{path}/schedule", limit=2)
    assert noon["upcoming"] == [
        {"opens": False, "at": "2025-03-03T16:30:00.000000Z"},
        {"opens": True, "at": "2025-03-04T08:00:00.000000Z"},
    ]
    known_until = noon["known_until"]
    assert known_until > "2026-01-01"
    assert noon["warning"] is None
    end = await bench.get(f"{path}/schedule", at=known_until)
    assert (end["is_open"], end["upcoming"]) == (False, [])
    assert end["warning"].startswith(f"the calendar XSTO is known until {known_until}, and from then on the window")


OVERNIGHT_AT_AN_EXCHANGE: dict[str, Any] = {"intervals": [{"start": "22:00", "end": "06:00"}], "calendar": "XSTO"}


async def test_a_window_that_never_opens_says_so(bench: Bench) -> None:
    path = await bench.made(**OVERNIGHT_AT_AN_EXCHANGE)
    schedule = await bench.get(f"{path}/schedule", at="2025-03-03T12:00:00Z")
    sentence = "no opening is known from 2025-03-03T12:00:00.000000Z on: hours, calendar and blackouts leave none"
    assert (schedule["upcoming"], schedule["warning"]) == ([], sentence)
    assert (await bench.get(path))["warning"] == sentence
    # Its hours clear by themselves, and nothing else denied at noon.
    decision = await bench.get(f"{path}/decision", at="2025-03-03T12:00:00Z")
    assert [(one["code"], one["clears_at"]) for one in decision["reasons"]] == [
        ("OUTSIDE_HOURS", "2025-03-03T22:00:00.000000Z")
    ]
    at_ten = await bench.get(f"{path}/decision", at="2025-03-03T22:00:00Z")
    assert [one["code"] for one in at_ten["reasons"]] == ["CALENDAR_CLOSED"]


async def test_a_config_by_which_a_window_never_opens_is_taken_and_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    path = await bench.made(start_hour=9, end_hour=17)
    assert caplog.messages == []
    await bench.ask("PUT", f"{path}/config", OVERNIGHT_AT_AN_EXCHANGE)
    new = {"window_id": "never", "config": {"start_hour": 22, "end_hour": 6}}
    await bench.ask("POST", "/api/windows", new, status=201)
    assert caplog.messages == [
        "window 'desk': no opening is known from 2025-03-03T12:00:00.000000Z on: hours, calendar and blackouts leave "
        "none",
        "window 'never': no opening is known from 2025-03-03T12:00:00.000000Z on: hours and blackouts leave none",
    ]


# Trades


async def test_a_trade_is_registered_and_counted(bench: Bench) -> None:
    path = await bench.made(max_trades_per_day=2)
    answer = await bench.ask("POST", f"{path}/trades", TRADE, status=201)
    assert answer == {"trade": ANSWERED_TRADE, "trades_today": 1, "remaining_trades": 1}
    assert await bench.get(f"{path}/trades") == {"trades": [ANSWERED_TRADE], "count": 1}
    assert (await bench.get("/api/windows/default"))["trades_today"] == 0


async def test_a_keyed_trade_is_answered_again_when_the_window_is_closed_and_full(bench: Bench) -> None:
    path = await bench.made(max_trades_per_day=1, end_hour=13)
    first = await bench.ask("POST", f"{path}/trades", TRADE, status=201, key="order-1")
    bench.at("2025-03-03T13:00:00Z")
    await bench.ask("POST", f"{path}/halts", {"author": "ann", "reason": "lunch"})
    before = bench.everything()
    assert await bench.ask("POST", f"{path}/trades", TRADE, status=201, key="order-1") == first
    same = {**TRADE, "quantity": 0.5, "price": "64250.1000"}
    assert await bench.ask("POST", f"{path}/trades", same, status=201, key="order-1") == first
    for other in ({**TRADE, "quantity": "0.51"}, {**TRADE, "reduces": True}):
        assert await bench.ask("POST", f"{path}/trades", other, status=422, key="order-1") == {
            "error": 'Idempotency-Key: "order-1" was used for a request with another body'
        }
    refused = await bench.ask("POST", f"{path}/trades", TRADE, status=403, key="order-2")
    assert [each["code"] for each in refused["reasons"]] == ["HALTED", "OUTSIDE_HOURS", "DAILY_LIMIT"]
    assert bench.everything() == before


async def test_a_refusal_is_not_kept_under_its_key(bench: Bench) -> None:
    path = await bench.made(end_hour=12)
    await bench.ask("POST", f"{path}/trades", TRADE, status=403, key="order-1")
    await bench.ask("PUT", f"{path}/config", {"end_hour": 13})
    await bench.ask("POST", f"{path}/trades", TRADE, status=201, key="order-1")


async def test_a_key_is_its_window_s_own(bench: Bench) -> None:
    one, other = await bench.made("one"), await bench.made("other")
    for path, number in ((one, 1), (other, 2)):
        answer = await bench.ask("POST", f"{path}/trades", TRADE, status=201, key="order-1")
        assert answer["trade"]["id"] == f"trade-{number}"


async def test_a_trade_that_only_reduces_takes_no_slot_and_says_so(bench: Bench) -> None:
    path = await bench.made(max_trades_per_day=0, end_hour=9, cooldown_seconds=60)
    answer = await bench.ask("POST", f"{path}/trades", {**TRADE, "reduces": True}, status=201)
    reducing = {**ANSWERED_TRADE, "reduces": True}
    assert answer == {"trade": reducing, "trades_today": 0, "remaining_trades": 0}
    assert await bench.get(f"{path}/trades") == {"trades": [reducing], "count": 1}
    assert (await bench.get(f"{path}/ledger"))["entries"][0]["data"] == reducing


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"symbol": None}, "symbol: null is not a symbol such as BTC-USD"),
        ({"symbol": "btc"}, 'symbol: "btc" is not a symbol such as BTC-USD'),
        ({"side": "hold"}, 'side: "hold" is not "buy" or "sell"'),
        ({"quantity": 0}, "quantity: 0 is not a decimal greater than 0"),
        (
            {"quantity": "1e400000000000000000000"},
            'quantity: "1e400000000000000000000" is not a decimal greater than 0',
        ),
        ({"price": "-1"}, 'price: "-1" is not a decimal greater than 0'),
        ({"price": None}, "price: null is not a decimal greater than 0"),
        ({"strategy": ""}, 'strategy: "" is not a text of 1 to 64 printable characters'),
        ({"reduces": "true"}, 'reduces: "true" is not true or false'),
        ({"reduces": None}, "reduces: null is not true or false"),
        ({"more": 1}, "more: 1 is not expected: the known fields are symbol, side, quantity, price, strategy, reduces"),
    ],
    ids=str,
)
async def test_a_wrong_trade_is_not_counted(bench: Bench, changes: dict[str, Any], sentence: str) -> None:
    path = await bench.made()
    before = bench.everything()
    answer = await bench.ask("POST", f"{path}/trades", {**TRADE, **changes}, status=400)
    assert answer["error"].startswith(sentence)
    assert bench.everything() == before


async def test_a_wrong_key_counts_nothing(bench: Bench) -> None:
    path = await bench.made()
    before = bench.everything()
    for key in ("", "two words", "k" * 256):
        answer = await bench.ask("POST", f"{path}/trades", TRADE, status=400, key=key)
        assert answer["error"].startswith(f'Idempotency-Key: "{key}'[:80])
        assert answer["error"].endswith(" is not 1 to 255 visible ASCII characters")
    assert bench.everything() == before


async def test_trades_are_listed_newest_first_by_day_and_symbol(bench: Bench) -> None:
    path = await bench.made()
    await bench.ask("POST", f"{path}/trades", TRADE, status=201)
    await bench.ask("POST", f"{path}/trades", {**TRADE, "symbol": "ETH-USD"}, status=201)
    bench.at("2025-03-04T12:00:00Z")
    await bench.ask("POST", f"{path}/trades", TRADE, status=201)

    async def ids(**query: Any) -> list[str]:
        listed = await bench.get(f"{path}/trades", **query)
        assert listed["count"] == len(listed["trades"])
        return [trade["id"] for trade in listed["trades"]]

    assert await ids() == ["trade-3", "trade-2", "trade-1"]
    assert await ids(limit=2) == ["trade-3", "trade-2"]
    assert await ids(date="2025-03-03") == ["trade-2", "trade-1"]
    assert await ids(symbol="BTC-USD") == ["trade-3", "trade-1"]
    assert await ids(symbol="BTC-USD", date="2025-03-05") == []


# Ledgers


async def seven_changes(bench: Bench) -> str:
    """One of each kind, the trades and the permit's steps."""
    path = await bench.made()
    await bench.ask("POST", f"{path}/trades", TRADE, status=201)
    await bench.ask("POST", f"{path}/halts", {"author": "ann", "reason": "lunch", "until": "2025-03-03T13:00:00Z"})
    await bench.ask("PUT", f"{path}/config", {"end_hour": 23})
    bench.at("2025-03-04T12:00:00Z")
    await bench.ask("POST", f"{path}/permits", {"symbol": "BTC-USD"}, status=201)
    await bench.ask("POST", f"{path}/permits/permit-1/release", {"reason": "no fill"})
    return path


IN_ORDER = [
    (1, "trade-1", "trade"),
    (2, "halt-1", "halt"),
    (3, "config-1", "config"),
    (4, "halt-*-2025-03-03T13:00:00.000000Z", "halt"),
    (5, "day-2025-03-04", "day"),
    (6, "permit-1-reserved", "permit"),
    (7, "permit-1-released", "permit"),
]


def told(entry: dict[str, Any]) -> tuple[int, str, str]:
    return entry["sequence"], entry["id"], entry["kind"]


async def test_every_change_is_an_entry(bench: Bench) -> None:
    path = await seven_changes(bench)
    answer = await bench.get(f"{path}/ledger")
    assert [told(entry) for entry in answer["entries"]] == IN_ORDER[::-1]
    assert (answer["count"], answer["next"]) == (7, None)
    released, _, day, ended, *_ = answer["entries"]
    assert released == {
        "sequence": 7,
        "id": "permit-1-released",
        "kind": "permit",
        "instant": "2025-03-04T12:00:00.000000Z",
        "trade_day": "2025-03-04",
        "symbol": "BTC-USD",
        "subject": "permit-1",
        "data": {
            "id": "permit-1",
            "symbol": "BTC-USD",
            "side": None,
            "quantity": None,
            "price": None,
            "strategy": None,
            "reduces": False,
            "status": "released",
            "trade_day": "2025-03-04",
            "reserved_at": "2025-03-04T12:00:00.000000Z",
            "deadline": None,
            "reason": "no fill",
        },
    }
    assert day["data"] == {"before": "2025-03-03", "after": "2025-03-04", "trades": 1}
    assert (ended["data"]["status"], ended["data"]["until"]) == ("ended", "2025-03-03T13:00:00.000000Z")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8])
async def test_pages_have_neither_a_gap_nor_an_overlap_while_the_ledger_grows(bench: Bench, limit: int) -> None:
    path = await seven_changes(bench)
    found: list[tuple[int, str, str]] = []
    before: dict[str, int] = {}
    while True:
        page = await bench.get(f"{path}/ledger", limit=limit, **before)
        assert page["count"] == len(page["entries"]) <= limit
        found += [told(entry) for entry in page["entries"]]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
        await bench.ask("POST", f"{path}/halts", {"author": "ann", "reason": "again"})
    assert found == IN_ORDER[::-1]


@pytest.mark.parametrize(
    ("kind", "sequences"), [("trade", [1]), ("permit", [7, 6]), ("halt", [4, 2]), ("config", [3]), ("day", [5])]
)
async def test_a_ledger_by_kind(bench: Bench, kind: str, sequences: list[int]) -> None:
    path = await seven_changes(bench)
    assert [entry["sequence"] for entry in (await bench.get(f"{path}/ledger", kind=kind))["entries"]] == sequences
    paged: list[int] = []
    before: dict[str, int] = {}
    while True:
        page = await bench.get(f"{path}/ledger", kind=kind, limit=1, **before)
        assert page["count"] == 1
        paged += [entry["sequence"] for entry in page["entries"]]
        if page["next"] is None:
            break
        before = {"before": page["next"]}
    assert paged == sequences


# What is malformed


BODIES = [("POST", WINDOWS), ("PUT", "/api/windows/desk/config"), ("POST", "/api/windows/desk/trades")]


@pytest.mark.parametrize(("method", "path"), BODIES, ids=" ".join)
@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_body_changes_nothing(bench: Bench, method: str, path: str, malformed: Malformed) -> None:
    await bench.made()
    before = bench.everything()
    assert await bench.send(method, path, malformed) == {"error": malformed.sentence}
    assert bench.everything() == before


LIMIT_RULE = "is not a whole number from 1 to 500"
INSTANT_RULE = (
    "is not an instant with its offset, such as 2026-12-24T12:00:00Z or 2026-12-24T13:00:00%2B01:00 (%2B is how a plus "
    "sign is written in a query)"
)
WRONG_QUERIES = [
    ("?limit=0", f'limit: "0" {LIMIT_RULE}'),
    ("?limit=501", f'limit: "501" {LIMIT_RULE}'),
    ("?limit=", f'limit: "" {LIMIT_RULE}'),
    (f"?after={'a' * 65}", 'after: "aaaa'),
    ("/desk/decision?symbol=btc", 'symbol: "btc" is not a symbol such as BTC-USD'),
    ("/desk/decision?side=up", 'side: "up" is not "buy" or "sell"'),
    ("/desk/decision?strategy=", 'strategy: "" is not a text of 1 to 64 printable characters'),
    ("/desk/decision?reduces=yes", 'reduces: "yes" is not true or false'),
    ("/desk/decision?reduces=1", 'reduces: "1" is not true or false'),
    ("/desk/decision?at=noon", f'at: "noon" {INSTANT_RULE}'),
    ("/desk/decision?at=2025-03-03T12:00:00", f'at: "2025-03-03T12:00:00" {INSTANT_RULE}'),
    ("/desk/decision?at=2025-03-03T12:00:00+01:00", f'at: "2025-03-03T12:00:00 01:00" {INSTANT_RULE}'),
    ("/desk/decision?at=1741003200", f'at: "1741003200" {INSTANT_RULE}'),
    ("/desk/decision?at=0001-01-01T00:00:00%2B01:00", f'at: "0001-01-01T00:00:00+01:00" {INSTANT_RULE}'),
    ("/desk/schedule?at=", f'at: "" {INSTANT_RULE}'),
    ("/desk/schedule?at=9999-12-31T23:59:59-01:00", f'at: "9999-12-31T23:59:59-01:00" {INSTANT_RULE}'),
    ("/desk/schedule?limit=1.5", f'limit: "1.5" {LIMIT_RULE}'),
    ("/desk/trades?date=2025-02-30", 'date: "2025-02-30" is not a date, written YYYY-MM-DD'),
    ("/desk/trades?limit=-1", f'limit: "-1" {LIMIT_RULE}'),
    ("/desk/ledger?kind=trades", 'kind: "trades" is not "trade", "permit", "halt", "config" or "day"'),
    ("/desk/ledger?before=0", "before: "),
    ("/desk/ledger?before=x", 'before: "x" is not a sequence number, a whole number from 1'),
    ("/desk/ledger?before=99999999999999999999", 'before: "99999999999999999999" is not a sequence number'),
]


@pytest.mark.parametrize(("rest", "sentence"), WRONG_QUERIES, ids=[rest for rest, _ in WRONG_QUERIES])
async def test_a_wrong_query_is_refused_by_its_parameter_its_value_and_the_bound(
    bench: Bench, rest: str, sentence: str
) -> None:
    await bench.made()
    before = bench.everything()
    answer = await bench.ask("GET", f"{WINDOWS}{rest}", status=400)
    assert answer["error"].startswith(sentence)
    assert bench.everything() == before


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"])
@pytest.mark.parametrize(
    "config",
    [
        {"start_hour": 9, "end_hour": 17, "timezone": "Asia/Tokyo"},
        {"intervals": [{"start": "22:00", "end": "06:00"}], "timezone": "America/New_York"},
        {"max_trades_per_day": 0, "day_turns_at": "17:00", "day_timezone": "Pacific/Auckland"},
    ],
    ids=str,
)
async def test_the_first_and_the_last_instant_can_be_asked_about(bench: Bench, at: str, config: dict[str, Any]) -> None:
    path = await bench.made(**config)
    assert (await bench.get(f"{path}/decision", at=at))["allowed"] in (True, False)
    assert (await bench.get(f"{path}/schedule", at=at))["known_until"] is None
