import copy
import gzip
import json
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastapi_app.cutover.comparing.accepted import AcceptedDifference
from fastapi_app.cutover.comparing.observation import Difference, Mismatch, Observation, SeenAnswer, SeenRequest
from fastapi_app.cutover.comparing.verdict import compare
from fastapi_app.cutover.evidence.redaction import MAX_BODY_BYTES, redacted, without_content
from fastapi_app.cutover.store.codec import encoded
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
            answer_headers=(("set-cookie", "session=1; Path=/; Secure"), ("set-cookie", "odd"), ("etag", '"1"')),
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
        ("set-cookie", "session=[redacted]; Path=/; Secure"),
        ("set-cookie", "[redacted]"),
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
        ("user[password]=x&user%5Bname%5D%5Bpin%5D=1", "user[password]=[redacted]&user%5Bname%5D%5Bpin%5D=[redacted]"),
        (
            "next=%2Freset%3Fpin%3D1&payload=%7B%22a%22%3A2%7D",
            "next=%2Freset%3Fpin%3D[redacted]&payload=%7B%22a%22%3A2%7D",
        ),
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
        ('{"a": "password", "b": "pin: 1"}', '{"a": "password", "b": "pin: 1"}'),
        (r'{"fragment": "\"pin\": 1"}', r'{"fragment": "\"pin\": \"[redacted]\""}'),
        (' [ {"pin" : 1} ]', ' [ {"pin" : "[redacted]"} ]'),
        ('{"pin": 1}\n{"pin": 2}\n', '{"pin": "[redacted]"}\n{"pin": "[redacted, another value]"}\n'),
        ('{"a": 1, "pin": tru', '{"a": 1, "pin": "[redacted]"'),
        ('{"a": 1, "password": "unfinished', '{"a": 1, "password": "[redacted]"'),
        ('{"next": "/x?password=1&a=2"}', '{"next": "/x?password=[redacted]&a=2"}'),
        (r'{"inner": "{\"pin\": 1}"}', r'{"inner": "{\"pin\": \"[redacted]\"}"}'),
        ('{"next": "/#pin=1&a=2"}', '{"next": "/#pin=[redacted]&a=2"}'),
        ('{"form": "pin=1&a=2"}', '{"form": "pin=[redacted]&a=2"}'),
        ('{"digest": "realm=a, pin=\\"b c\\", a=d"}', '{"digest": "realm=a, pin=[redacted], a=d"}'),
        ('{"/?pin=1": 1}', '{"/?pin=[redacted]": 1}'),
        (r'{"inner": "{\"a\": {\"pin\": 1', r'{"inner": "{\"a\": {\"pin\": \"[redacted]\""'),
        (r'{"inner": "{\"pin\": \"\q', r'{"inner": "{\"pin\": \"[redacted]\""'),
        ('[["Authorization", "Bearer x"], ["accept", "*"]]', '[["Authorization", "[redacted]"], ["accept", "*"]]'),
        ('[["cookie", ["a=1", "b=2"]], ["pin" , 12]]', '[["cookie", "[redacted]"], ["pin" , "[redacted]"]]'),
        ('[["Authorization", "Bearer x', '[["Authorization", "[redacted]"'),
        ('["pin", "password", "name"]', '["pin", "password", "name"]'),
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
        (b"\xff\xfe{", ()),
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


@pytest.mark.parametrize("head", ["form-data; name=user[password]", 'a;\r\n NAME = "pin"', "a" * 1_025])
@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_a_part_of_a_multipart_form_that_is_a_secret_or_may_be(head: str, line_end: str) -> None:
    part = f"--x\r\nContent-Disposition: {head}{line_end}{line_end}%s\r\n--x--".encode()
    headers = (("content-type", "multipart/form-data; boundary=x"),)
    assert request_body(part % b"secret", headers) == part % b"[redacted]"


