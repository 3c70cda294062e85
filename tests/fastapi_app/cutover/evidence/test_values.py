"""A secret that an app repeats under another name."""

import base64
import gzip
import json
import time
from dataclasses import replace
from typing import Any

import pytest

from fastapi_app.cutover.comparing.observation import Mismatch
from fastapi_app.cutover.comparing.verdict import compare
from fastapi_app.cutover.evidence.redaction import redacted
from fastapi_app.cutover.evidence.values import MIN_SECRET_CHARACTERS, SecretValues
from fastapi_app.cutover.store.codec import encoded
from tests.fastapi_app.cutover.evidence.mismatches import FORM, JSON, MULTIPART, Headers, mismatch

TOKEN = "tok-93f7c1d2"
BEARER = (("authorization", f"Bearer {TOKEN}"),)


def shown_of(found: Mismatch) -> Mismatch:
    shown = redacted(found, fields=["password", "Api-Token"])
    assert TOKEN not in encoded(shown)
    return shown


def echoed(echo: str, headers: Headers = BEARER, **options: Any) -> str:
    """An answer with the echo, once it is redacted."""
    return shown_of(mismatch(headers=headers, primary=echo.encode(), **options)).primary.answer.body.decode()


@pytest.mark.parametrize(
    ("headers", "echo", "shown"),
    [
        (BEARER, f'{{"you_sent": "Bearer {TOKEN}"}}', '{"you_sent": "Bearer [redacted]"}'),
        (BEARER, f'{{"{TOKEN}": 1.10}}', '{"[redacted]": 1.10}'),
        (BEARER, f"<p>hello {TOKEN}, and {TOKEN}</p>", "<p>hello [redacted], and [redacted]</p>"),
        (BEARER, f"[log] token {TOKEN}", "[log] token [redacted]"),
        ((("authorization", TOKEN),), f'"{TOKEN}"', '"[redacted]"'),
        ((("cookie", f"theme=dark; sid={TOKEN}"),), f'["{TOKEN}", "dark"]', '["[redacted]", "dark"]'),
        ((("cookie", 'sid="a tok=a93f7c1d2"'),), '["a tok=a93f7c1d2"]', '["[redacted]"]'),
        ((("cookie", "a=first-one; b=second-one"),), "second-one first-one", "[redacted] [redacted, another value]"),
        ((("cookie", "pin=1234567890"),), '[1234567890, 91234567890.5]', '["[redacted]", "9[redacted].5"]'),
        ((("api-token", 'quo"ted€-value'),), json.dumps(["quo\"ted€-value"]), '["[redacted]"]'),
        ((("api-token", "one-secret/two words"),), "/a?x=one-secret%2Ftwo%20words", "/a?x=[redacted]"),
        ((("api-token", "one-secret/two words"),), "/a?x=one-secret%2ftwo+words", "/a?x=[redacted]"),
        ((("cookie", "sid=one%2Fsecret%3D"),), '{"s": "one/secret="}', '{"s": "[redacted]"}'),
        ((("api-token", "longer-than-this"), ("x-api-key", "longer-than")), "longer-than-this", "[redacted]"),
        ((("api-token", "redacted"), *BEARER), f"{TOKEN} redacted", "[redacted] redacted"),
    ],
)  # fmt: skip
def test_a_value_that_was_redacted_by_name_is_redacted_where_it_is_repeated(
    headers: Headers, echo: str, shown: str
) -> None:
    assert echoed(echo, headers, answer_headers=()) == shown


def test_the_password_of_basic_credentials() -> None:
    credentials = base64.b64encode(b"ada:open-sesame").decode()
    headers = (("authorization", f"Basic {credentials}"),)
    assert echoed(f"ada sent {credentials}: open-sesame", headers) == "ada sent [redacted]: [redacted, another value]"


def test_a_short_value_is_redacted_under_its_name_alone() -> None:
    short = "a" * (MIN_SECRET_CHARACTERS - 1)
    assert echoed(f"{short} {short}b", (("api-token", short),)) == f"{short} {short}b"
    assert echoed(f"{short} {short}b", (("api-token", f"{short}b"),)) == f"{short} [redacted]"


