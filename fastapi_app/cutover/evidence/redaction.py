"""Takes secrets out of a mismatch before it is kept, so that what differed can still be told from what didn't."""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from fastapi_app.cutover.comparing.accepted import AcceptedDifference
from fastapi_app.cutover.comparing.observation import Difference, Mismatch, Observation, SeenAnswer, SeenRequest
from fastapi_app.cutover.comparing.verdict import compare
from fastapi_app.cutover.evidence.bodies import masked_body, redacted_body
from fastapi_app.cutover.evidence.secrets import Secrets
from fastapi_app.cutover.evidence.texts import redacted_form, redacted_json, redacted_text, spliced, without_parameters
from fastapi_app.cutover.evidence.values import REDACTED
from fastapi_app.cutover.inventory.rules import flask_rule

MAX_BODY_BYTES = 65_536
MAX_EFFECTS_CHARACTERS = 65_536
"""As JSON, of each side."""

MAX_RECORDING_CHARACTERS = 2**20
"""As JSON."""

MAX_PATH_CHARACTERS = 1_000
"""Of a difference's path, and of a request's path that is searched for parameters."""

_NO_SIDE = {"primary_has": False, "candidate_has": False}
_TOO_DEEP = {"not kept": "nested too deeply"}


def redacted(mismatch: Mismatch, *, fields: Collection[str], accepted: Sequence[AcceptedDifference] = ()) -> Mismatch:
    """The mismatch with `[redacted]` for each value that stands under one of `SECRET_NAMES` or `fields`, or under a
    name that has one of `SECRET_ENDS`, and small enough to be kept: bodies are cut and end in a note of their size and
    their digest, effects become the beginning of their JSON, and a recording that is too large is left out, which a
    last difference says.

    Names count in any case, with `-`, `_` or neither, and as a part of one such as `user[password]` or `user.password`:
    as headers, parameters of the path, the query and of URLs, fields of forms, and keys of JSON at any depth, in the
    effects and the recording too. Equal values of one name look equal afterwards, and different ones different:
    `[redacted]`, `[redacted, another value]`, `[redacted, value 3]`. Of a body that is neither JSON nor a form all is
    kept but what stands in it as `name=value`; one that is packed and can't be unpacked isn't kept. Of an exception the
    type is kept.

    A value that was met so, of `MIN_SECRET_CHARACTERS` or more, is taken out wherever else it stands, in any part of
    the mismatch and under any name: each cookie's by itself, and of `Authorization` what comes after the scheme. Raises
    ValueError where that would take too long.

    The differences are those of the redacted sides by the same rules, `accepted` among them; one that can't be seen
    there has a path and no values.
    """
    secrets = Secrets(fields)
    request = _request(mismatch, secrets)
    primary, candidate = _observation(mismatch.primary, secrets), _observation(mismatch.candidate, secrets)
    recording, remarks = _recording(mismatch.recording, secrets)
    # By value only now that every one is known.
    request = _masked_request(request, secrets)
    primary, candidate = _masked_observation(primary, secrets), _masked_observation(candidate, secrets)
    recording = None if recording is None else _masked_json(recording, secrets)
    found = compare(primary, candidate, accepted=accepted, method=request.method).differences
    differences = _differences(mismatch, found, secrets)
    return replace(
        mismatch,
        request=replace(request, body=_cut(request.body)),
        primary=_kept(primary),
        candidate=_kept(candidate),
        differences=(
            *(replace(difference, path=_short(difference.path)) for difference in differences),
            *(Difference(path=remark, **_NO_SIDE) for remark in remarks),
        ),
        recording=recording,
    )


def without_content(mismatch: Mismatch, *, fields: Collection[str]) -> Mismatch:
    """What is kept of a mismatch that can't be redacted, or not in time: the endpoint, its mode, the instant, the
    method, both statuses and the paths of the differences, the last of which says so. Quick, and never raises."""
    secrets = Secrets(fields)

    def bare(observation: Observation) -> Observation:
        return Observation(side=observation.side, answer=SeenAnswer(status=observation.answer.status))

    return Mismatch(
        id=mismatch.id,
        endpoint=mismatch.endpoint,
        at=mismatch.at,
        mode=mismatch.mode,
        request=SeenRequest(method=mismatch.request.method, path=REDACTED),
        primary=bare(mismatch.primary),
        candidate=bare(mismatch.candidate),
        differences=(
            *(
                Difference(path=without_parameters(_short(difference.path), secrets), **_NO_SIDE)
                for difference in mismatch.differences
            ),
            Difference(path="the content was not kept: it could not be redacted in time, or at all", **_NO_SIDE),
        ),
    )


def _request(mismatch: Mismatch, secrets: Secrets) -> SeenRequest:
    request = mismatch.request
    return replace(
        request,
        path=_path(mismatch.endpoint, request.path, secrets),
        query=redacted_form(request.query, secrets),
        headers=_headers(request.headers, secrets),
        body=redacted_body(request.body, request.headers, secrets),
    )


def _observation(observation: Observation, secrets: Secrets) -> Observation:
    answer = observation.answer
    try:
        effects = _json(observation.effects, secrets)
    except RecursionError:
        effects = _TOO_DEEP
    return replace(
        observation,
        answer=SeenAnswer(
            status=answer.status,
            headers=_headers(answer.headers, secrets),
            body=redacted_body(answer.body, answer.headers, secrets),
        ),
        effects=effects,
        # Messages hold what was wrong, in any notation.
        raised=None if observation.raised is None else observation.raised.partition(":")[0],
    )


