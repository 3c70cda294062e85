import copy
import gzip
import json
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fastapi_app.cutover.observation import Difference, Mismatch, Observation, SeenAnswer, SeenRequest
from fastapi_app.cutover.redaction import MAX_BODY_BYTES, redacted
from shared.modes import EndpointMode

FIELDS = ["password", "Api-Token", "pin"]
JSON = (("content-type", "application/json"),)
FORM = (("content-type", "application/x-www-form-urlencoded"),)

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


def told(*differences: Difference, **given: Any) -> list[str]:
    return [str(shown) for shown in redacted(mismatch(differences=differences, **given), fields=FIELDS).differences]


def test_headers_that_carry_secrets_are_redacted_without_being_configured() -> None:
    shown = redacted(
        mismatch(
            headers=(
                ("authorization", "Bearer abc"),
                ("cookie", "session=1"),
                ("proxy-authorization", "Basic eA=="),
                ("x-api-key", "k"),
                ("api-token", "t"),
                ("accept", "*/*"),
            ),
            answer_headers=(("set-cookie", "session=1"), ("set-cookie", "other=2"), ("etag", '"1"')),
        ),
        fields=FIELDS,
    )
    assert shown.request.headers == (
        ("authorization", "[redacted]"),
        ("cookie", "[redacted]"),
        ("proxy-authorization", "[redacted]"),
        ("x-api-key", "[redacted]"),
        ("api-token", "[redacted]"),
        ("accept", "*/*"),
    )
    assert shown.primary.answer.headers == (
        ("set-cookie", "[redacted]"),
        ("set-cookie", "[redacted, another value]"),
        ("etag", '"1"'),
    )
    assert shown.candidate.answer.headers == shown.primary.answer.headers


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("a=1&password=x&b=2", "a=1&password=[redacted]&b=2"),
        ("PassWord=x", "PassWord=[redacted]"),
        (
            "api_token=x&api-token=y&api%2Dtoken=x",
            "api_token=[redacted]&api-token=[redacted, another value]&api%2Dtoken=[redacted]",
        ),
        ("pin[]=1&pin[0]=1", "pin[]=[redacted]&pin[0]=[redacted]"),
        ("password&pinned=1&=2&&", "password&pinned=1&=2&&"),
        ("password=a=b", "password=[redacted]"),
    ],
)
def test_parameters_of_the_query_and_fields_of_forms(query: str, shown: str) -> None:
    assert redacted(mismatch(query=query), fields=FIELDS).request.query == shown
    assert request_body(query.encode(), FORM) == shown.encode()


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"password": "x", "n": 1.10}', '{"password": "[redacted]", "n": 1.10}'),
        ('{"a":[{"PASSWORD":{"deep":[1,2]},"b":2}]}', '{"a":[{"PASSWORD":"[redacted]","b":2}]}'),
        ('{"pin":1,"pin":1,"api_token":null}', '{"pin":"[redacted]","pin":"[redacted]","api_token":"[redacted]"}'),
        ('[{"pin":1},{"pin":1.0}]', '[{"pin":"[redacted]"},{"pin":"[redacted, another value]"}]'),
        ('[{"pin":1,"pin":true},{"pin":"1"}]',
         '[{"pin":"[redacted]","pin":"[redacted, another value]"},{"pin":"[redacted, value 3]"}]'),
        (r'{"pass\u0077ord": "x\"y"}', r'{"pass\u0077ord": "[redacted]"}'),
        ('{"a": "password", "b": "\\"pin\\": 1"}', '{"a": "password", "b": "\\"pin\\": 1"}'),
        (' [ {"pin" : 1} ]', ' [ {"pin" : "[redacted]"} ]'),
        ('{"pin": 1}\n{"pin": 2}\n', '{"pin": "[redacted]"}\n{"pin": "[redacted, another value]"}\n'),
        ('{"a": 1, "pin": tru', '{"a": 1, "pin": "[redacted]"'),
        ('{"a": 1, "password": "unfinished', '{"a": 1, "password": "[redacted]"'),
        ('{"next": "/x?password=1&a=2"}', '{"next": "/x?password=[redacted]&a=2"}'),
        (r'{"inner": "{\"pin\": 1}"}', r'{"inner": "{\"pin\": \"[redacted]\"}"}'),
        ('{"größe": "ü", "pin": 1}', '{"größe": "ü", "pin": "[redacted]"}'),
        ('{"a": "unfinished', '{"a": "unfinished'),
        ("{}", "{}"),
    ],
)  # fmt: skip
def test_keys_of_json_at_any_depth_and_nothing_else_of_it(body: str, shown: str) -> None:
    assert request_body(body.encode()) == shown.encode()


