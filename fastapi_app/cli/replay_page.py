"""A replay as one HTML page that needs nothing else: price with trades, equity, what was refused and why."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from fastapi_app.cli.replay_shown import facts_of
from fastapi_app.cli.replay_told import Told
from shared.errors import SettingsError

WIDTH, LEFT, RIGHT = 1000, 130, 10
PRICE_HEIGHT, EQUITY_HEIGHT, ROW_HEIGHT = 320, 160, 18
SHOWN_ORDERS = 1_000
"""In the table, the newest; the chart has all."""

_TICKS = 5

_pages = Environment(loader=PackageLoader("fastapi_app.cli"), autoescape=True, undefined=StrictUndefined)


class Tick(NamedTuple):
    at: float
    text: str


class Scale:
    """From values to places on the page: from `low` at `begin` to `high` at `end`, in pixels."""

    def __init__(self, low: float, high: float, begin: float, end: float) -> None:
        self._low, self._span = low, (high - low) or 1.0
        self._begin, self._length = begin, end - begin

    def __call__(self, value: float) -> float:
        return round(self._begin + (value - self._low) / self._span * self._length, 1)

    def ticks(self) -> list[float]:
        return [self._low + self._span * place / (_TICKS - 1) for place in range(_TICKS)]


def write_page(path: Path, told: Told) -> None:
    """Raises SettingsError where the file can't be written."""
    try:
        path.write_text(page(told), encoding="utf-8")
    except OSError as exc:
        raise SettingsError(f"--report: {path} can't be written: {exc.strerror}") from exc


def page(told: Told) -> str:
    bot, stretches = told.settings.bot, told.tape.stretches
    end = stretches[-1].last + timedelta(seconds=bot.timeframe.seconds)
    across = Scale(stretches[0].first.timestamp(), end.timestamp(), LEFT, WIDTH - RIGHT)
    symbol = bot.symbols[0]
    return _pages.get_template("replay.html").render(
        title=f"Replay of {symbol}",
        facts=facts_of(told),
        purposes=told.by_purpose(),
        width=WIDTH,
        left=LEFT,
        right=WIDTH - RIGHT,
        days=[Tick(across(at), f"{datetime.fromtimestamp(at, tz=end.tzinfo):%Y-%m-%d}") for at in across.ticks()],
        price=_price(told, across),
        equity=_equity(told, across),
        refusals=_refusals(told, across),
        row_height=ROW_HEIGHT,
        refused_before=sum(one.times for one in told.refusals()) - sum(told.tape.refused.values()),
        trading_days=told.days(),
        balances=told.result.balances,
        positions=told.result.positions,
        orders=told.result.orders[-SHOWN_ORDERS:],
        orders_left_out=max(0, len(told.result.orders) - SHOWN_ORDERS),
        quote=symbol.partition("-")[2],
    )


def _price(told: Told, across: Scale) -> dict[str, Any]:
    stretches = told.tape.stretches
    orders = [order for order in told.result.orders if order["average_price"] is not None]
    traded = [float(order["average_price"]) for order in orders]
    lows, highs = [float(each.low) for each in stretches], [float(each.high) for each in stretches]
    up = _up([*lows, *highs, *traded], PRICE_HEIGHT)
    middles = [across((each.first.timestamp() + each.last.timestamp()) / 2) for each in stretches]
    return {
        "height": PRICE_HEIGHT,
        "ticks": _amounts(up),
        "span": _points(middles + middles[::-1], [up(high) for high in highs] + [up(low) for low in reversed(lows)]),
        "line": _points(middles, [up(float(each.close)) for each in stretches]),
        "marks": [
            {
                "x": across(datetime.fromisoformat(order["created_at"]).timestamp()),
                "y": up(price),
                "is_buy": order["side"] == "buy",
                "is_entry": not order["reduces"],
                "text": f"{order['created_at'][:16].replace('T', ' ')} {order['side']} {order['filled_quantity']} at "
                f"{order['average_price']}, {'exit' if order['reduces'] else 'entry'}: {order['client_order_id']}",
            }
            for order, price in zip(orders, traded, strict=True)
        ],
    }


def _equity(told: Told, across: Scale) -> dict[str, Any]:
    worths = told.equity()
    up = _up([float(worth.equity) for worth in worths], EQUITY_HEIGHT)
    xs = [across(worth.at.timestamp()) for worth in worths]
    return {
        "height": EQUITY_HEIGHT,
        "ticks": _amounts(up),
        "line": _points(xs, [up(float(worth.equity)) for worth in worths]),
        "last": f"{worths[-1].equity.quantize(Decimal('0.01')):,f}",
    }


def _refusals(told: Told, across: Scale) -> list[dict[str, Any]]:
    """A row for each code, with a bar for each stretch that has some, the darker the more."""
    stretches, refused = told.tape.stretches, told.tape.refused
    width = max(1.0, round((WIDTH - RIGHT - LEFT) / len(stretches), 1))
    most = max(refused.values(), default=1)
    return [
        {
            "code": one.code,
            "count": one.times,
            "by": one.by,
            "why": one.why or "only in an earlier run, of which the counts alone are kept",
            "width": width,
            "bars": [
                {
                    "x": across(stretches[place].first.timestamp()),
                    "opacity": round(0.25 + 0.75 * count / most, 2),
                    "text": f"{count} from {stretches[place].first:%Y-%m-%d %H:%M} UTC",
                }
                for (code, place), count in sorted(refused.items())
                if code == one.code
            ],
        }
        for one in told.refusals()
    ]


def _up(values: Sequence[float], height: int) -> Scale:
    low, high = min(values), max(values)
    return Scale(low, high, height - 10, 10)


def _amounts(up: Scale) -> list[Tick]:
    return [Tick(up(value), f"{value:,.2f}") for value in up.ticks()]


def _points(xs: Sequence[float], ys: Sequence[float]) -> str:
    return " ".join(f"{x},{y}" for x, y in zip(xs, ys, strict=True))