def test_it_is_redacted_in_every_part_of_what_is_kept() -> None:
    found = mismatch(
        path=f"/users/{TOKEN}",
        query=f"q={TOKEN}",
        headers=(*JSON, ("x-trace", f"a {TOKEN}")),
        body=json.dumps({"password": TOKEN, "again": TOKEN}).encode(),
        primary=f'{{"a": "{TOKEN}"}}'.encode(),
        candidate=f'{{"a": "{TOKEN}!"}}'.encode(),
        answer_headers=(*JSON, ("location", f"/users/{TOKEN}")),
        recording={"reads": [["users", TOKEN, {"token": TOKEN}]]},
    )
    found = replace(found, primary=replace(found.primary, effects={"log": [TOKEN, 1], TOKEN: None}))
    shown = shown_of(found)
    assert (shown.request.path, shown.request.query) == ("/users/[redacted]", "q=[redacted]")
    assert shown.request.headers[1] == ("x-trace", "a [redacted]")
    assert json.loads(shown.request.body) == {"password": "[redacted]", "again": "[redacted]"}
    assert shown.primary.answer.headers[1] == ("location", "/users/[redacted]")
    assert shown.primary.effects == {"log": ["[redacted]", 1], "[redacted]": None}
    assert shown.recording == {"reads": [["users", "[redacted]", {"token": "[redacted]"}]]}


def test_a_difference_shows_none_and_is_found_all_the_same() -> None:
    found = mismatch(
        headers=BEARER,
        primary=f'{{"who": "{TOKEN}", "{TOKEN}": 1}}'.encode(),
        candidate=f'{{"who": "{TOKEN}!", "{TOKEN}": 2}}'.encode(),
    )
    found = replace(found, differences=compare(found.primary, found.candidate, accepted=()).differences)
    assert sorted(map(str, shown_of(found).differences)) == [
        "body.[redacted]",
        "body.who: primary '[redacted]', candidate '[redacted]!'",
    ]


def test_a_value_that_the_answer_alone_names_is_redacted_in_the_request() -> None:
    shown = shown_of(mismatch(query=f"q={TOKEN}", answer_headers=(("set-cookie", f'sid="{TOKEN}"; Path=/'),)))
    assert shown.request.query == "q=[redacted]"


def test_in_packed_bodies_forms_and_other_encodings() -> None:
    packed = gzip.compress(f"hello {TOKEN}".encode())
    shown = shown_of(mismatch(headers=BEARER, primary=packed, answer_headers=(("content-encoding", "gzip"),)))
    assert gzip.decompress(shown.primary.answer.body) == b"hello [redacted]"
    wide = shown_of(mismatch(headers=BEARER, primary=json.dumps([TOKEN]).encode("utf-16-le")))
    assert wide.primary.answer.body.decode("utf-16-le") == '["[redacted]"]'
    form = shown_of(mismatch(headers=(*FORM, *BEARER), body=f"a={TOKEN}&b=1".encode()))
    assert form.request.body == b"a=[redacted]&b=1"
    part = f'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n{TOKEN}\r\n--x--'.encode()
    assert shown_of(mismatch(headers=(*MULTIPART, *BEARER), body=part)).request.body == part.replace(
        TOKEN.encode(), b"[redacted]"
    )
    binary = shown_of(mismatch(headers=BEARER, primary=b"\xff\x00" + TOKEN.encode() + b"\xfe", answer_headers=()))
    assert binary.primary.answer.body == b"\xff\x00[redacted]\xfe"


def test_a_secret_across_the_cut_leaves_no_trace() -> None:
    for place in range(65_536 - len(TOKEN) - 1, 65_536 + 1):
        echo = "x" * place + TOKEN + "y" * 20
        assert "tok-" not in echoed(echo)


def test_very_many_values_take_time_by_the_length_alone() -> None:
    tokens = [f"eyJhbGciOiJIUzI1NiIs{number:08}" for number in range(5_000)]
    body = json.dumps([{"password": token, "again": token} for token in tokens]).encode()
    started = time.perf_counter()
    shown = redacted(mismatch(primary=body), fields=["password"]).primary.answer.body
    # Half a second where this was written.
    assert time.perf_counter() - started < 5
    assert b"eyJhb" not in shown


def test_what_would_take_too_long_is_refused() -> None:
    values = SecretValues()
    values.learn("pin", ["a" * length + "!" for length in range(8, 2_000)])
    started = time.perf_counter()
    with pytest.raises(ValueError, match="begins as secrets do"):
        values.masked("a" * 2_000_000)
    assert time.perf_counter() - started < 5
