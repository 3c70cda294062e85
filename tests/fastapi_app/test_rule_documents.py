"""Each rule's page and example in the OpenAPI document, and that the code really answers so."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, get_args

import pytest
from fastapi.openapi.models import OpenAPI

from fastapi_app.rule_documents import RULES, status_of
from fastapi_app.windows_wire import RefusedAnswer
from shared.errors import ReasonCode
from shared.upkeep import without_permit
from shared.window import Outcome, WindowState
from shared.window_config import WindowConfig
from tests.fastapi_app.openapi import assert_references_lead_somewhere
from tests.fastapi_app.routers.bench import TRADE, Bench
from tests.shared.store.helpers import permit_of, with_outcome

CODES: tuple[ReasonCode, ...] = get_args(ReasonCode)
NOW = "2026-12-23T20:15:00.000000Z"
STATUSES: dict[ReasonCode, int] = {
    "HALTED": 403,
    "OUTSIDE_HOURS": 403,
    "CALENDAR_CLOSED": 403,
    "CALENDAR_UNKNOWN": 403,
    "BLACKOUT": 403,
    "DAILY_LIMIT": 409,
    "SYMBOL_LIMIT": 409,
    "SIDE_LIMIT": 409,
    "STRATEGY_LIMIT": 409,
    "COOLDOWN": 409,
    "SYMBOL_COOLDOWN": 409,
    "PERMIT_LIMIT": 409,
}

each_code = pytest.mark.parametrize("code", CODES)

Refusing = Callable[[Bench], Awaitable[Any]]
"""Brings a window into a state in which one rule refuses, and answers with that refusal."""


@pytest.fixture
async def bench() -> Any:
    bench = Bench()
    bench.at(NOW)
    yield bench
    await bench.http.aclose()


@pytest.fixture(scope="module")
def document() -> Any:
    return asyncio.run(Bench().get("/openapi.json"))


def answer_of(code: ReasonCode) -> dict[str, Any]:
    """The answer to an order that this rule alone refuses, by its example."""
    example = RULES[code].example
    return {"error": example["sentence"], "reasons": [example], "clears_at": example["clears_at"]}


def test_every_code_has_its_document_in_the_order_of_the_reasons() -> None:
    assert tuple(RULES) == CODES
    assert {code: status_of(code) for code in CODES} == STATUSES


@each_code
def test_a_document_names_keys_of_the_config_and_an_answer_of_the_model(code: ReasonCode) -> None:
    assert set(RULES[code].config) <= WindowConfig.model_fields.keys()
    assert RULES[code].example["code"] == code
    answer = answer_of(code)
    assert json.loads(RefusedAnswer.model_validate(answer).model_dump_json()) == answer


def test_no_key_that_refuses_is_without_a_document() -> None:
    of_permits = {"permit_seconds", "in_doubt_after_seconds"}
    assert {key for rule in RULES.values() for key in rule.config} == WindowConfig.model_fields.keys() - of_permits


# In the OpenAPI document


TRADES = "/api/windows/{window_id}/trades"
PERMITS = "/api/windows/{window_id}/permits"


def examples(document: Any, path: str, status: int) -> dict[str, Any]:
    answer = document["paths"][path]["post"]["responses"][str(status)]["content"]["application/json"]
    assert answer["schema"] == {"$ref": "#/components/schemas/RefusedAnswer"}
    found: dict[str, Any] = answer["examples"]
    return found


@pytest.mark.parametrize(("path", "never"), [(TRADES, "PERMIT_LIMIT"), (PERMITS, None)])
def test_each_endpoint_that_asks_shows_an_example_of_each_refusal_that_it_knows(
    document: Any, path: str, never: str | None
) -> None:
    for status in (403, 409):
        shown = examples(document, path, status)
        assert list(shown) == [code for code in CODES if STATUSES[code] == status and code != never]
        for code, example in shown.items():
            assert example["value"]["reasons"][0]["code"] == code
            assert example["value"]["error"] == example["value"]["reasons"][0]["sentence"]
            assert example["summary"]
            assert "Config: " in example["description"]


def test_an_example_in_the_document_has_its_nulls(document: Any) -> None:
    for status in (403, 409):
        shown = examples(document, PERMITS, status)
        assert {code: shown[code]["value"] for code in shown} == {
            code: answer_of(code) for code in CODES if STATUSES[code] == status
        }


def test_a_confirmation_shows_the_one_refusal_that_it_knows(document: Any) -> None:
    assert list(examples(document, "/api/windows/{window_id}/permits/{permit_id}/confirm", 403)) == ["HALTED"]


def test_each_rule_has_its_page(document: Any) -> None:
    pages = {tag["name"]: tag["description"] for tag in document["tags"] if tag["name"].startswith("rule ")}
    assert list(pages) == [f"rule {code}" for code in CODES]
    for code, page in zip(CODES, pages.values(), strict=True):
        _, _, rest = page.partition("```json\n")
        example, _, _ = rest.partition("\n```")
        assert json.loads(example) == RULES[code].example
        assert f"A refusal is a {STATUSES[code]} with this reason" in page


def test_the_document_is_valid_and_nothing_in_it_leads_nowhere(document: Any) -> None:
    OpenAPI.model_validate(document)
    assert_references_lead_somewhere(document)


# What is really answered


async def _permit(bench: Bench, path: str) -> Any:
    return await bench.ask("POST", f"{path}/permits", {k: TRADE[k] for k in ("symbol", "side", "strategy")}, status=409)


async def _halted(bench: Bench) -> Any:
    path = await bench.made()
    await bench.ask("POST", f"{path}/halts", {"reason": "fat finger", "author": "ann"})
    return await bench.ask("POST", f"{path}/trades", TRADE, status=403)


async def _outside_hours(bench: Bench) -> Any:
    path = await bench.made(start_hour=9, end_hour=17, timezone="Europe/Stockholm")
    return await bench.ask("POST", f"{path}/trades", TRADE, status=403)


async def _blackout(bench: Bench) -> Any:
    one = {"start": "2026-12-23T20:00:00Z", "end": "2026-12-23T22:00:00+01:00", "reason": "rate decision"}
    path = await bench.made(blackouts=[one])
    return await bench.ask("POST", f"{path}/trades", TRADE, status=403)


async def _full(bench: Bench, trades: int, **config: Any) -> Any:
    path = await bench.made(**config)
    for _ in range(trades):
        await bench.ask("POST", f"{path}/trades", TRADE, status=201)
    return await _permit(bench, path)


async def _cooling_down(bench: Bench, **config: Any) -> Any:
    path = await bench.made(**config)
    bench.at("2026-12-23T20:14:00Z")
    await bench.ask("POST", f"{path}/trades", TRADE, status=201)
    bench.at(NOW)
    return await _permit(bench, path)


async def _too_many_permits(bench: Bench) -> Any:
    path = await bench.made(max_trades_per_day=1_000_000, permit_seconds=30)
    later = "2026-12-23T20:15:31.000000Z"
    permits = {f"p-{number}": permit_of(f"p-{number}", deadline=later) for number in range(998)}
    permits["p-in-doubt"] = permit_of("p-in-doubt", status="in_doubt", deadline=None)
    bench.store.apply("desk", with_outcome(answer=None, permits=permits), instant=bench.clock.now())
    await bench.ask("POST", f"{path}/permits", {}, status=201)
    return await _permit(bench, path)


REALLY: dict[ReasonCode, Refusing] = {
    "HALTED": _halted,
    "OUTSIDE_HOURS": _outside_hours,
    "BLACKOUT": _blackout,
    "DAILY_LIMIT": lambda bench: _full(bench, 5),
    "SYMBOL_LIMIT": lambda bench: _full(bench, 2, symbol_limits={"BTC-USD": 2}),
    "SIDE_LIMIT": lambda bench: _full(bench, 3, side_limits={"buy": 3}),
    "STRATEGY_LIMIT": lambda bench: _full(bench, 1, strategy_limits={"rsi": 1}),
    "COOLDOWN": lambda bench: _cooling_down(bench, cooldown_seconds=300),
    "SYMBOL_COOLDOWN": lambda bench: _cooling_down(bench, symbol_cooldown_seconds=600),
    "PERMIT_LIMIT": _too_many_permits,
}
"""Those of the examples that can be had to the microsecond."""


@pytest.mark.parametrize(("code", "refused"), REALLY.items(), ids=REALLY)
async def test_the_example_is_what_is_answered(bench: Bench, code: ReasonCode, refused: Refusing) -> None:
    assert await refused(bench) == answer_of(code)


async def test_no_more_permits_than_a_thousand_are_out_and_one_less_frees_a_place(bench: Bench) -> None:
    await _too_many_permits(bench)

    def one_less(config: WindowConfig, state: WindowState, _instant: Any) -> Outcome[None]:
        permit = state["permits"]["p-in-doubt"]
        return Outcome(config, without_permit(state, permit, frees_slot=True), (), None)

    bench.store.apply("desk", one_less, instant=bench.clock.now())
    await bench.ask("POST", "/api/windows/desk/permits", {}, status=201)


IN_SPRING = "2025-03-08T12:00:00.000000Z"
BEYOND = "2099-01-01T12:00:00.000000Z"


@pytest.mark.parametrize(
    ("code", "at", "clears_at"),
    [("CALENDAR_CLOSED", IN_SPRING, "2025-03-10T08:00:00.000000Z"), ("CALENDAR_UNKNOWN", BEYOND, None)],
)
async def test_a_calendar_s_example_is_what_is_answered_at_a_time_that_any_version_knows(
    bench: Bench, code: ReasonCode, at: str, clears_at: str | None
) -> None:
    path = await bench.made(calendar="XSTO")
    bench.at(at)
    example = answer_of(code)
    reason = {**example["reasons"][0], "value": at, "clears_at": clears_at}
    expected = {**example, "reasons": [reason], "clears_at": clears_at}
    assert await bench.ask("POST", f"{path}/trades", TRADE, status=403) == expected


def test_all_examples_were_had() -> None:
    assert {*REALLY, "CALENDAR_CLOSED", "CALENDAR_UNKNOWN"} == {*CODES}
