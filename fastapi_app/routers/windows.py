"""`/api/windows…`: windows, their configs, decisions, schedules and ledgers. Native only."""

from fastapi import APIRouter, Request, Response

from fastapi_app.documents import BAD_REQUEST, UNAVAILABLE, UNKNOWN, UNREADABLE, header, query_of, request_body
from fastapi_app.requests import StrictRoute, idempotency_key, json_answer, json_body, ports_of, window_named
from fastapi_app.rule_documents import CONFLICT, REFUSED_REGISTRATION, status_of
from fastapi_app.window.config_check import checked
from fastapi_app.window.order import OrderRequest, ReducibleTradeRequest
from fastapi_app.window.schedule import schedule_of
from fastapi_app.windows_wire import (
    DecisionAnswer,
    DecisionQuery,
    LedgerAnswer,
    LedgerPageQuery,
    NewWindow,
    ScheduleAnswer,
    ScheduleQuery,
    VersionedConfig,
    WindowAnswer,
    WindowsAnswer,
    WindowsQuery,
    decision_answer,
    instant_or_none,
    ledger_answer,
    refused_answer,
    turns_answer,
    versioned_config,
)
from shared.errors import WindowExists
from shared.store.base import LedgerQuery
from shared.window_config import WindowConfig
from shared.wire import TradeAnswer, TradeList, TradesQuery, read_mapping, read_query, read_request

router = APIRouter(prefix="/api/windows", route_class=StrictRoute, tags=["windows"])

KEY_HEADER = header("Idempotency-Key", "1 to 255 visible ASCII characters; an equal request gets the first answer")


@router.get(
    "",
    response_model=WindowsAnswer,
    responses=BAD_REQUEST | UNAVAILABLE,
    openapi_extra={"parameters": query_of(WindowsQuery)},
)
async def get_windows(request: Request) -> Response:
    """The ids of all windows, in order."""
    query = read_query(WindowsQuery, request.scope["query_string"])
    found = await ports_of(request).windows.window_ids_async(after=query.after, limit=query.limit + 1)
    windows = found[: query.limit]
    return json_answer({"windows": list(windows), "next": windows[-1] if len(found) > query.limit else None})


@router.post(
    "",
    status_code=201,
    response_model=VersionedConfig,
    responses=BAD_REQUEST | UNREADABLE | CONFLICT | UNAVAILABLE,
    openapi_extra=request_body(NewWindow),
)
async def post_window(request: Request) -> Response:
    """Makes a window. One that is there already with this very config is answered with it."""
    new = read_request(NewWindow, request.headers.get("content-type"), await json_body(request))
    config = await checked(WindowConfig(), new.config)
    window = await window_named(request, new.window_id).create(config)
    if window.config != config:
        raise WindowExists(new.window_id)
    return json_answer(versioned_config(window), 201)


@router.get("/{window_id}", response_model=WindowAnswer, responses=UNKNOWN | UNAVAILABLE)
async def get_window(request: Request) -> Response:
    """The whole window at one instant."""
    window = window_named(request)
    snapshot, at = await window.get_snapshot(), ports_of(request).instant()
    summary, schedule = await window.get_state(), schedule_of(snapshot.config)
    permits = await window.open_permits()
    turns = {turn.opens: turn.at for turn in reversed(schedule.upcoming(at, 2))}
    return json_answer(
        {
            "window_id": snapshot.window_id,
            **versioned_config(snapshot),
            "is_open": summary["within_window"],
            "next_open": instant_or_none(turns.get(True)),
            "next_close": instant_or_none(turns.get(False)),
            "trade_day": await window.get_trade_day(),
            "trades_today": summary["trades_today"],
            "max_trades_per_day": summary["max_trades_per_day"],
            "remaining_trades": summary["remaining_trades"],
            "open_permits": len(permits),
            "in_doubt": sum(permit["status"] == "in_doubt" for permit in permits),
            "halts": await window.get_halts(),
            "warning": schedule.warning(at),
        }
    )


@router.get("/{window_id}/config", response_model=VersionedConfig, responses=UNKNOWN | UNAVAILABLE)
async def get_config(request: Request) -> Response:
    """The rules in force; keys that aren't there have their defaults."""
    return json_answer(versioned_config(await window_named(request).get_snapshot()))