def test_json_in_a_multipart_form() -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n%s\r\n--x--'
    headers = (("content-type", "multipart/form-data; boundary=x"),)
    assert request_body(part % b'{"pin": 1}', headers) == part % b'{"pin": "[redacted]"}'


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32-le"])
def test_json_in_any_encoding_that_its_readers_know(encoding: str) -> None:
    assert request_body('{"pin": "ü"}'.encode(encoding)) == '{"pin": "[redacted]"}'.encode(encoding)
    assert b"x" not in request_body('{"pin": "xxxx"}'.encode(encoding)[:-1])
    plain = '{"a": "ü"}'.encode(encoding)[:-1]
    assert request_body(plain) == plain


def test_json_that_is_sent_as_a_form() -> None:
    assert request_body(b'{"pin": 1}', FORM) == b'{"pin": "[redacted]"}'


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("br", b"\x0b\x05\x80{"),
        ("gzip, gzip", gzip.compress(gzip.compress(b'{"pin": 1}'))[:-1] + b"\xff"),
        ("gzip", gzip.compress(b'{"pin": 1}')[:-8] + b"12345678"),
        ("gzip", gzip.compress(b"{}") + gzip.compress(b'{"pin": 1}')),
        ("gzip", gzip.compress(b" " * (2**24 + 1))),
    ],
    ids=["not known", "twice", "broken", "of two members", "too large"],
)
def test_a_packed_body_that_can_not_be_read_is_not_kept(coding: str, body: bytes) -> None:
    assert request_body(body, (*JSON, ("content-encoding", coding))) == b"[redacted]"


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


def seen_differences(primary: Observation, candidate: Observation, *rules: AcceptedDifference) -> list[str]:
    """Of a mismatch with the differences that `compare` finds, which say what they were, after its redaction."""
    verdict = compare(primary, candidate, accepted=rules)
    assert verdict.outcome == "mismatch"
    given = replace(mismatch(), primary=primary, candidate=candidate, differences=verdict.differences)
    shown = redacted(given, fields=FIELDS, accepted=rules)
    return [str(difference) for difference in shown.differences]


def seen(
    body: str, headers: Headers = JSON, *, effects: Mapping[str, Any] | None = None, raised: str | None = None
) -> Observation:
    answer = SeenAnswer(status=200, headers=headers, body=body.encode())
    return Observation(side="legacy", answer=answer, effects=effects or {}, raised=raised)


def test_differences_are_those_of_the_redacted_sides() -> None:
    def side(secret: str, name: str, price: str) -> Observation:
        user = f'{{"Api-Token": {{"pin": "{secret}"}}, "name": "{name}"}}'
        body = f'{{"password": "{secret}", "users": [{user}], "p": {price}}}'
        headers = (*JSON, ("set-cookie", f"session={secret}; Path=/"), ("location", f"/a?pin={secret}"))
        return seen(body, headers, effects={"calls": [{"Authorization": secret}, [["cookie", secret]]]})

    assert seen_differences(side("xyzzy", "ann", "1.5"), side("plugh", "bob", "2.5")) == [
        "headers.set-cookie.session: primary 'session=[redacted]; Path=/', "
        "candidate 'session=[redacted, another value]; Path=/'",
        "headers.location: primary '/a?pin=[redacted]', candidate '/a?pin=[redacted, another value]'",
        "body.password: primary '[redacted]', candidate '[redacted, another value]'",
        "body.users[0].Api-Token: primary '[redacted]', candidate '[redacted, another value]'",
        "body.users[0].name: primary 'ann', candidate 'bob'",
        "body.p: primary 1.5, candidate 2.5",
        "effects.calls[0].Authorization: primary '[redacted]', candidate '[redacted, another value]'",
        "effects.calls[1][0][1]: primary '[redacted]', candidate '[redacted, another value]'",
    ]


def test_what_is_accepted_is_accepted_still() -> None:
    rule = AcceptedDifference(
        name="cookies", endpoint="*", path="headers.set-cookie.**", reason="known", expires=date(2999, 1, 1)
    )
    primary, candidate = (seen(body, (*JSON, ("set-cookie", f"a={body}"))) for body in ("[1]", "[2]"))
    assert seen_differences(primary, candidate, rule) == ["body[0]: primary 1, candidate 2"]