def _differences(mismatch: Mismatch, found: Sequence[Difference], secrets: Secrets) -> Iterator[Difference]:
    """Those of the found that the mismatch has, too, and without values the others that it has. What differs within a
    secret is found at the secret itself."""
    named = (without_parameters(difference.path, secrets) for difference in mismatch.differences)
    lost = dict.fromkeys(map(secrets.values.masked, named))
    paths = tuple(lost)
    for difference in found:
        path = difference.path
        told = [each for each in paths if each == path or each.startswith((f"{path}.", f"{path}["))]
        if told:
            yield difference
        for each in told:
            lost.pop(each, None)
    yield from (Difference(path=path, **_NO_SIDE) for path in lost)


def _recording(recording: Mapping[str, Any] | None, secrets: Secrets) -> tuple[Mapping[str, Any] | None, list[str]]:
    """And a remark where it is left out."""
    if recording is None:
        return None, []
    try:
        shown = _json(recording, secrets)
    except RecursionError:
        return None, ["the recording was not kept: it is nested too deeply"]
    size = len(json.dumps(shown))
    if size > MAX_RECORDING_CHARACTERS:
        return None, [f"the recording was not kept: it has {size} characters of JSON"]
    return shown, []


def _path(endpoint: str, path: str, secrets: Secrets) -> str:
    """The raw path with the rule's parameters that are secret taken out."""
    rule = flask_rule(endpoint.partition(" ")[2])
    names = [parameter.name for parameter in rule.parameters]
    if not any(map(secrets.named, names)):
        return path
    parts = (re.escape(part) if isinstance(part, str) else _segments(part.converter) for part in rule.parts)
    # With several parameters of any length the search takes time by a power of the path's.
    match = re.fullmatch("".join(parts) + "/?", path) if len(path) <= MAX_PATH_CHARACTERS else None
    if match is None:
        # Which part is the secret one can't be told.
        return REDACTED
    spans = [(*match.span(number), name) for number, name in enumerate(names, start=1) if secrets.named(name)]
    return spliced(path, ((start, end, secrets.label(name, path[start:end])) for start, end, name in spans))


def _segments(converter: str) -> str:
    return "(.+?)" if converter == "path" else "([^/]+)"


def _headers(headers: tuple[tuple[str, str], ...], secrets: Secrets) -> tuple[tuple[str, str], ...]:
    return tuple((name, _header_value(name, value, secrets)) for name, value in headers)


def _header_value(name: str, value: str, secrets: Secrets) -> str:
    if name == "set-cookie":
        # Its name and its attributes are what differs as a rule, and no secret.
        pair, semicolon, attributes = value.partition(";")
        cookie, equals, secret = pair.partition("=")
        if equals:
            return f"{cookie}={secrets.label(f'cookie {cookie}', secret)}{semicolon}{attributes}"
    return secrets.label(name, value) if secrets.named(name) else redacted_text(value, secrets)


def _json(value: Mapping[str, Any], secrets: Secrets) -> Any:
    """Raises RecursionError for what is nested too deeply."""
    return json.loads(redacted_json(json.dumps(value, default=repr), secrets)) if value else value


def _masked_request(request: SeenRequest, secrets: Secrets) -> SeenRequest:
    return replace(
        request,
        path=secrets.values.masked(request.path),
        query=secrets.values.masked(request.query),
        headers=_masked_headers(request.headers, secrets),
        body=masked_body(request.body, request.headers, secrets),
    )


def _masked_observation(observation: Observation, secrets: Secrets) -> Observation:
    answer = observation.answer
    headers = _masked_headers(answer.headers, secrets)
    body = masked_body(answer.body, answer.headers, secrets)
    return replace(
        observation,
        answer=replace(answer, headers=headers, body=body),
        effects=_masked_json(observation.effects, secrets),
    )


def _masked_headers(headers: tuple[tuple[str, str], ...], secrets: Secrets) -> tuple[tuple[str, str], ...]:
    return tuple((name, secrets.values.masked(value)) for name, value in headers)


def _masked_json(value: Mapping[str, Any], secrets: Secrets) -> Any:
    return json.loads(secrets.values.masked_json(json.dumps(value))) if value else value


def _kept(observation: Observation) -> Observation:
    answer = observation.answer
    effects = json.dumps(observation.effects)
    return replace(
        observation,
        answer=replace(answer, body=_cut(answer.body)),
        effects=observation.effects
        if len(effects) <= MAX_EFFECTS_CHARACTERS
        else {f"cut: {len(effects)} characters of JSON in all": effects[:MAX_EFFECTS_CHARACTERS]},
    )


def _cut(body: bytes) -> bytes:
    if len(body) <= MAX_BODY_BYTES:
        return body
    end = MAX_BODY_BYTES
    # Not within a character of UTF-8, whose later bytes all begin with the bits 10.
    while end > MAX_BODY_BYTES - 4 and body[end] & 0xC0 == 0x80:
        end -= 1
    digest = hashlib.sha256(body).hexdigest()[:12]
    return body[:end] + f"\n[cut: {len(body)} bytes in all, SHA-256 {digest}]".encode()


def _short(path: str) -> str:
    return path if len(path) <= MAX_PATH_CHARACTERS else path[: MAX_PATH_CHARACTERS - 1] + "…"