def test_json_is_known_without_a_content_type() -> None:
    assert request_body(b'{"pin": 1}', ()) == b'{"pin": "[redacted]"}'


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"the password: x, {pin: 1}", (("content-type", "text/plain"),)),
        (b"\xff\x00\xfe", ()),
        (b"", JSON),
        (b"password=x", (("content-type", "text/html"),)),
        (b"not gzip", (*JSON, ("content-encoding", "gzip"))),
    ],
)
def test_a_body_that_is_neither_json_nor_a_form_is_kept(body: bytes, headers: Headers) -> None:
    assert request_body(body, headers) == body


def test_bytes_that_are_no_text_survive_beside_a_secret() -> None:
    assert request_body(b'{"a": "\xff", "pin": 1}') == b'{"a": "\xff", "pin": "[redacted]"}'


def test_the_fields_of_a_multipart_form() -> None:
    parts = (
        b'--Bo+1\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        b'--Bo+1\r\nContent-Disposition: form-data; name="file"; filename="pin"\r\n\r\npin=1\r\n--Bo+1--\r\n'
    )
    headers = (("content-type", "multipart/form-data; boundary=Bo+1"),)
    assert request_body(parts % (b"password", b"x\r\ny"), headers) == parts % (b"password", b"[redacted]")
    assert request_body(parts % (b"name", b"x"), headers) == parts % (b"name", b"x")


def test_a_compressed_body_is_compressed_again() -> None:
    headers = (*JSON, ("content-encoding", "gzip"))
    assert gzip.decompress(request_body(gzip.compress(b'{"pin": 1}'), headers)) == b'{"pin": "[redacted]"}'
    untouched = zlib.compress(b'{"a": 1}')
    assert request_body(untouched, (*JSON, ("content-encoding", "deflate"))) == untouched


@pytest.mark.parametrize(
    ("endpoint", "path", "shown"),
    [
        ("GET /reset/<api_token>", "/reset/abc%20d", "/reset/[redacted]"),
        ("GET /reset/<api_token>/<int:step>/<path:pin>", "/reset/x/2/a/b", "/reset/[redacted]/2/[redacted]"),
        ("GET /reset/<int:step>", "/reset/2", "/reset/2"),
        ("GET /re set/<pin>", "/re%20set/2", "[redacted]"),
        ("GET /pin", "/pin", "/pin"),
    ],
)
def test_parameters_of_the_path(endpoint: str, path: str, shown: str) -> None:
    assert redacted(mismatch(endpoint=endpoint, path=path), fields=FIELDS).request.path == shown


def test_what_was_equal_stays_equal_and_what_differed_stays_different() -> None:
    same = b'{"password": "[redacted]"}'
    assert answers(b'{"password": "x"}', b'{"password": "x"}') == (same, same)
    assert answers(b'{"password": "x"}', b'{"password": "y"}') == (same, b'{"password": "[redacted, another value]"}')
    assert answers(b'{"password": {"a": 1, "b": 2}}', b'{"password": {"b": 2, "a": 1}}') == (same, same)


def test_an_answer_s_secret_is_the_request_s_by_its_looks() -> None:
    shown = redacted(mismatch(query="pin=1", primary=b'{"pin": "1"}', candidate=b'{"pin": "2"}'), fields=FIELDS)
    assert shown.request.query == "pin=[redacted]"
    assert shown.primary.answer.body == b'{"pin": "[redacted]"}'
    assert shown.candidate.answer.body == b'{"pin": "[redacted, another value]"}'


def test_differences_that_run_through_a_secret() -> None:
    assert told(
        Difference(path="body.password", primary="x", candidate="y"),
        Difference(path="headers.set-cookie.session", primary="session=1", candidate="session=2"),
        Difference(path='body.users[0]["Api token"].pin[1]', primary=1, candidate=2),
        Difference(path="effects.calls[0].headers.Authorization", primary="x", candidate_has=False),
        Difference(path="body.password", primary_has=False, candidate="z"),
        Difference(path="body.passwords", primary="x", candidate="y"),
        Difference(path="and 3 more", primary_has=False, candidate_has=False),
    ) == [
        "body.password: primary '[redacted]', candidate '[redacted, another value]'",
        "headers.set-cookie.session: primary '[redacted]', candidate '[redacted, another value]'",
        "body.users[0][\"Api token\"].pin[1]: primary '[redacted]', candidate '[redacted, another value]'",
        "effects.calls[0].headers.Authorization: primary '[redacted]', candidate nothing",
        "body.password: primary nothing, candidate '[redacted, value 3]'",
        "body.passwords: primary 'x', candidate 'y'",
        "and 3 more",
    ]


def test_secrets_within_the_values_of_differences() -> None:
    assert told(
        Difference(path="body.user", primary={"password": "x", "name": "ann"}, candidate_has=False),
        Difference(path="body.user", primary='{"name": "ann", "password": "xyzzy…', candidate=None),
        Difference(path="headers.location", primary="/a?pin=1", candidate="/a?pin=2"),
    ) == [
        "body.user: primary {'password': '[redacted]', 'name': 'ann'}, candidate nothing",
        'body.user: primary \'{"name": "ann", "password": "[redacted, another value]"\', candidate None',
        "headers.location: primary '/a?pin=[redacted]', candidate '/a?pin=[redacted, another value]'",
    ]


