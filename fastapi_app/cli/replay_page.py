"""A replay as one HTML page that needs nothing else: price with trades, equity, what was refused and why."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from fastapi_app.cli.replay_axes import amount_axis, time_axis
from fastapi_app.cli.replay_shown import facts_of, rounded
from fastapi_app.cli.replay_tape import Stretch
from fastapi_app.cli.replay_told import Told
from shared.errors import SettingsError

PRICE_HEIGHT, EQUITY_HEIGHT, ROW_HEIGHT = 320, 160, 36
"""In pixels. Places across are in percent, so that a page is readable on a phone, too."""

SHOWN_ORDERS = 1_000
"""In the table, the newest; the chart has all."""

_PADDING = 10

_pages = Environment(
    loader=PackageLoader("fastapi_app.cli"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

Across = Callable[[datetime], float]


def write_page(path: Path, told: Told) -> None:
    """Raises SettingsError where the file can't be written."""
    try:
        path.write_text(page(told), encoding="utf-8")
    except OSError as exc:
        raise SettingsError(f"--report: {path} can't be written: {exc.strerror}") from exc


def page(told: Told) -> str:
    bot, stretches = told.settings.bot, told.tape.stretches
    begin, end = stretches[0].first, stretches[-1].last + timedelta(seconds=bot.timeframe.seconds)
    across, times = time_axis(begin, end)
    symbol = bot.symbols[0]
    price, equity = _price(told, across), _equity(told, across)
    return _pages.get_template("replay.html").render(
        title=f"Replay of {symbol}",
        symbol=symbol,
        quote=symbol.partition("-")[2],
        dates_told=f"from {begin:%Y-%m-%d} to {end:%Y-%m-%d}",
        facts=facts_of(told),
        purposes=told.by_purpose(),
        gutter=max(len(tick.text) for tick in price["ticks"] + equity["ticks"]) + 1,
        times=times,
        price=price,
        equity=equity,
        refusals=_refusals(told, across),
        row_height=ROW_HEIGHT,
        refused_before=sum(one.times for one in told.refusals()) - sum(told.tape.refused.values()),
        trading_days=told.days(),
        balances=told.result.balances,
        positions=told.result.positions,
        orders=told.result.orders[-SHOWN_ORDERS:],
        orders_left_out=max(0, len(told.result.orders) - SHOWN_ORDERS),
    )


def _price(told: Told, across: Across) -> dict[str, Any]:
    stretches = told.tape.stretches
    orders = [order for order in told.result.orders if order["average_price"] is not None]
    traded = [float(order["average_price"]) for order in orders]
    lows, highs = [float(each.low) for each in stretches], [float(each.high) for each in stretches]
    low, high = min([*lows, *traded]), max([*highs, *traded])
    up, ticks = amount_axis(low, high, PRICE_HEIGHT - _PADDING, _PADDING)
    middles = [across(_middle(each)) for each in stretches]
    return {
        "height": PRICE_HEIGHT,
        "ticks": ticks,
        "low": f"{min(stretch.low for stretch in stretches):,f}",
        "high": f"{max(stretch.high for stretch in stretches):,f}",
        "span": _points(middles + middles[::-1], [up(high) for high in highs] + [up(low) for low in reversed(lows)]),
        "line": _points(middles, [up(float(each.close)) for each in stretches]),
        "marks": [
            {
                "x": across(datetime.fromisoformat(order["created_at"])),
                "y": up(price),
                "is_buy": order["side"] == "buy",
                "is_entry": not order["reduces"],
                "text": f"{order['created_at'][:16].replace('T', ' ')} {order['side']} {order['filled_quantity']} at "
                f"{order['average_price']}, {'exit' if order['reduces'] else 'entry'}: {order['client_order_id']}",
            }
            for order, price in zip(orders, traded, strict=True)
        ],
    }


def _equity(told: Told, across: Across) -> dict[str, Any]:
    worths = told.equity()
    equities = [float(worth.equity) for worth in worths]
    up, ticks = amount_axis(min(equities), max(equities), EQUITY_HEIGHT - _PADDING, _PADDING)
    return {
        "height": EQUITY_HEIGHT,
        "ticks": ticks,
        "line": _points([across(worth.at) for worth in worths], [up(equity) for equity in equities]),
        "last": rounded(worths[-1].equity),
    }


def _refusals(told: Told, across: Across) -> list[dict[str, Any]]:
    """A row for each code, with a bar for each stretch that has some, the darker the more."""
    stretches, refused = told.tape.stretches, told.tape.refused
    most = max(refused.values(), default=1)
    return [
        {
            "code": one.code,
            "count": one.times,
            "by": one.by,
            "why": one.why or "only in an earlier run, of which the counts alone are kept",
            "bars": [
                {
                    "x": across(_middle(stretches[place])),
                    "opacity": round(0.5 + 0.5 * count / most, 2),
                    "text": f"{count} from {stretches[place].first:%Y-%m-%d %H:%M} UTC",
                }
                for (code, place), count in sorted(refused.items())
                if code == one.code
            ],
        }
        for one in told.refusals()
    ]


def _middle(stretch: Stretch) -> datetime:
    return stretch.first + (stretch.last - stretch.first) / 2


def _points(xs: Sequence[float], ys: Sequence[float]) -> str:
    return " ".join(f"{x},{y}" for x, y in zip(xs, ys, strict=True))
