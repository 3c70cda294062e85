"""The wire of the cutover's HTTP API: its requests, the models of all answers."""

from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from fastapi_app.cutover.comparing.observation import Outcome
from fastapi_app.cutover.modes.unproved import NeverCompared
from fastapi_app.cutover.store.base import ChangeKind, DecisionAuthor
from shared._json_object import read_object
from shared.errors import InvalidField
from shared.fields import validated
from shared.modes import EndpointMode, Mode, Side
from shared.wire import ErrorAnswer

MAX_ROWS = 500


def _printable(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError("not printable, or blank")
    return text


def _a_person_s(author: str) -> str:
    if author in get_args(DecisionAuthor):
        raise ValueError("a name that the cutover signs with itself")
    return author


def _text(low: int, high: int, *, but: str = "") -> Any:
    return Field(
        min_length=low, max_length=high, description=f"a text of {low} to {high} printable characters, not blank{but}"
    )


_Author = Annotated[
    str,
    _text(1, 100, but=f", and none of {', '.join(get_args(DecisionAuthor))}"),
    AfterValidator(_printable),
    AfterValidator(_a_person_s),
]
_Reason = Annotated[str, _text(1, 1_000), AfterValidator(_printable)]

_NAME_RULE = "an endpoint's name, its method and rule, such as GET /api/trading-window/can-trade"

_OneEndpoint = Annotated[str | None, Field(description=f"{_NAME_RULE}; without, those of all endpoints")]
_Limit = Annotated[int, Field(strict=False, ge=1, le=MAX_ROWS, description=f"a whole number from 1 to {MAX_ROWS}")]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ModesChange(_Request):
    """Endpoints to move, who moves them, and why. With `version`, only if the table is still at that version."""

    changes: Annotated[
        dict[str, EndpointMode],
        Field(
            min_length=1,
            description="an object of at least one endpoint's name and its new mode",
            examples=[{"GET /api/trading-window/can-trade": {"mode": "canary", "percent": 5, "sample_rate": 1.0}}],
        ),
    ]
    author: _Author
    reason: _Reason
    version: Annotated[int | None, Field(ge=0, description="a whole number from 0")] = None


class EvidenceToForget(_Request):
    """Endpoints whose counts and mismatches are to go, who says so, and why."""

    endpoints: Annotated[
        Annotated[list[str], Field(min_length=1)] | Literal["all"],
        Field(
            description='a list of at least one endpoint\'s name, or "all"',
            examples=[["GET /api/trading-window/can-trade"]],
        ),
    ]
    author: _Author
    reason: _Reason


class EndpointQuery(_Request):
    """Which endpoint, and how many of its mismatches."""

    name: Annotated[str, Field(description=_NAME_RULE)]
    limit: _Limit = 20


class LogQuery(_Request):
    """Which changes."""

    endpoint: _OneEndpoint = None
    limit: _Limit = 50


class MismatchesQuery(_Request):
    """Which mismatches."""

    endpoint: _OneEndpoint = None
    limit: _Limit = 20


def read_modes_change(body: bytes) -> ModesChange:
    """Raises MalformedBody, InvalidField."""
    given = read_object(body)
    if isinstance(changes := given.get("changes"), dict):
        given["changes"] = {name: _endpoint_mode(name, change) for name, change in changes.items()}
    return validated(ModesChange, given)


def read_evidence_to_forget(body: bytes) -> EvidenceToForget:
    """Raises MalformedBody, InvalidField."""
    return validated(EvidenceToForget, read_object(body))


def _endpoint_mode(endpoint: str, given: object) -> EndpointMode:
    if not isinstance(given, dict):
        raise InvalidField(f"changes of {endpoint}", given, 'an object such as {"mode": "shadow"}')
    try:
        return validated(
            EndpointMode, {key: float(value) if isinstance(value, Decimal) else value for key, value in given.items()}
        )
    except InvalidField as exc:
        raise InvalidField(f"{exc.field} of {endpoint}", exc.value, exc.rule) from exc


class OutcomeCounts(BaseModel):
    """How many comparisons came to each outcome."""

    match: int
    mismatch: int
    accepted: int
    skipped: int


class EndpointRow(BaseModel):
    """An endpoint: who could answer, who does, and what the comparisons found. `gone` is one that the process which
    started last doesn't have; one that started before may still serve it."""

    name: str
    method: str
    rule: str
    sides: list[Side]
    mode: Mode
    percent: float | None
    sample_rate: float
    notes: list[str]
    gone: bool
    counts: OutcomeCounts


class EndpointsAnswer(BaseModel):
    """The endpoints, and the version of the table of modes."""

    version: int
    endpoints: list[EndpointRow]


class CountRow(BaseModel):
    """`reason` is that of a skip, or the name of an accepted difference; otherwise empty."""

    mode: Mode
    outcome: Outcome
    reason: str
    count: int


class MismatchRow(BaseModel):
    """A mismatch in short: `differs_at` are the paths at which the two sides differ."""

    id: int
    at: str
    endpoint: str
    mode: EndpointMode
    method: str
    path: str
    query: str
    primary_side: Side
    primary_status: int
    candidate_side: Side
    candidate_status: int
    differs_at: list[str]


class EndpointAnswer(EndpointRow):
    """An endpoint with its counts one by one, and its newest mismatches."""

    version: int
    evidence: list[CountRow]
    mismatches: list[MismatchRow]


class DifferingRow(BaseModel):
    """An endpoint, and how many of its comparisons came to a mismatch that nobody accepted."""

    endpoint: str
    mismatches: int
    compared: int


class ModesAnswer(BaseModel):
    """The table of modes as it is now. The rest warns of endpoints whose clients get native's answers from this move
    on, and got legacy's before: those that were never compared, why some of these are skipped in shadow, too, and
    those whose comparisons differed."""

    version: int
    modes: dict[str, EndpointMode]
    never_compared: list[str]
    skipped_as: dict[str, NeverCompared]
    differing: list[DifferingRow]


class ChangeRow(BaseModel):
    """One endpoint's move, which made `version`, or that its evidence was forgotten, at that version. `before` is null
    for the first mode that it had."""

    kind: ChangeKind
    version: int
    at: str
    endpoint: str
    before: EndpointMode | None
    after: EndpointMode
    author: str
    reason: str


class LogAnswer(BaseModel):
    """Changes, newest first."""

    changes: list[ChangeRow]


class ForgottenRow(BaseModel):
    """An endpoint, how many of its comparisons were counted, skipped ones too, and how many mismatches were kept."""

    endpoint: str
    comparisons: int
    mismatches: int


class ForgottenAnswer(BaseModel):
    """What went, of those endpoints that had any evidence."""

    forgotten: list[ForgottenRow]


class MismatchesAnswer(BaseModel):
    """Mismatches, newest first."""

    mismatches: list[MismatchRow]


class _WithBody(BaseModel):
    # In the order of the wire; a name may come more than once.
    headers: list[tuple[str, str]]
    body: Annotated[str, Field(description="the bytes as `body_encoding` says")]
    body_encoding: Literal["utf-8", "base64"]


class RequestShown(_WithBody):
    """The request as it came; secrets are redacted."""

    method: str
    path: str
    query: str


class ObservationShown(_WithBody):
    """What one side answered, the effects that it left, and the exception behind an answer that it didn't choose. What
    a candidate raised and where is told also behind an answer that it gave all the same."""

    side: Side
    status: int
    effects: dict[str, Any]
    raised: str | None
    raised_at: str | None


class DifferenceShown(BaseModel):
    """A path at which the sides differ; a side without a value there has null, and `…_has` is false."""

    path: str
    primary: Any
    candidate: Any
    primary_has: bool
    candidate_has: bool


class MismatchAnswer(BaseModel):
    """A mismatch in full. `recording` is what the effects need to put the request to both sides again."""

    id: int
    at: str
    endpoint: str
    mode: EndpointMode
    request: RequestShown
    primary: ObservationShown
    candidate: ObservationShown
    differences: list[DifferenceShown]
    recording: dict[str, Any] | None


class HealthAnswer(BaseModel):
    """How this process's cutover does; `problems` are sentences, and there are none when it is ok."""

    model_config = ConfigDict(extra="allow")

    status: Literal["ok", "degraded"]
    problems: list[str]


class ConflictAnswer(ErrorAnswer):
    """`version` is the one at which the table is now."""

    version: int
