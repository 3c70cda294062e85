"""A window's config over HTTP."""

from typing import Any

import pytest

from tests.fastapi_app.routers.bench import DEFAULTS, TRADE, WINDOWS, Bench


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
