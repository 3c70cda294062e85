"""What the OpenAPI document says of endpoints that read and answer for themselves."""

from typing import Any

from pydantic import BaseModel

from shared.wire import DailyLimitAnswer, ErrorAnswer, OutsideHoursAnswer
from shared.wire_orders import InsufficientBalanceAnswer

Responses = dict[int | str, dict[str, Any]]

BAD_REQUEST: Responses = {400: {"model": ErrorAnswer, "description": "A field, a parameter or the body is wrong."}}
UNREADABLE: Responses = {
    413: {"model": ErrorAnswer, "description": "The body is larger than the limit."},
    415: {"model": ErrorAnswer, "description": "The Content-Type is not JSON."},
}
REFUSED_TRADE: Responses = {
    403: {"model": OutsideHoursAnswer | ErrorAnswer, "description": "Outside the hours, or halted."},
    409: {"model": DailyLimitAnswer, "description": "The daily limit is reached."},
    422: {"model": ErrorAnswer, "description": "The idempotency key was used with another body."},
}
UNAVAILABLE: Responses = {503: {"model": ErrorAnswer, "description": "The store can't answer; nothing was changed."}}
BOT_TOLD_ALREADY: Responses = {
    400: {
        "model": ErrorAnswer,
        "description": "It runs, or is stopped, already; or the settings name a strategy wrongly.",
    }
}
UNAVAILABLE_BOT: Responses = {
    503: {
        "model": ErrorAnswer,
        "description": "The store can't answer, or a strategy can't be used; nothing was changed.",
    }
}
UNKNOWN: Responses = {404: {"model": ErrorAnswer, "description": "No such window, or no such permit."}}
NO_PRICES: Responses = {
    404: {"model": ErrorAnswer, "description": "The market has no such symbol."},
    503: {"model": ErrorAnswer, "description": "The market can't answer."},
}
REFUSED_ORDER: Responses = {
    403: {"model": OutsideHoursAnswer | ErrorAnswer, "description": "Outside the hours, or halted."},
    404: {"model": ErrorAnswer, "description": "Nothing of this name is traded."},
    409: {
        "model": DailyLimitAnswer | InsufficientBalanceAnswer | ErrorAnswer,
        "description": "The daily limit is reached, the balance is too small, the broker refuses the order, or nobody "
        "knows yet what came of an order with this key.",
    },
    422: {"model": ErrorAnswer, "description": "The idempotency key was used with another body."},
}
UNKNOWN_ORDER: Responses = {404: {"model": ErrorAnswer, "description": "No such order."}}
ENDED_ORDER: Responses = {409: {"model": ErrorAnswer, "description": "The order is filled or cancelled already."}}
UNAVAILABLE_BROKER: Responses = {
    503: {
        "model": ErrorAnswer,
        "description": "The store, the market or the broker can't answer; or nobody knows what came of the order, "
        "which then keeps its slot until that is known.",
    }
}
NO_BACKTEST: Responses = {
    404: {"model": ErrorAnswer, "description": "The market has no such symbol."},
    503: {
        "model": ErrorAnswer,
        "description": "As many backtests run as may, and Retry-After says when to ask again; or this one took too "
        "long or failed, or store or market can't answer.",
    },
}


def request_body(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """The body of an endpoint that reads it itself."""
    content = {"application/json": {"schema": _schema_of(model)}}
    return {"requestBody": {"required": required, "content": content}}


def query_of(model: type[BaseModel]) -> list[dict[str, Any]]:
    """A model's fields as query parameters."""
    return [
        {"name": name, "in": "query", "required": False, "schema": schema, "description": schema.get("description")}
        for name, schema in _schema_of(model)["properties"].items()
    ]


def header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": {"type": "string"}, "description": description}


def path_parameter(name: str, description: str, *, example: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
        "description": description,
        "example": example,
    }


def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """With the models inside it written out, since its own definitions have no place in the document."""
    schema = model.model_json_schema()
    written_out: dict[str, Any] = _without_references(schema, schema.pop("$defs", {}))
    return written_out


def _without_references(part: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(part, list):
        return [_without_references(each, definitions) for each in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        part = {**definitions[part["$ref"].rpartition("/")[2]], **{key: part[key] for key in part if key != "$ref"}}
    return {key: _without_references(each, definitions) for key, each in part.items()}