def test_a_difference_of_texts_shows_no_part_of_a_secret() -> None:
    secret = "0123456789" * 10
    shown = told(
        Difference(
            path="body", primary=f'line 1: …{secret[60:]}", "a": 1}}', candidate=f'line 1: …{secret[60:]}", "a": 2'
        ),
        primary=f'{{"password": "{secret}", "a": 1}}'.encode(),
        candidate=f'{{"password": "{secret}", "a": 2'.encode(),
    )
    assert shown == [
        'body: primary \'line 1: {"password": "[redacted]", "a": 1}\', '
        'candidate \'line 1: {"password": "[redacted]", "a": 2\''
    ]


def test_two_long_secrets_with_one_beginning_still_differ() -> None:
    assert told(
        Difference(path="body.password", primary="long…", candidate="long…"),
        Difference(path="body.user", primary='{"pin": 12…', candidate='{"pin": 12, "b": 1…'),
    ) == [
        "body.password: primary '[redacted]', candidate '[redacted, another value]'",
        'body.user: primary \'{"pin": "[redacted]"…\', candidate \'{"pin": "[redacted]", "b": 1…\'',
    ]


def test_effects_and_recording() -> None:
    recording = {
        "instant": "2025-03-03T12:30:15Z",
        "calls": [
            {
                "url": "https://example.org/?a=1&api_token=t",
                "headers": [["Authorization", "Bearer x"], ["accept", "*/*"]],
                "body": '{"pin": 1, "a": 2}',
                "password": ["x"],
            }
        ],
        "state": {"pin": None, "count": 3, "open": True},
    }
    given = mismatch(recording=recording)
    given = replace(given, primary=replace(given.primary, effects={"ledger": [{"password": "x"}]}, raised="E: /?pin=1"))
    shown = redacted(given, fields=FIELDS)
    assert shown.recording == {
        "instant": "2025-03-03T12:30:15Z",
        "calls": [
            {
                "url": "https://example.org/?a=1&api_token=[redacted]",
                "headers": [["Authorization", "[redacted]"], ["accept", "*/*"]],
                "body": '{"pin": "[redacted, another value]", "a": 2}',
                "password": "[redacted, another value]",
            }
        ],
        "state": {"pin": "[redacted, value 3]", "count": 3, "open": True},
    }
    assert shown.primary.effects == {"ledger": [{"password": "[redacted]"}]}
    assert shown.primary.raised == "E: /?pin=[redacted]"


def test_the_mismatch_itself_is_left_as_it_was() -> None:
    given = mismatch(
        query="pin=1",
        body=b'{"pin": 1}',
        primary=b'{"pin": 1}',
        recording={"a": [{"pin": 1}]},
        differences=[Difference(path="body.pin", primary={"pin": 1}, candidate=2)],
    )
    before = copy.deepcopy(given)
    redacted(given, fields=FIELDS)
    assert given == before


def test_a_mismatch_without_secrets_stays_as_it_is() -> None:
    given = mismatch(
        query="a=%20&b",
        headers=(*JSON, ("accept", "text/html;q=0.5")),
        body=b'{ "a":1 }',
        primary=b"[1.0]",
        candidate=b"[1.00]",
        differences=[Difference(path="body[0]", primary=[1], candidate={"a": None})],
        recording={"a": [1, {"b": None}]},
    )
    assert redacted(given, fields=FIELDS) == given


def test_a_long_body_is_cut_and_says_so() -> None:
    whole = b"x" * MAX_BODY_BYTES
    text = (("content-type", "text/plain"),)
    assert request_body(whole, text) == whole
    assert request_body(whole + b"y", text) == whole + b"\n[cut: 65537 bytes in all, SHA-256 8eb0d57cc018]"
    assert request_body(whole + b"y", text) != request_body(whole + b"z", text)


def test_a_long_body_is_not_cut_within_a_character() -> None:
    cut = request_body("ä".encode() * MAX_BODY_BYTES, ()).decode()
    assert cut.startswith("ä" * (MAX_BODY_BYTES // 2) + "\n[cut: 131072 bytes")
    assert request_body(b"x" + "ä".encode() * MAX_BODY_BYTES, ()).decode().startswith("x" + "ä" * 32767 + "\n[cut: ")


def test_a_secret_past_the_cut_leaves_no_trace() -> None:
    body = json.dumps({"a": "x" * MAX_BODY_BYTES, "password": "xyzzy"}).encode()
    assert b"xyzzy" not in request_body(body)
    assert request_body(body) == request_body(body.replace(b"xyzzy", b"plugh"))


@pytest.mark.parametrize(
    "body", [b'{"pin":' + b"[" * 300_000, b'{"' + b'\\"' * 300_000, b'"' * 300_001, b"{" + b'"pin":' * 50_000]
)
def test_a_hostile_body_takes_no_time(body: bytes) -> None:
    assert len(request_body(body)) < MAX_BODY_BYTES + 100
