"""What no route takes below the paths that native alone has: refused by native, as JSON."""

import pytest

from tests.fastapi_app.routers.bench import Bench

WINDOW = "/api/windows/night"
NOTHING = {"error": "nothing is at this path; /docs shows what there is"}


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", WINDOW, "GET, HEAD"),
        ("POST", WINDOW, "GET, HEAD"),
        ("OPTIONS", WINDOW, "GET, HEAD"),
        ("PATCH", "/api/windows", "GET, HEAD, POST"),
        ("DELETE", f"{WINDOW}/config", "GET, HEAD, PUT"),
        ("PUT", f"{WINDOW}/permits", "GET, HEAD, POST"),
        ("GET", f"{WINDOW}/resume", "POST"),
        ("GET", f"{WINDOW}/permits/permit-1/sent", "POST"),
        ("POST", "/api/trading-window", "GET, HEAD"),
        ("DELETE", "/api/trading-window/remaining-trades", "GET, HEAD"),
        ("POST", "/docs", "GET, HEAD"),
        ("BREW", WINDOW, "GET, HEAD"),
    ],
)
async def test_another_method_is_a_405_that_names_all_that_there_are(
    bench: Bench, method: str, path: str, allow: str
) -> None:
    response = await bench.http.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, allow)
    assert response.headers["x-cutover-side"] == "native"
    assert response.json() == {"error": f"this path doesn't take {method}"}


async def test_a_head_where_there_is_no_get_is_a_405_without_a_body(bench: Bench) -> None:
    response = await bench.http.head(f"{WINDOW}/resume")
    assert (response.status_code, response.headers["allow"], response.content) == (405, "POST", b"")


@pytest.mark.parametrize(
    "path",
    [f"{WINDOW}/nothing", f"{WINDOW}/permits/a/b", f"{WINDOW}/", "/api/windows/", "/api/windows//", f"{WINDOW}%2Fx"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_path_that_there_is_not_below_windows_is_a_404_of_native_s(
    bench: Bench, method: str, path: str
) -> None:
    response = await bench.http.request(method, path)
    assert (response.status_code, response.json()) == (404, NOTHING)
    assert response.headers["x-cutover-side"] == "native"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/windowsill", 404),
        ("GET", "/api/nothing", 404),
        ("GET", "/api/trading-window/", 404),
        ("GET", "//api/windows", 404),
        ("DELETE", "/api/trading-window/config", 405),
        ("PATCH", "/api/orders/paper-1", 405),
    ],
)
async def test_all_else_that_nobody_claims_stays_legacy_s(bench: Bench, method: str, path: str, status: int) -> None:
    response = await bench.http.request(method, f"http://window.test{path}")
    assert (response.status_code, response.headers["x-cutover-side"]) == (status, "legacy")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