@router.put(
    "/{window_id}/config",
    response_model=VersionedConfig,
    responses=BAD_REQUEST | UNKNOWN | UNREADABLE | CONFLICT | UNAVAILABLE,
    openapi_extra=request_body(WindowConfig),
)
async def put_config(request: Request) -> Response:
    """Replaces the given keys; the new config is validated whole and is the next version. History stays as it is.

    Of the window `default`, keys that the old side doesn't know are refused (409) while it serves an endpoint that
    would have to know them.
    """
    changes = read_mapping(request.headers.get("content-type"), await json_body(request))
    window = window_named(request)
    await request.app.state.legacy_fit.check_config(await window.get_snapshot(), changes)
    await window.update_config(changes)
    return json_answer(versioned_config(await window.get_snapshot()))


@router.get(
    "/{window_id}/decision",
    response_model=DecisionAnswer,
    responses=BAD_REQUEST | UNKNOWN | UNAVAILABLE,
    openapi_extra={"parameters": query_of(DecisionQuery)},
)
async def get_decision(request: Request) -> Response:
    """Whether an order may go out, now or at another instant, with every reason why not. Takes no slot."""
    query = read_query(DecisionQuery, request.scope["query_string"])
    order = OrderRequest(symbol=query.symbol, side=query.side, strategy=query.strategy, reduces=query.reduces)
    return json_answer(decision_answer(await window_named(request).decide(order, at=query.at)))


@router.get(
    "/{window_id}/schedule",
    response_model=ScheduleAnswer,
    responses=BAD_REQUEST | UNKNOWN | UNAVAILABLE,
    openapi_extra={"parameters": query_of(ScheduleQuery)},
)
async def get_schedule(request: Request) -> Response:
    """The next opens and closes, by hours, calendar and blackouts."""
    query = read_query(ScheduleQuery, request.scope["query_string"])
    schedule = schedule_of(await window_named(request).get_config())
    at = query.at or ports_of(request).instant()
    return json_answer(
        {
            "is_open": schedule.is_open(at),
            "upcoming": turns_answer(schedule.upcoming(at, query.limit)),
            "known_until": instant_or_none(schedule.known_until),
            "warning": schedule.warning(at),
        }
    )


@router.post(
    "/{window_id}/trades",
    status_code=201,
    response_model=TradeAnswer,
    responses=BAD_REQUEST | UNKNOWN | UNREADABLE | REFUSED_REGISTRATION | UNAVAILABLE,
    openapi_extra=request_body(ReducibleTradeRequest) | {"parameters": [KEY_HEADER]},
)
async def post_trade(request: Request) -> Response:
    """Asks and counts in one step: registers one trade, unless a rule refuses it."""
    trade = read_request(ReducibleTradeRequest, request.headers.get("content-type"), await json_body(request))
    key = idempotency_key(request, trade, endpoint="POST /api/windows/{window_id}/trades")
    decision = await window_named(request).try_register_trade(trade, key=key)
    if decision.registered is None:
        return json_answer(refused_answer(decision), status_of(decision.reasons[0].code))
    return json_answer(decision.registered, 201)


@router.get(
    "/{window_id}/trades",
    response_model=TradeList,
    responses=BAD_REQUEST | UNKNOWN | UNAVAILABLE,
    openapi_extra={"parameters": query_of(TradesQuery)},
)
async def get_trades(request: Request) -> Response:
    """The window's trades, newest first."""
    trades = await window_named(request).get_trades(read_query(TradesQuery, request.scope["query_string"]))
    return json_answer({"trades": trades, "count": len(trades)})


@router.get(
    "/{window_id}/ledger",
    response_model=LedgerAnswer,
    responses=BAD_REQUEST | UNKNOWN | UNAVAILABLE,
    openapi_extra={"parameters": query_of(LedgerPageQuery)},
)
async def get_ledger(request: Request) -> Response:
    """Every change of the window, newest first, by pages."""
    query = read_query(LedgerPageQuery, request.scope["query_string"])
    through = None if query.before is None else query.before - 1
    page = await ports_of(request).windows.ledger_async(
        request.path_params["window_id"], LedgerQuery(kind=query.kind, through=through, limit=query.limit + 1)
    )
    return json_answer(ledger_answer(page, query.limit))
