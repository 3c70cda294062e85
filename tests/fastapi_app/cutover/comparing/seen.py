"""What sides are seen to answer, and where two of them differ."""

from collections.abc import Mapping
from typing import Any

from fastapi_app.cutover.comparing.observation import Difference, Observation, SeenAnswer
from fastapi_app.cutover.comparing.verdict import Verdict, compare
from shared.modes import Side

JSON = (("content-type", "application/json"),)
TEXT = (("content-type", "text/plain; charset=utf-8"),)

Headers = tuple[tuple[str, str], ...]


def seen(
    body: str | bytes = "{}",
    *,
    status: int = 200,
    headers: Headers = JSON,
    effects: Mapping[str, Any] | None = None,
    raised: str | None = None,
    side: Side = "legacy",
) -> Observation:
    raw = body.encode() if isinstance(body, str) else body
    return Observation(
        side=side,
        answer=SeenAnswer(status=status, headers=headers, body=raw),
        effects=effects or {},
        raised=raised,
    )


def places(verdict: Verdict) -> list[str]:
    assert verdict.outcome in {"match", "mismatch"}
    assert (verdict.outcome == "mismatch") is bool(verdict.differences)
    return [difference.path for difference in verdict.differences]


def bodies(primary: str | bytes, candidate: str | bytes, headers: Headers = JSON) -> list[Difference]:
    return list(compare(seen(primary, headers=headers), seen(candidate, headers=headers)).differences)
