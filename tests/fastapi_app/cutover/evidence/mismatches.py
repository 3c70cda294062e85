"""Mismatches with something in them that is to be redacted."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi_app.cutover.comparing.observation import Difference, Mismatch, Observation, SeenAnswer, SeenRequest
from fastapi_app.cutover.evidence.redaction import redacted
from shared.modes import EndpointMode

FIELDS = ["password", "Api-Token", "pin"]
JSON = (("content-type", "application/json"),)
FORM = (("content-type", "application/x-www-form-urlencoded"),)
TEXT = (("content-type", "text/plain"),)
MULTIPART = (("content-type", "multipart/form-data; boundary=x"),)

Headers = tuple[tuple[str, str], ...]


def mismatch(
    *,
    endpoint: str = "POST /login",
    path: str = "/login",
    query: str = "",
    headers: Headers = (),
    body: bytes = b"",
    primary: bytes = b"",
    candidate: bytes = b"",
    answer_headers: Headers = JSON,
    differences: Sequence[Difference] = (),
    recording: Any = None,
) -> Mismatch:
    return Mismatch(
        endpoint=endpoint,
        at=datetime(2025, 3, 3, tzinfo=UTC),
        mode=EndpointMode(mode="shadow"),
        request=SeenRequest(method="POST", path=path, query=query, headers=headers, body=body),
        primary=Observation(side="legacy", answer=SeenAnswer(status=200, headers=answer_headers, body=primary)),
        candidate=Observation(side="native", answer=SeenAnswer(status=200, headers=answer_headers, body=candidate)),
        differences=tuple(differences),
        recording=recording,
    )


def request_body(body: bytes, headers: Headers = JSON) -> bytes:
    return redacted(mismatch(body=body, headers=headers), fields=FIELDS).request.body


def answers(primary: bytes, candidate: bytes) -> tuple[bytes, bytes]:
    shown = redacted(mismatch(primary=primary, candidate=candidate), fields=FIELDS)
    return shown.primary.answer.body, shown.candidate.answer.body


def seen(
    body: str, headers: Headers = JSON, *, effects: Mapping[str, Any] | None = None, raised: str | None = None
) -> Observation:
    answer = SeenAnswer(status=200, headers=headers, body=body.encode())
    return Observation(side="legacy", answer=answer, effects=effects or {}, raised=raised)
