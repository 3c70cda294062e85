"""Mismatches as the JSON text that a backend keeps: bodies stay readable where they are text."""

import base64
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from fastapi_app.cutover.comparing.observation import Difference, Mismatch, Observation, SeenAnswer, SeenRequest
from shared.modes import EndpointMode


def encoded(mismatch: Mismatch) -> str:
    """All but its id. A value that JSON doesn't know is kept as its text."""
    request = mismatch.request
    form = {
        "endpoint": mismatch.endpoint,
        "at": mismatch.at.isoformat(),
        "mode": mismatch.mode.model_dump(),
        "request": {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": request.headers,
            **_from_body(request.body),
        },
        "primary": _from_observation(mismatch.primary),
        "candidate": _from_observation(mismatch.candidate),
        "differences": [
            {
                "path": difference.path,
                "primary": difference.primary,
                "candidate": difference.candidate,
                "primary_has": difference.primary_has,
                "candidate_has": difference.candidate_has,
            }
            for difference in mismatch.differences
        ],
        "recording": mismatch.recording,
    }
    return json.dumps(form, separators=(",", ":"), default=_as_text)


def decoded(mismatch_id: int, text: str) -> Mismatch:
    """Raises ValueError, TypeError or LookupError for what `encoded` has not made."""
    form = json.loads(text)
    request = form["request"]
    return Mismatch(
        id=mismatch_id,
        endpoint=form["endpoint"],
        at=datetime.fromisoformat(form["at"]),
        mode=EndpointMode.model_validate(form["mode"]),
        request=SeenRequest(
            method=request["method"],
            path=request["path"],
            query=request["query"],
            headers=_to_headers(request["headers"]),
            body=_to_body(request),
        ),
        primary=_to_observation(form["primary"]),
        candidate=_to_observation(form["candidate"]),
        differences=tuple(Difference(**difference) for difference in form["differences"]),
        recording=form["recording"],
    )


def _from_observation(observation: Observation) -> Mapping[str, Any]:
    answer = observation.answer
    return {
        "side": observation.side,
        "status": answer.status,
        "headers": answer.headers,
        **_from_body(answer.body),
        "effects": observation.effects,
        "raised": observation.raised,
        "raised_at": observation.raised_at,
    }


def _to_observation(form: Mapping[str, Any]) -> Observation:
    return Observation(
        side=form["side"],
        answer=SeenAnswer(status=form["status"], headers=_to_headers(form["headers"]), body=_to_body(form)),
        effects=form["effects"],
        raised=form["raised"],
        # Mismatches of an earlier version have none.
        raised_at=form.get("raised_at"),
    )


def _from_body(body: bytes) -> Mapping[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode("ascii")}


def _to_body(form: Mapping[str, str]) -> bytes:
    return form["body"].encode() if "body" in form else base64.b64decode(form["body_base64"])


def _to_headers(headers: Iterable[Iterable[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in headers)


def _as_text(value: object) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)
