"""What `tradewindow cutover serve` tells of the two route tables when it starts."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from fastapi_app.cli.cutover_served import shown_findings
from fastapi_app.cutover.inventory.endpoints import take_inventory
from tests.fastapi_app.cutover.inventory.apps import _answer, inventory, legacy_app


def taking_more(number: int) -> str:
    return (
        f"GET /a{number}/<int:n>: native's /a{number}/{{n}} takes more for n than legacy's <int:n>; it is sent "
        "only what legacy's rule takes"
    )


def test_what_belongs_to_no_endpoint_comes_first_and_is_never_cut() -> None:
    native = Starlette(
        routes=[
            *(Route(f"/a{number}/{{n}}", _answer, methods=["GET"]) for number in range(12)),
            *(WebSocketRoute(f"/ws{number}", _answer) for number in range(12)),
            Mount("/assets", app=StaticFiles(directory=Path(__file__).parent)),
        ]
    )
    legacy = legacy_app(*(("GET", f"/a{number}/<int:n>") for number in range(12)), ("GET", "/cutover/mine"))
    assert shown_findings(take_inventory(native, legacy, admin_prefix="/cutover")) == [
        *(f"native's WebSocket /ws{n} is no endpoint: WebSockets go to native, and have no modes" for n in range(12)),
        "native's mount of a StaticFiles at /assets is no endpoint: what it serves stays with legacy",
        "the cutover's own API is at /cutover, so legacy isn't asked there for /cutover/mine",
        *(taking_more(number) for number in range(10)),
        "and 3 more: `tradewindow cutover list` tells which sides have an endpoint, and "
        "`tradewindow cutover show METHOD RULE` what else there is to know of it",
    ]


def test_ten_findings_of_endpoints_are_all_told() -> None:
    rules = [("GET", f"/a{number}/<int:n>") for number in range(10)]
    found = inventory(native=[("GET", f"/a{number}/{{n}}") for number in range(10)], legacy=rules)
    assert shown_findings(found) == [taking_more(number) for number in range(10)]
