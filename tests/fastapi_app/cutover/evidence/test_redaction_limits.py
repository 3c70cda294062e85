"""Redaction of what is long, deep or hostile leaves no trace and takes no time."""

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastapi_app.cutover.comparing.observation import Difference
from fastapi_app.cutover.comparing.verdict import compare
from fastapi_app.cutover.evidence.redaction import MAX_BODY_BYTES, redacted, without_content
from fastapi_app.cutover.store.codec import encoded
from tests.fastapi_app.cutover.evidence.mismatches import (
    FIELDS,
    FORM,
    JSON,
    MULTIPART,
    TEXT,
    Headers,
    mismatch,
    request_body,
    seen,
)


def test_a_long_body_is_cut_and_says_so() -> None:
    whole = b"x" * MAX_BODY_BYTES
    assert request_body(whole, TEXT) == whole
    assert request_body(whole + b"y", TEXT) == whole + b"\n[cut: 65537 bytes in all, SHA-256 8eb0d57cc018]"
    assert request_body(whole + b"y", TEXT) != request_body(whole + b"z", TEXT)


def test_a_long_body_is_not_cut_within_a_character() -> None:
    cut = request_body("ä".encode() * MAX_BODY_BYTES, ()).decode()
    assert cut.startswith("ä" * (MAX_BODY_BYTES // 2) + "\n[cut: 131072 bytes")
    assert request_body(b"x" + "ä".encode() * MAX_BODY_BYTES, ()).decode().startswith("x" + "ä" * 32767 + "\n[cut: ")


def test_a_secret_past_the_cut_leaves_no_trace() -> None:
    body = json.dumps({"a": "x" * MAX_BODY_BYTES, "password": "xyzzy"}).encode()
    assert b"xyzzy" not in request_body(body)
    assert request_body(body) == request_body(body.replace(b"xyzzy", b"plugh"))


@pytest.mark.parametrize("depth", range(900, 1_011))
def test_a_secret_of_any_depth(depth: int) -> None:
    body = b'{"pin":' + b"[" * depth + b"]" * depth + b"}"
    assert request_body(body).startswith(b'{"pin":"[redacted]"')
    other = body.replace(b"[]", b"[1]")
    shown = redacted(mismatch(primary=body, candidate=other, differences=[Difference(path="body")]), fields=FIELDS)
    assert shown.primary.answer.body != shown.candidate.answer.body


@pytest.mark.parametrize("depth", [100, 400, 600, *range(900, 1_011, 3)])
def test_effects_and_recordings_of_any_depth(depth: int) -> None:
    deep: Any = {"pin": "secret"}
    for _ in range(depth):
        deep = [deep]
    given = mismatch(recording={"a": deep}, differences=[Difference(path="status", primary=200, candidate=201)])
    shown = redacted(replace(given, primary=replace(given.primary, effects={"a": deep})), fields=FIELDS)
    if shown.recording is None:
        assert str(shown.differences[-1]) == "the recording was not kept: it is nested too deeply"
    assert "secret" not in encoded(shown)


def test_effects_and_a_recording_that_are_too_large() -> None:
    effects = {"pin": "secret", "text": "x" * 100_000}
    given = mismatch(recording={"text": "x" * 2**20}, differences=[Difference(path="effects")])
    shown = redacted(replace(given, primary=replace(given.primary, effects=effects)), fields=FIELDS)
    ((note, beginning),) = shown.primary.effects.items()
    assert note == "cut: 100033 characters of JSON in all"
    assert beginning == '{"pin": "[redacted]", "text": "' + "x" * 65_505
    assert shown.recording is None
    assert [difference.path for difference in shown.differences] == [
        "effects",
        "the recording was not kept: it has 1048588 characters of JSON",
    ]


def test_a_mismatch_without_its_content() -> None:
    given = mismatch(
        path="/secret",
        query="secret",
        headers=(("a", "secret"),),
        body=b"secret",
        primary=b"secret",
        recording={"a": "secret"},
        differences=[
            Difference(path="status", primary="secret", candidate=1),
            Difference(path='body["/pay?pin=secret"]', primary="secret", candidate=1),
        ],
    )
    given = replace(given, primary=replace(given.primary, effects={"a": "secret"}, raised="secret"))
    bare = without_content(given, fields=["pin"])
    assert "secret" not in encoded(bare)
    assert (bare.endpoint, bare.mode, bare.at, bare.request.method) == ("POST /login", given.mode, given.at, "POST")
    assert (bare.primary.side, bare.primary.answer.status, bare.candidate.side) == ("legacy", 200, "native")
    assert [str(difference) for difference in bare.differences] == [
        "status",
        'body["/pay?pin=[redacted]"]',
        "the content was not kept: it could not be redacted in time, or at all",
    ]


WORDS = st.text(st.sampled_from('ab"\\\\[{:,=&?/; 1'), max_size=6)
HOLDERS = st.recursive(
    st.builds(lambda word: {"pin": f"xyzzy{word}"}, WORDS)
    | st.builds(lambda word: ["Authorization", f"xyzzy{word}"], WORDS)
    | st.just("/a?b=1&pin=xyzzy#c"),
    lambda inner: (
        st.lists(inner | WORDS, max_size=3)
        | st.dictionaries(WORDS, inner | WORDS, max_size=3)
        | inner.map(json.dumps)
        | inner.map(lambda value: json.dumps(value, indent=1))
    ),
)


@settings(max_examples=40)
@given(HOLDERS, HOLDERS, st.integers(0, 400))
def test_no_secret_is_left_wherever_it_is_and_wherever_the_body_ends(one: Any, other: Any, end: int) -> None:
    primary, candidate = (json.dumps(value)[:end] for value in (one, other))
    verdict = compare(
        seen(primary, effects={"a": one}, headers=(*JSON, ("x-a", primary))), seen(candidate, effects={"a": other})
    )
    given_mismatch = replace(
        mismatch(
            primary=primary.encode(),
            candidate=candidate.encode(),
            headers=JSON,
            body=primary.encode(),
            recording={"a": one},
        ),
        differences=verdict.differences,
    )
    shown = redacted(given_mismatch, fields=FIELDS)
    assert "xyzzy" not in encoded(shown)
    assert bool(shown.differences) is bool(verdict.differences)


def test_json_in_very_many_texts() -> None:
    # Each is in the one before it, with few characters more.
    escapes = ["".join(["\\", *["u005c"] * depth, "u0022"]) for depth in range(400)]
    body = f'["[{"[".join(escapes)}pin{escapes[-1]}: secret'
    assert b"secret" not in request_body(body.encode())
    assert request_body(b'"\\"{\\\\\\"pin\\\\\\": 1}\\""') == b'"\\"{\\\\\\"pin\\\\\\": \\\\\\"[redacted]\\\\\\"}\\""'


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"pin":' + b"[" * 300_000, JSON),
        (b'{"' + b'\\"' * 300_000, JSON),
        (b'"' * 300_001, JSON),
        (b"{" + b'"pin":' * 50_000, JSON),
        (b'["pin",' * 50_000, JSON),
        (b'["pin",[' * 50_000, JSON),
        (b'["pin", "' + b"x" * 300_000, JSON),
        (b'["pin", ' + b"x" * 300_000, JSON),
        (b'"pin"' + b" " * 300_000 + b'"pin"' + b" " * 300_000, JSON),
        (b'"' + b"pin=" * 100_000, JSON),
        (b'"' + b"?a" * 100_000, JSON),
        (b'"' + b"pin='" * 60_000, JSON),
        (b"pin=" * 100_000, FORM),
        (b"[" * 300_000 + b"=1", FORM),
        (b"a" * 300_000, TEXT),
        (b"pin=" * 100_000, TEXT),
        (b"pin='" * 60_000, TEXT),
        (b"a.a[" * 75_000 + b"=1", TEXT),
        (b"a.a=" * 75_000, TEXT),
        (b"\xff" * 300_000, TEXT),
        (b'"' + b"a." * 150_000 + b'"', JSON),
        (b"content-disposition:" * 3_200, MULTIPART),
        (b"content-disposition:" * 50_000 + b"\r\n\r\n", MULTIPART),
        (b"--x" * 100_000, MULTIPART),
        (b"; name=" * 50_000 + b"\n\n", MULTIPART),
    ],
)
def test_a_hostile_body_takes_no_time(body: bytes, headers: Headers) -> None:
    started = time.thread_time()
    assert len(request_body(body, headers)) < MAX_BODY_BYTES + 100
    # Of the processor, for the machine may be busy. It takes milliseconds where this was written; what takes time by
    # the square of the length takes many seconds.
    assert time.thread_time() - started < 0.5 * max(1, len(body) / 65_536)


def test_a_hostile_path_takes_no_time() -> None:
    endpoint, path = "GET /<path:a>/<path:pin>/<path:c>/end", "/a" * 5_000
    assert redacted(mismatch(endpoint=endpoint, path=path), fields=FIELDS).request.path == "[redacted]"
