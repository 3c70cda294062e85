"""What the OpenAPI document says of refusals: each rule with its status, its meaning and an example."""

import json
from collections.abc import Collection
from typing import Any, NamedTuple

from fastapi_app.documents import Responses
from fastapi_app.windows_wire import RefusedAnswer
from shared.errors import ReasonCode
from shared.wire import ErrorAnswer


class RuleDocument(NamedTuple):
    """A rule, for who is refused by it. `config` names the keys that it goes by."""

    status: int
    meaning: str
    config: tuple[str, ...]
    example: dict[str, Any]


def _reason(code: ReasonCode, sentence: str, value: Any, bound: Any, clears_at: str | None) -> dict[str, Any]:
    return {"code": code, "sentence": sentence, "value": value, "bound": bound, "clears_at": clears_at}


_AT = "2026-12-23T20:15:00.000000Z"

RULES: dict[ReasonCode, RuleDocument] = {
    "HALTED": RuleDocument(
        403,
        "A person has stopped all new trades, or the symbol's. Orders that only reduce are stopped, too. It clears "
        "when the halt is ended, or at its `until`.",
        ("confirm_while_halted",),
        _reason("HALTED", "halted: fat finger", "fat finger", None, None),
    ),
    "OUTSIDE_HOURS": RuleDocument(
        403,
        "The wall clock of `timezone` is outside `start_hour` to `end_hour`, or outside every interval.",
        ("start_hour", "end_hour", "intervals", "timezone"),
        _reason(
            "OUTSIDE_HOURS",
            "outside the trading window 9:00 - 17:00",
            _AT,
            "9:00 - 17:00",
            "2026-12-24T08:00:00.000000Z",
        ),
    ),
    "CALENDAR_CLOSED": RuleDocument(
        403,
        "The exchange is closed: a holiday, an early close, a break, or simply its night.",
        ("calendar",),
        _reason("CALENDAR_CLOSED", "the exchange XSTO is closed", _AT, "XSTO", "2026-12-28T08:00:00.000000Z"),
    ),
    "CALENDAR_UNKNOWN": RuleDocument(
        403,
        "The instant is beyond what the calendar knows, so nobody can say that the exchange is open. A newer "
        "exchange_calendars, and a restart, know more.",
        ("calendar",),
        _reason("CALENDAR_UNKNOWN", "nobody knows yet whether the exchange XSTO is open", _AT, "XSTO", None),
    ),
    "BLACKOUT": RuleDocument(
        403,
        "A time without trades, once or repeating; each that covers the instant is a reason of its own.",
        ("blackouts", "weekly_blackouts"),
        _reason("BLACKOUT", "blackout: rate decision", _AT, "rate decision", "2026-12-23T21:00:00.000000Z"),
    ),
    "DAILY_LIMIT": RuleDocument(
        409,
        "The trading day's slots are occupied: confirmed, pending or in doubt. It clears when enough permits expire, "
        "or the day turns.",
        ("max_trades_per_day", "day_turns_at", "day_timezone"),
        _reason("DAILY_LIMIT", "daily trade limit of 5 reached", 5, 5, "2026-12-24T00:00:00.000000Z"),
    ),
    "SYMBOL_LIMIT": RuleDocument(
        409,
        "The symbol's share of the trading day is used up.",
        ("symbol_limits",),
        _reason(
            "SYMBOL_LIMIT", "daily trade limit of 2 reached for symbol BTC-USD", 2, 2, "2026-12-24T00:00:00.000000Z"
        ),
    ),
    "SIDE_LIMIT": RuleDocument(
        409,
        "The share of the trading day that buys, or sells, have is used up.",
        ("side_limits",),
        _reason("SIDE_LIMIT", "daily trade limit of 3 reached for side buy", 3, 3, "2026-12-24T00:00:00.000000Z"),
    ),
    "STRATEGY_LIMIT": RuleDocument(
        409,
        "The strategy's share of the trading day is used up.",
        ("strategy_limits",),
        _reason(
            "STRATEGY_LIMIT", "daily trade limit of 1 reached for strategy rsi", 1, 1, "2026-12-24T00:00:00.000000Z"
        ),
    ),
    "COOLDOWN": RuleDocument(
        409,
        "The last trade, or a permit that is out, is too recent. The value is when it was.",
        ("cooldown_seconds",),
        _reason(
            "COOLDOWN",
            "cooling down for 300 s after the last trade",
            "2026-12-23T20:14:00.000000Z",
            300,
            "2026-12-23T20:19:00.000000Z",
        ),
    ),
    "SYMBOL_COOLDOWN": RuleDocument(
        409,
        "The last trade of this symbol, or a permit for it, is too recent. The value is when it was.",
        ("symbol_cooldown_seconds",),
        _reason(
            "SYMBOL_COOLDOWN",
            "cooling down for 600 s after the last trade of BTC-USD",
            "2026-12-23T20:14:00.000000Z",
            600,
            "2026-12-23T20:24:00.000000Z",
        ),
    ),
    "PERMIT_LIMIT": RuleDocument(
        409,
        "Too many permits are out; those in doubt wait for somebody to confirm or release them.",
        (),
        _reason("PERMIT_LIMIT", "1000 permits are out", 1000, 1000, "2026-12-23T20:15:30.000000Z"),
    ),
}