def test_a_cookie_that_differs_in_nothing_that_counts_is_no_difference_afterwards() -> None:
    primary, candidate = (
        seen(body, (("set-cookie", f"a=1; Max-Age=60; Expires=Mon, 03 Mar 2025 12:00:0{body} GMT"),))
        for body in ("1", "2")
    )
    assert seen_differences(primary, candidate) == ["body: primary 'line 1: 1', candidate 'line 1: 2'"]


def test_a_difference_within_a_secret_that_can_not_be_told_apart_keeps_its_path() -> None:
    assert seen_differences(seen('{"pin": 0.1}'), seen('{"pin": 0.10000000000000000000001}')) == ["body.pin"]
    deep: Any = 1
    for _ in range(2_000):
        deep = [deep]
    assert seen_differences(seen("1", effects={"a": deep}), seen("1")) == ["effects"]


def test_a_secret_in_a_path_is_redacted() -> None:
    assert seen_differences(seen('{"/?pin=1": 1}'), seen('{"/?pin=1": 2}')) == [
        'body["/?pin=[redacted]"]: primary 1, candidate 2'
    ]
    (long,) = seen_differences(seen(json.dumps({"a" * 9_000: 1})), seen("{}"))
    assert long == "body." + "a" * 994 + "…: primary 1, candidate nothing"


def test_of_an_exception_the_type_is_kept() -> None:
    message = "ValidationError: 1 error for Login [type=missing, input_value={'password': 'xyzzy'}]"
    assert seen_differences(seen("1", raised=message), seen("1")) == [
        "raised: primary 'ValidationError', candidate nothing"
    ]


def test_a_difference_of_texts_shows_no_part_of_a_secret_and_is_short() -> None:
    secret = "0123456789" * 10
    primary, candidate = (f'{{"password": "{secret}", "a": 1{end}' for end in ("}" + " " * 100_000, ""))
    assert seen_differences(seen(primary), seen(candidate)) == [
        'body: primary \'line 1: {"password": "[redacted]", "a": 1}' + " " * 119 + "…', "
        'candidate \'line 1: {"password": "[redacted]", "a": 1\''
    ]
    assert len(seen_differences(seen("x" * 100_000), seen(""))[0]) < 300


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
    given = replace(given, primary=replace(given.primary, effects={"ledger": [{"password": "x"}]}))
    shown = redacted(given, fields=FIELDS)
    assert shown.recording == {
        "instant": "2025-03-03T12:30:15Z",
        "calls": [
            {
                "url": "https://example.org/?a=1&api_token=[redacted]",
                "headers": [["Authorization", "[redacted]"], ["accept", "*/*"]],
                "body": '{"pin": "[redacted]", "a": 2}',
                "password": "[redacted, another value]",
            }
        ],
        "state": {"pin": "[redacted, another value]", "count": 3, "open": True},
    }
    assert shown.primary.effects == {"ledger": [{"password": "[redacted]"}]}


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
        primary=b"[[1]]",
        candidate=b'[{"a": null}]',
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


MULTIPART = (("content-type", "multipart/form-data; boundary=x"),)


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
        (b"content-disposition:" * 3_200, MULTIPART),
        (b"content-disposition:" * 50_000 + b"\r\n\r\n", MULTIPART),
        (b"--x" * 100_000, MULTIPART),
        (b"; name=" * 50_000 + b"\n\n", MULTIPART),
    ],
)
def test_a_hostile_body_takes_no_time(body: bytes, headers: Headers) -> None:
    started = time.perf_counter()
    assert len(request_body(body, headers)) < MAX_BODY_BYTES + 100
    # It takes milliseconds where this was written; what takes time by the square of the length takes many seconds.
    assert time.perf_counter() - started < 0.5 * max(1, len(body) / 65_536)


def test_a_hostile_path_takes_no_time() -> None:
    endpoint, path = "GET /<path:a>/<path:pin>/<path:c>/end", "/a" * 5_000
    assert redacted(mismatch(endpoint=endpoint, path=path), fields=FIELDS).request.path == "[redacted]"
