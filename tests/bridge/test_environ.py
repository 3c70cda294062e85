import io
from typing import Any

import pytest

from fastapi_app.bridge.environ import ErrorLog, environ_of


def environ(**changed: Any) -> dict[str, Any]:
    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [],
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        **changed,
    }
    return environ_of(scope, io.BytesIO(), ErrorLog(lambda _: None), multiprocess=False)


@pytest.mark.parametrize(
    ("root_path", "path", "script_name", "path_info"),
    [
        ("", "/en", "", "/en"),
        ("/en", "/en", "/en", ""),
        ("/en", "/en/", "/en", "/"),
        ("/en", "/en/a", "/en", "/a"),
        ("/en/", "/en/a", "/en", "/a"),
        # A proxy has stripped it.
        ("/en", "/env", "/en", "/env"),
        ("/en", "/a/en", "/en", "/a/en"),
        ("/", "/a", "", "/a"),
        ("/caf\xe9", "/caf\xe9/a", "/caf\xc3\xa9", "/a"),
    ],
)
def test_row_35_the_root_path_ends_with_a_segment(root_path: str, path: str, script_name: str, path_info: str) -> None:
    found = environ(root_path=root_path, path=path, raw_path=None)
    assert (found["SCRIPT_NAME"], found["PATH_INFO"]) == (script_name, path_info)


def test_row_36_the_process_has_no_say_in_script_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIPT_NAME", "/evil")
    assert environ(path="/evil/a", raw_path=b"/evil/a")["SCRIPT_NAME"] == ""
    assert environ(path="/evil/a", raw_path=b"/evil/a")["PATH_INFO"] == "/evil/a"


@pytest.mark.parametrize(
    ("raw_path", "path", "path_info"),
    [
        (b"/%FF", "/\ufffd", "/\xff"),
        (b"/caf%C3%A9", "/caf\xe9", "/caf\xc3\xa9"),
        (b"/a%2Fb", "/a/b", "/a/b"),
        (b"/a%25", "/a%", "/a%"),
        # Middleware that rewrites the path leaves the raw one as it was.
        (b"/old%20one", "/new", "/new"),
        (b"/old", "/new", "/new"),
        (None, "/caf\xe9", "/caf\xc3\xa9"),
    ],
)
def test_row_34_bytes_of_the_path_are_kept(raw_path: bytes | None, path: str, path_info: str) -> None:
    assert environ(path=path, raw_path=raw_path)["PATH_INFO"] == path_info


def test_row_37_a_target_in_absolute_form_is_its_path() -> None:
    found = environ(path="http://test/a/b", raw_path=b"http://test/a/b")
    assert (found["PATH_INFO"], found["RAW_URI"]) == ("/a/b", "http://test/a/b")
    assert environ(path="http://test", raw_path=b"http://test")["PATH_INFO"] == "/"
    assert environ(path="*", raw_path=b"*")["PATH_INFO"] == "*"
    assert environ(path="/a://b", raw_path=b"/a://b")["PATH_INFO"] == "/a://b"


def test_a_path_without_its_raw_form_is_escaped() -> None:
    found = environ(path="/a\nERROR caf\xe9%", raw_path=None)
    assert found["RAW_URI"] == "/a%0AERROR%20caf%C3%A9%25"
    assert found["PATH_INFO"] == "/a\nERROR caf\xc3\xa9%"


@pytest.mark.parametrize(
    ("host", "scheme", "server"),
    [
        (b"example.org:8080", "http", ("example.org", "8080")),
        (b"example.org", "http", ("example.org", "80")),
        (b"example.org:", "https", ("example.org", "443")),
        (b"[::1]:8000", "http", ("[::1]", "8000")),
        (None, "http", ("localhost", "80")),
    ],
)
def test_behind_a_unix_socket_the_host_names_the_server(
    host: bytes | None, scheme: str, server: tuple[str, str]
) -> None:
    headers = [] if host is None else [(b"host", host)]
    found = environ(headers=headers, scheme=scheme, server=("/run/app.sock", None), client=None)
    assert (found["SERVER_NAME"], found["SERVER_PORT"]) == server
    assert found["REMOTE_ADDR"] == ""


def test_row_27_names_with_underscores_are_dropped() -> None:
    headers = [(b"x_auth_user", b"evil"), (b"x-auth-user", b"me"), (b"content_length", b"5"), (b"x-auth_user", b"evil")]
    found = environ(headers=headers)
    assert found["HTTP_X_AUTH_USER"] == "me"
    assert "CONTENT_LENGTH" not in found
    assert "HTTP_CONTENT_LENGTH" not in found


def test_row_33_the_raw_uri_is_there() -> None:
    assert environ(path="/a/b", raw_path=b"/a%2Fb", query_string=b"c=%2F")["RAW_URI"] == "/a%2Fb?c=%2F"


def test_a_query_of_any_bytes() -> None:
    assert environ(query_string=b"a=\xe9")["QUERY_STRING"] == "a=\xe9"


def test_row_39_the_environ_is_truthful() -> None:
    found = environ()
    assert found["wsgi.multiprocess"] is False
    assert found["wsgi.input_terminated"] is True
    assert found["SERVER_SOFTWARE"] == "trading-window-bridge"
    assert type(found) is dict


def test_each_line_of_the_error_log_is_a_record() -> None:
    lines: list[str] = []
    log = ErrorLog(lines.append)
    print("one\ntwo", file=log)
    log.writelines(["thr", "ee\n", "\n", "fo"])
    assert lines == ["one", "two", "three", ""]
    log.flush()
    log.flush()
    assert lines == ["one", "two", "three", "", "fo"]


def test_a_record_that_comes_back_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    """With Flask's documented handler on the root logger, each record of `wsgi.errors` is written to it again."""
    logged: list[str] = []

    def comes_back(line: str) -> None:
        logged.append(line)
        log.write(f"formatted: {line}\n")
        log.flush()

    log = ErrorLog(comes_back)
    log.write("one\ntwo")
    log.flush()
    assert logged == ["one", "two"]
    assert capsys.readouterr().err == "formatted: one\nformatted: two\n"
