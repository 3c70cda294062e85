"""The cutover's HTTP API: see the endpoints, move them, read the log and the evidence."""

import hmac
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any, Protocol, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel

from fastapi_app.cutover.api.answers import (
    Answer,
    endpoint_answer,
    endpoints_answer,
    forgotten_answer,
    log_answer,
    mismatch_answer,
    mismatches_answer,
    moved_answer,
)
from fastapi_app.cutover.api.wire import (
    ConflictAnswer,
    EndpointAnswer,
    EndpointQuery,
    EndpointsAnswer,
    EvidenceToForget,
    ForgottenAnswer,
    HealthAnswer,
    LogAnswer,
    LogQuery,
    MismatchAnswer,
    MismatchesAnswer,
    MismatchesQuery,
    ModesAnswer,
    ModesChange,
    read_evidence_to_forget,
    read_modes_change,
)
from fastapi_app.cutover.modes.unproved import unproved
from fastapi_app.cutover.store.base import ChangeRefused, CutoverStore, ModeTable, VersionConflict
from fastapi_app.cutover.store.rules import listed
from fastapi_app.documents import BAD_REQUEST, UNAVAILABLE, UNREADABLE, Responses, query_of
from fastapi_app.requests import json_answer, json_body
from shared.errors import TradingWindowError
from shared.modes import EndpointMode
from shared.wire import ErrorAnswer, answer_to, read_query

