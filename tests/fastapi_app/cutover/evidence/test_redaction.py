"""Secrets of headers, queries, paths and bodies are redacted."""

import gzip
import zlib

import pytest

from fastapi_app.cutover.evidence.redaction import redacted
from tests.fastapi_app.cutover.evidence.mismatches import FIELDS, FORM, JSON, Headers, answers, mismatch, request_body


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
        (
            "a=1&+password=x&%20pin+=1& pin=2",
            "a=1&+password=[redacted]&%20pin+=[redacted]& pin=[redacted, another value]",
        ),
        ("user.password=x&password.confirm=x", "user.password=[redacted]&password.confirm=[redacted]"),
        ("apiToken=x&pass-Word=y&pass.word=z", "apiToken=[redacted]&pass-Word=[redacted]&pass.word=z"),
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
        ('{"pin":1,"pin":1,"api_token":null}', '{"pin":"[redacted]","pin":"[redacted]","api_token":null}'),
        ('[{"pin":1},{"pin":1.0}]', '[{"pin":"[redacted]"},{"pin":"[redacted, another value]"}]'),
        ('[{"pin":1,"pin":true},{"pin":"1"}]',
         '[{"pin":"[redacted]","pin":true},{"pin":"[redacted, another value]"}]'),
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
        ('{"a": "base64/pin=", "b": 1}', '{"a": "base64/pin=", "b": 1}'),
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
        (b"<b>password</b> = x, pin=", (("content-type", "text/html"),)),
        (b"not gzip", (*JSON, ("content-encoding", "gzip"))),
        (b"\xff\xfe{", ()),
    ],
)
def test_a_body_that_is_neither_json_nor_a_form_is_kept(body: bytes, headers: Headers) -> None:
    assert request_body(body, headers) == body


@pytest.mark.parametrize("headers", [(), (("content-type", "text/plain"),), (("content-type", ""), *FORM), JSON])
@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"user=a&password=x", b"user=a&password=[redacted]"),
        (b"user=a;+user.password=x\n", b"user=a;+user.password=[redacted]\n"),
        (b"[log] 12:00 pin=1 tried", b"[log] 12:00 pin=[redacted] tried"),
        (b'<a href="/reset?pin=1&b=2">', b'<a href="/reset?pin=[redacted]&b=2">'),
        (b"\xff\x00 pin=1 \xfe", b"\xff\x00 pin=[redacted] \xfe"),
    ],
)
def test_parameters_in_any_text(body: bytes, shown: bytes, headers: Headers) -> None:
    assert request_body(body, headers) == shown


@pytest.mark.parametrize(
    "name",
    [
        *("password", "Passwd", "client_secret", "clientSecret", "accessToken", "refresh-token", "api_key", "apikey"),
        *("X-Access-Token", "X-Session-Token", "session_token", "api_token", "apiToken", "token"),
        *("X-Amz-Security-Token", "X-Gitlab-Token", "X-Secret", "x-client-secret", "jwt", "sessionid", "X-Session-Id"),
        *("password2", "password_confirmation", "PHPSESSID", "credentials"),
        *("X-Authorization", "secret_key", "aws_secret_access_key", "ssh-private-key", "keyPassphrase"),
        *("db_passwd", "PWD"),
    ],
)
def test_well_known_names_are_secret_without_being_configured(name: str) -> None:
    given = mismatch(
        query=f"{name}=x",
        body=f'{{"user": {{"{name}": "x"}}}}'.encode(),
        headers=(("x-auth-token", "x"), ("X-CSRF-Token", "x")),
    )
    request = redacted(given, fields=()).request
    assert request.query == f"{name}=[redacted]"
    assert request.body == f'{{"user": {{"{name}": "[redacted]"}}}}'.encode()
    assert [value for _, value in request.headers] == ["[redacted]", "[redacted]"]


@pytest.mark.parametrize(
    "name",
    [
        *("max_tokens", "total_tokens", "token_type", "tokenizer", "tokens", "secrets", "passwords", "secretary"),
        *("idempotency_key", "public_key", "order_id", "symbol", "state_token_path", "no such token"),
    ],
)
def test_names_that_only_look_like_secrets_are_kept(name: str) -> None:
    body = f'{{"{name}": "abc", "n": ["{name}", "abc"]}}'.encode()
    request = redacted(mismatch(body=body, headers=((name, "abc"),)), fields=()).request
    assert (request.body, request.headers) == (body, ((name, "abc"),))


def test_of_any_authorization_the_credentials_are_found_elsewhere() -> None:
    given = mismatch(headers=(("x-authorization", "Bearer abcdefgh"),), body=b'{"seen": "abcdefgh"}')
    assert redacted(given, fields=()).request.body == b'{"seen": "[redacted]"}'


def test_bytes_that_are_no_text_survive_beside_a_secret() -> None:
    assert request_body(b'{"a": "\xff", "pin": 1}') == b'{"a": "\xff", "pin": "[redacted]"}'


def test_the_fields_of_a_multipart_form() -> None:
    parts = (
        b'--Bo+1\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        b'--Bo+1\r\nContent-Disposition: form-data; name="file"; filename="pin"\r\n\r\npin=%s\r\n--Bo+1--\r\n'
    )
    for boundary in ("boundary=Bo+1", 'boundary = "Bo+1"'):
        headers = (("content-type", f"multipart/form-data; {boundary}"),)
        shown = parts % (b"password", b"[redacted]", b"[redacted]")
        assert request_body(parts % (b"password", b"x\r\ny", b"1"), headers) == shown
        assert request_body(parts % (b"name", b"x", b""), headers) == parts % (b"name", b"x", b"")


def test_a_multipart_form_without_a_boundary_is_not_kept() -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="password"\r\n\r\nsecret\r\n--x--'
    assert request_body(part, (("content-type", "multipart/form-data"),)) == b"[redacted]"


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
