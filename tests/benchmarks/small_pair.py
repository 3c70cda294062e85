"""The small Flask app, a FastAPI app that has taken over its JSON routes, and a cutover between the two; and one
between a pair whose native side misbehaves."""

from decimal import Decimal

from fastapi import FastAPI
from flask import Flask
from pydantic import BaseModel
from starlette.types import ASGIApp

from fastapi_app.cutover.dispatch import Cutover
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from shared.settings import load_settings
from tests.benchmarks.small_flask import JSON_PATH, THREADS
from tests.benchmarks.small_flask import create_app as create_legacy
from tests.e2e.bad_pair import legacy as bad_legacy
from tests.e2e.bad_pair import native as bad_native


class Order(BaseModel):
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal


class Quote(BaseModel):
    symbol: str
    price: str
    can_trade: bool
    remaining_trades: int


def create_native() -> FastAPI:
    """As FastAPI's tutorial writes it."""
    app = FastAPI()

    @app.get(JSON_PATH)
    async def quote() -> Quote:
        return Quote(symbol="BTC-USD", price="64250.10", can_trade=True, remaining_trades=3)

    @app.post(JSON_PATH, status_code=201)
    async def post_quote(order: Order) -> Quote:
        return Quote(symbol=order.symbol, price=str(order.price), can_trade=True, remaining_trades=2)

    return app


def cut_over() -> ASGIApp:
    return _cutover(create_native(), create_legacy())


def bad_pair() -> ASGIApp:
    """Native does what no handler should; legacy answers."""
    return _cutover(bad_native, bad_legacy)


def _cutover(native: ASGIApp, legacy: Flask) -> ASGIApp:
    """Modes and the path of the cutover's store are those of the settings."""
    settings = load_settings().cutover
    return Cutover(
        native,
        legacy,
        store=SQLiteCutoverStore(settings.path, busy_timeout_seconds=settings.busy_timeout_seconds),
        initial_modes=settings.modes,
        settings=settings,
        bridge_options={"threads": THREADS},
    )
