import pytest

from fastapi_app.cutover.modes.clients import client_key, is_in_canary


@pytest.mark.parametrize(
    ("key", "share"),
    [
        # `printf 'x-api-key:1' | b2sum -l 64` is 06f79da54a84904e, whose remainder by 10,000 is 5,998.
        (b"x-api-key:1", 59.98),
        (b"x-api-key:2", 67.14),
        (b"address:10.0.0.1", 5.11),
    ],
)
def test_a_client_s_share_is_the_same_in_every_process_and_release(key: bytes, share: float) -> None:
    assert not is_in_canary(key, share)
    assert is_in_canary(key, share + 0.01)
    assert is_in_canary(key, 100)
    assert not is_in_canary(key, 0)


def test_a_percent_of_clients_are_in() -> None:
    assert sum(is_in_canary(b"x-api-key:%d" % number, 25) for number in range(10_000)) == pytest.approx(2_500, abs=200)


def test_the_first_of_the_named_headers_tells_a_client_else_its_address() -> None:
    headers = [(b"authorization", b"Bearer a"), (b"x-api-key", b"b")]
    scope = {"headers": headers, "client": ("10.0.0.7", 5)}
    assert client_key(scope, [b"x-api-key", b"authorization"]) == b"x-api-key:b"
    assert client_key(scope, [b"x-client-id", b"authorization"]) == b"authorization:Bearer a"
    assert client_key(scope, [b"x-client-id"]) == b"address:10.0.0.7"
    assert client_key({"headers": [(b"x-client-id", b"")], "client": None}, [b"x-client-id"]) == b"address:"