def status_of(code: ReasonCode) -> int:
    """Of the answer to an order whose first reason this is."""
    return RULES[code].status


def with_whole_examples(document: dict[str, Any]) -> dict[str, Any]:
    """The same OpenAPI document, each refusal in it with its nulls: where nobody knows when a rule clears, the answer
    says so."""
    for path in document["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                shown = response.get("content", {}).get("application/json", {}).get("examples", {})
                for code in RULES.keys() & shown.keys():
                    shown[code]["value"] = _answer(RULES[code])
    return document


def _answer(rule: RuleDocument) -> dict[str, Any]:
    """To an order that this rule alone refuses."""
    return {"error": rule.example["sentence"], "reasons": [rule.example], "clears_at": rule.example["clears_at"]}


def _examples(status: int, codes: Collection[ReasonCode]) -> dict[str, Any]:
    return {
        code: {
            "summary": rule.meaning.partition(".")[0],
            "description": f"{rule.meaning} Config: {', '.join(rule.config) or 'none'}.",
            "value": _answer(rule),
        }
        for code, rule in RULES.items()
        if rule.status == status and code in codes
    }


def _refusal(status: int, description: str, codes: Collection[ReasonCode]) -> dict[str, Any]:
    return {
        "model": RefusedAnswer,
        "description": description,
        "content": {"application/json": {"examples": _examples(status, codes)}},
    }


def _refusals(codes: Collection[ReasonCode]) -> Responses:
    return {
        403: _refusal(403, "Halted, outside the hours, the calendar closed, or a blackout; with every reason.", codes),
        409: _refusal(409, "A limit is reached, or a cooldown runs; with every reason.", codes),
        **KEY_REUSED,
    }


CONFLICT: Responses = {
    409: {"model": ErrorAnswer, "description": "What is there stands against it; nothing was changed."}
}
KEY_REUSED: Responses = {422: {"model": ErrorAnswer, "description": "The idempotency key was used with another body."}}
REFUSED_PERMIT = _refusals(RULES.keys())
REFUSED_REGISTRATION = _refusals(RULES.keys() - {"PERMIT_LIMIT"})
"""Of a trade, which takes its slot without a permit."""
HALTED: Responses = {
    403: _refusal(403, "Halted, where the config lets no permit be confirmed during a halt.", ["HALTED"])
}


def rule_tags() -> list[dict[str, str]]:
    """A page for each rule."""
    return [
        {
            "name": f"rule {code}",
            "description": f"{rule.meaning}\n\nConfig: {', '.join(f'`{key}`' for key in rule.config) or 'none'}. "
            f"A refusal is a {rule.status} with this reason:\n\n```json\n{_pretty(rule.example)}\n```",
        }
        for code, rule in RULES.items()
    ]


def _pretty(example: dict[str, Any]) -> str:
    return json.dumps(example, indent=2)