MAX_BODY_BYTES = 65_536

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Control(Protocol):
    """What the API needs of the cutover."""

    @property
    def store(self) -> CutoverStore: ...

    def health(self) -> Mapping[str, Any]:
        """How this process's cutover does, in the form of `HealthAnswer`. Called on the event loop: must not block."""
        ...

    async def change(
        self, changes: Mapping[str, EndpointMode], *, author: str, reason: str, version: int | None
    ) -> ModeTable:
        """Moves endpoints, in this process at once. Raises what `CutoverStore.change` raises."""
        ...

    async def off_loop(self, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Calls what blocks, such as the store, in a thread that neither side of the service can keep busy."""
        ...


class Unauthorized(TradingWindowError):
    """A request without the admin token."""

    def __init__(self) -> None:
        super().__init__('Authorization: expected: "Bearer " and the admin token')


class NotFound(TradingWindowError):
    """An endpoint or a mismatch that isn't there."""


def admin_app(control: Control, *, token: str, prefix: str = "/cutover") -> FastAPI:
    """The API, at paths that begin with the prefix. All but its documents needs the token."""
    app = FastAPI(
        title="Cutover",
        version=version("trading-window"),
        description=_DESCRIPTION.format(prefix=prefix),
        openapi_url=f"{prefix}/openapi.json",
        docs_url=f"{prefix}/docs",
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        redirect_slashes=False,
        # As in the native app: nothing exports traces, and looking for an exporter costs.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.state.control = control
    app.state.token = token.encode()
    app.state.max_body_bytes = MAX_BODY_BYTES
    app.include_router(router, prefix=prefix)
    app.add_exception_handler(TradingWindowError, _answer_error)
    app.add_exception_handler(404, _answer_unknown_path)
    app.add_exception_handler(405, _answer_other_method)
    app.add_exception_handler(Exception, _answer_fault)
    return app


_DESCRIPTION = """
Moves the endpoints of a service between its legacy and its native side.

Each request carries `Authorization: Bearer <admin token>`. An endpoint's name is its method and rule:

    curl -H "Authorization: Bearer $TOKEN" 'http://127.0.0.1:8000{prefix}/endpoint?name=GET+/api/health'
    curl -H "Authorization: Bearer $TOKEN" -X PUT 'http://127.0.0.1:8000{prefix}/modes' --json '{{
      "changes": {{"GET /api/health": {{"mode": "canary", "percent": 5}}}},
      "author": "ann", "reason": "the first clients"}}'

Every error is `{{"error": "<sentence>"}}`.
"""


async def _admit(
    request: Request,
    credentials: Annotated[
        HTTPAuthorizationCredentials | None,
        Security(
            HTTPBearer(auto_error=False, description="The admin token, from the file that the server keeps it in.")
        ),
    ],
) -> None:
    """Raises Unauthorized, for no token as for a wrong one."""
    given = b"" if credentials is None else credentials.credentials.encode()
    if not hmac.compare_digest(given, request.app.state.token):
        raise Unauthorized


_UNAUTHORIZED: Responses = {401: {"model": ErrorAnswer, "description": "The admin token is missing or wrong."}}
_NOT_FOUND: Responses = {404: {"model": ErrorAnswer, "description": "There is none of this name or id."}}
_NOT_FORGOTTEN: Responses = {
    422: {"model": ErrorAnswer, "description": "An endpoint isn't known; nothing is forgotten."},
}
_NOT_CHANGED: Responses = {
    409: {
        "model": ConflictAnswer,
        "description": "The table is not at the version that was given; nothing is changed.",
    },
    422: {
        "model": ErrorAnswer,
        "description": "An endpoint isn't known, or lacks a side that its mode needs; nothing is changed.",
    },
}


def _components_body(model: type[BaseModel]) -> dict[str, Any]:
    """The body of an endpoint that reads it itself; models in it are those that the answers show too."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    schema.pop("$defs", None)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _required(parameters: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [parameter | {"required": parameter["name"] == name} for parameter in parameters]


_MISMATCH_ID = {
    "name": "mismatch_id",
    "in": "path",
    "required": True,
    "schema": {"type": "integer", "minimum": 1},
    "description": "a mismatch's id",
}

router = APIRouter(tags=["cutover"], dependencies=[Depends(_admit)], responses=_UNAUTHORIZED)


@router.get("/endpoints", response_model=EndpointsAnswer, responses=UNAVAILABLE)
async def endpoints(request: Request) -> Response:
    """Every endpoint with its sides, its mode and how its comparisons came out; also one that is gone, where legacy had
    it and it is in another mode."""
    store = _control(request).store

    def read() -> Answer:
        known, table = store.known_endpoints(), store.table()
        return endpoints_answer(listed(known, table.modes), table, store.counts())

    return _answer(await _control(request).off_loop(read))


@router.get(
    "/endpoint",
    response_model=EndpointAnswer,
    responses=BAD_REQUEST | _NOT_FOUND | UNAVAILABLE,
    openapi_extra={"parameters": _required(query_of(EndpointQuery), "name")},
)
async def endpoint(request: Request) -> Response:
    """One endpoint: its counts by mode, outcome and reason, and its newest mismatches in short."""
    query = read_query(EndpointQuery, request.scope["query_string"], refuses_unknown=True)
    control = _control(request)
    store = control.store

    def read() -> Answer:
        found = next((each for each in store.known_endpoints() if each.name == query.name), None)
        if found is None:
            raise NotFound(f"no endpoint is named {query.name!r}")
        mismatches = store.mismatches(limit=query.limit, endpoint=found.name)
        return endpoint_answer(found, store.table(), store.counts(), mismatches)

    return _answer(await control.off_loop(read))


@router.put(
    "/modes",
    response_model=ModesAnswer,
    responses=BAD_REQUEST | UNREADABLE | _NOT_CHANGED | UNAVAILABLE,
    openapi_extra=_components_body(ModesChange),
)
async def put_modes(request: Request) -> Response:
    """Moves endpoints, all or none. Answers with the new table, which is in force in every process within a second, and
    with what of the move is unproved."""
    change = read_modes_change(await json_body(request))
    control = _control(request)
    store = control.store
    before, counts = await control.off_loop(lambda: (store.table(), store.counts()))
    after = await control.change(change.changes, author=change.author, reason=change.reason, version=change.version)
    return _answer(moved_answer(after, unproved(change.changes, before, after, counts)))


@router.post(
    "/forget",
    response_model=ForgottenAnswer,
    responses=BAD_REQUEST | UNREADABLE | _NOT_FORGOTTEN | UNAVAILABLE,
    openapi_extra=_components_body(EvidenceToForget),
)
async def forget(request: Request) -> Response:
    """Forgets the counts and the kept mismatches of endpoints, so that they start over; the log says who and why.

    What a process has found before and not written yet, up to a second's worth and what it is just comparing, counts as
    new."""
    asked = read_evidence_to_forget(await json_body(request))
    control = _control(request)
    forgotten = await control.off_loop(
        control.store.forget,
        None if asked.endpoints == "all" else asked.endpoints,
        author=asked.author,
        reason=asked.reason,
        at=datetime.now(UTC),
    )
    return _answer(forgotten_answer(forgotten))


@router.get(
    "/log",
    response_model=LogAnswer,
    responses=BAD_REQUEST | UNAVAILABLE,
    openapi_extra={"parameters": query_of(LogQuery)},
)
async def log(request: Request) -> Response:
    """Who moved what, or forgot its evidence, when and why; the newest first."""
    query = read_query(LogQuery, request.scope["query_string"], refuses_unknown=True)
    control = _control(request)
    changes = await control.off_loop(control.store.log, limit=query.limit, endpoint=query.endpoint)
    return _answer(log_answer(changes))


@router.get(
    "/mismatches",
    response_model=MismatchesAnswer,
    responses=BAD_REQUEST | UNAVAILABLE,
    openapi_extra={"parameters": query_of(MismatchesQuery)},
)
async def mismatches(request: Request) -> Response:
    """The mismatches that are kept, in short; the newest first."""
    query = read_query(MismatchesQuery, request.scope["query_string"], refuses_unknown=True)
    control = _control(request)
    found = await control.off_loop(control.store.mismatches, limit=query.limit, endpoint=query.endpoint)
    return _answer(mismatches_answer(found))


@router.get(
    "/mismatches/{mismatch_id}",
    response_model=MismatchAnswer,
    responses=_NOT_FOUND | UNAVAILABLE,
    openapi_extra={"parameters": [_MISMATCH_ID]},
)
async def mismatch(request: Request) -> Response:
    """One mismatch in full: the request, both answers, what each side left, and where they differ."""
    text = request.path_params["mismatch_id"]
    control = _control(request)
    # No store counts further than 18 digits.
    is_id = text.isascii() and text.isdecimal() and len(text) <= 18
    found = await control.off_loop(control.store.mismatch, int(text)) if is_id else None
    if found is None:
        raise NotFound(f"no mismatch has the id {text[:80]!r}, or it is no longer kept")
    return _answer(mismatch_answer(found))


@router.get("/health", response_model=HealthAnswer)
async def health(request: Request) -> Response:
    """How the cutover does in the process that answers. Always 200: a degraded cutover goes on serving requests."""
    return _answer(dict(_control(request).health()))


def _control(request: Request) -> Control:
    control: Control = request.app.state.control
    return control


def _answer(content: Mapping[str, Any], status_code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    response = json_answer(content, status_code)
    response.headers.update({"Cache-Control": "no-store", **(headers or {})})
    return response


async def _answer_error(_request: Request, error: Exception) -> Response:
    sentence = {"error": str(error)}
    match error:
        case Unauthorized():
            return _answer(sentence, 401, {"WWW-Authenticate": 'Bearer realm="cutover"'})
        case NotFound():
            return _answer(sentence, 404)
        case VersionConflict():
            return _answer({**sentence, "version": error.current}, 409)
        case ChangeRefused():
            return _answer(sentence, 422)
        case TradingWindowError():
            status_code, body = answer_to(error)
            if status_code >= 500:
                logger.error("%s", error)
            return _answer(body, status_code)
    raise error


async def _answer_unknown_path(request: Request, _error: Exception) -> Response:
    return _answer({"error": f"nothing is at this path; {request.app.docs_url} shows what there is"}, 404)


async def _answer_other_method(request: Request, error: Exception) -> Response:
    allowed = getattr(error, "headers", None)
    return _answer({"error": f"this path doesn't take {request.method}"}, 405, allowed)


async def _answer_fault(_request: Request, _error: Exception) -> Response:
    # Starlette raises the exception again behind this answer, and the server logs it with its traceback.
    return _answer({"error": "internal server error"}, 500)
