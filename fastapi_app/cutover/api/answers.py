"""The cutover's table, log and evidence as its HTTP API shows them: JSON in the form of the models in `wire`."""

import base64
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, get_args

from fastapi_app.cutover.comparing.observation import Mismatch, Observation, Outcome
from fastapi_app.cutover.inventory.endpoint import Endpoint
from fastapi_app.cutover.modes.unproved import Unproved
from fastapi_app.cutover.store.base import Change, CountKey, Forgotten, ModeTable
from shared.clock import utc_text
from shared.modes import EndpointMode

Answer = dict[str, Any]


def endpoints_answer(endpoints: Iterable[Endpoint], table: ModeTable, counts: Mapping[CountKey, int]) -> Answer:
    """`EndpointsAnswer`. The table was read after the endpoints, so that it has them all."""
    by_endpoint: dict[str, Counter[Outcome]] = {}
    for key, count in counts.items():
        by_endpoint.setdefault(key.endpoint, Counter())[key.outcome] += count
    return {
        "version": table.version,
        "endpoints": [
            _endpoint_row(endpoint, table.modes[endpoint.name], by_endpoint.get(endpoint.name, Counter()))
            for endpoint in endpoints
        ],
    }


def endpoint_answer(
    endpoint: Endpoint, table: ModeTable, counts: Mapping[CountKey, int], mismatches: Sequence[Mismatch]
) -> Answer:
    """`EndpointAnswer`."""
    own = {key: count for key, count in counts.items() if key.endpoint == endpoint.name}
    by_outcome: Counter[Outcome] = Counter()
    for key, count in own.items():
        by_outcome[key.outcome] += count
    return {
        **_endpoint_row(endpoint, table.modes[endpoint.name], by_outcome),
        "version": table.version,
        "evidence": [
            {"mode": key.mode, "outcome": key.outcome, "reason": key.reason, "count": count}
            for key, count in sorted(own.items())
        ],
        **mismatches_answer(mismatches),
    }


def _endpoint_row(endpoint: Endpoint, mode: EndpointMode, counts: Counter[Outcome]) -> Answer:
    return {
        "name": endpoint.name,
        "method": endpoint.method,
        "rule": endpoint.rule,
        "sides": sorted(endpoint.sides),
        **mode.model_dump(),
        "notes": list(endpoint.notes),
        "gone": endpoint.is_gone,
        "counts": {outcome: counts[outcome] for outcome in get_args(Outcome)},
    }


def moved_answer(table: ModeTable, unproved: Unproved) -> Answer:
    """`ModesAnswer`."""
    return {
        "version": table.version,
        "modes": {name: mode.model_dump() for name, mode in table.modes.items()},
        "never_compared": list(unproved.never_compared),
        "skipped_as": dict(unproved.skipped_as),
        "differing": [asdict(each) for each in unproved.differing],
    }


def log_answer(changes: Iterable[Change]) -> Answer:
    """`LogAnswer`."""
    return {
        "changes": [
            {
                "kind": change.kind,
                "version": change.version,
                "at": utc_text(change.at),
                "endpoint": change.endpoint,
                "before": None if change.before is None else change.before.model_dump(),
                "after": change.after.model_dump(),
                "author": change.author,
                "reason": change.reason,
            }
            for change in changes
        ]
    }


def forgotten_answer(forgotten: Iterable[Forgotten]) -> Answer:
    """`ForgottenAnswer`."""
    return {"forgotten": [asdict(each) for each in forgotten]}


def mismatches_answer(mismatches: Iterable[Mismatch]) -> Answer:
    """`MismatchesAnswer`."""
    return {
        "mismatches": [
            {
                **_mismatch_head(mismatch),
                "method": mismatch.request.method,
                "path": mismatch.request.path,
                "query": mismatch.request.query,
                "primary_side": mismatch.primary.side,
                "primary_status": mismatch.primary.answer.status,
                "candidate_side": mismatch.candidate.side,
                "candidate_status": mismatch.candidate.answer.status,
                "differs_at": [difference.path for difference in mismatch.differences],
            }
            for mismatch in mismatches
        ]
    }


def mismatch_answer(mismatch: Mismatch) -> Answer:
    """`MismatchAnswer`."""
    request = mismatch.request
    return {
        **_mismatch_head(mismatch),
        "request": {
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": request.headers,
            **_shown_body(request.body),
        },
        "primary": _observation(mismatch.primary),
        "candidate": _observation(mismatch.candidate),
        "differences": [
            {
                "path": difference.path,
                "primary": _plain(difference.primary),
                "candidate": _plain(difference.candidate),
                "primary_has": difference.primary_has,
                "candidate_has": difference.candidate_has,
            }
            for difference in mismatch.differences
        ],
        "recording": _plain(mismatch.recording),
    }


def _mismatch_head(mismatch: Mismatch) -> Answer:
    return {
        "id": mismatch.id,
        "at": utc_text(mismatch.at),
        "endpoint": mismatch.endpoint,
        "mode": mismatch.mode.model_dump(),
    }


def _observation(observation: Observation) -> Answer:
    return {
        "side": observation.side,
        "status": observation.answer.status,
        "headers": observation.answer.headers,
        **_shown_body(observation.answer.body),
        "effects": _plain(observation.effects),
        "raised": observation.raised,
        "raised_at": observation.raised_at,
    }


def _shown_body(body: bytes) -> Answer:
    try:
        return {"body": body.decode(), "body_encoding": "utf-8"}
    except UnicodeDecodeError:
        return {"body": base64.b64encode(body).decode(), "body_encoding": "base64"}


def _plain(value: object) -> Any:
    """What was seen, as JSON that any client can read: a number that JSON doesn't have, such as NaN, becomes a text."""
    return json.loads(json.dumps(value, default=str), parse_constant=str)
