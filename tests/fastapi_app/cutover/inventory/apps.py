"""Apps with these rules and no more, and what the inventory says of them."""

from collections.abc import Iterable
from typing import Any

from flask import Flask
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from fastapi_app.cutover.inventory.endpoints import Inventory, take_inventory


def legacy_app(*rules: tuple[str, str], **options: Any) -> Flask:
    app = Flask(__name__, static_folder=None)
    for number, (method, rule) in enumerate(rules):
        app.add_url_rule(rule, f"view-{number}", lambda **_arguments: "", methods=[method], **options)
    return app


def native_app(*rules: tuple[str, str]) -> Starlette:
    return Starlette(routes=[Route(rule, _answer, methods=[method]) for method, rule in rules])


async def _answer(_request: Any) -> PlainTextResponse:
    return PlainTextResponse("")


def inventory(native: Iterable[tuple[str, str]] = (), legacy: Iterable[tuple[str, str]] = ()) -> Inventory:
    return take_inventory(native_app(*native), legacy_app(*legacy))


def sides(found: Inventory) -> dict[str, str]:
    """Who has which endpoint."""
    return {
        each.name: "both" if each.legacy and each.native else "legacy" if each.legacy else "native"
        for each in found.endpoints
    }


def named(found: Inventory, method: str, path: str) -> str | None:
    endpoint = found.match(method, path)
    return None if endpoint is None else endpoint.name
