"""The page that a replay leaves: read as a browser would, from the file alone."""

import asyncio
import json
import os
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fastapi_app.bot.replay import Replay, ReplayStores
from fastapi_app.cli.commands import app
from fastapi_app.cli.replay_page import page
from fastapi_app.cli.replay_tape import MAX_POINTS, Tape
from fastapi_app.cli.replay_told import Told
from shared.candle import Candle
from shared.settings import BotSettings, Settings
from tests.fastapi_app.bot.runs import BROKER, BTC, OFFICE_HOURS, QUICK
from tests.fastapi_app.cli.candle_files import csv_file
from tests.shared.strategies.markets import drifting

VOID = {"meta", "link", "img", "br", "hr", "input"}
FETCHES = {"src", "href", "xlink:href", "srcset", "data", "poster", "action", "background"}


class Page(HTMLParser):
    """Elements as (tag, attributes), texts, and the cells of tables by the table's id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.texts: list[str] = []
        self._open: list[str] = []
        self._table: list[list[str]] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self._table = self.tables.setdefault(attributes["id"], [])
        elif tag == "tr":
            self._table.append([])
        elif tag in ("td", "th"):
            self._table[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._open and self._open[-1] in ("td", "th"):
            self._table[-1][-1] += data

    @property
    def legend(self) -> list[str]:
        return [text for text in self.texts if text in ("buy, entry", "sell, entry", "buy, exit", "sell, exit")]

    def all(self, tag: str, of_class: str | None = None) -> list[dict[str, str]]:
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and (of_class is None or of_class in attributes.get("class", "").split())
        ]


@pytest.fixture(autouse=True)
def _empty_folder_and_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.upper().startswith("TRADEWINDOW_"):
            monkeypatch.delenv(name)


def written(*arguments: str) -> tuple[Page, dict[str, Any]]:
    csv_file(Path("candles.csv"), drifting(1, length=1_500))
    given = ["bot", "replay", "candles.csv", "--strategy", "ema_crossover:fast=2,slow=4", "--start-hour", "8"]
    result = CliRunner().invoke(app, [*given, "--end-hour", "16", "--report", "out.html", "--json", *arguments])
    assert (result.exit_code, result.stderr) == (0, "")
    return Page(Path("out.html").read_text(encoding="utf-8")), json.loads(result.stdout)


def test_it_shows_price_trades_equity_and_what_was_refused() -> None:
    shown, answer = written()
    assert [figure["id"] for figure in shown.all("svg", "chart")] == ["price", "equity", "refused"]
    drawn = shown.all("path")[len(shown.legend) :]
    sides = [order["side"] for order in answer["orders"]]
    assert [[mark["class"].split()[0] for mark in drawn].count(side) for side in ("buy", "sell")] == [
        sides.count("buy"),
        sides.count("sell"),
    ]
    assert sum("exit" in mark["class"] for mark in drawn) == sum(order["reduces"] for order in answer["orders"])
    assert len(shown.all("polyline")) == 2
    rows = {row[0]: row[1:] for row in shown.tables["refusals"][1:]}
    assert {code: int(times) for code, (times, _, _) in rows.items()} == answer["refused"]
    assert rows["DAILY_LIMIT"][1:] == ["the window", "daily trade limit of 5 reached"]
    assert [row[-1] for row in shown.tables["orders"][1:]] == [order["client_order_id"] for order in answer["orders"]]
    assert shown.tables["days"][1:] == [[day["day"], str(day["entries"]), str(day["exits"])] for day in answer["days"]]
    assert shown.tables["balances"][1:] == [[each[key] for key in each] for each in answer["balances"]]


def test_it_needs_nothing_else() -> None:
    shown, _ = written()
    assert not {tag for tag, _ in shown.elements} & {"script", "link", "img", "iframe", "object", "image", "use"}
    assert not [attributes for _, attributes in shown.elements if attributes.keys() & FETCHES]
    text = Path("out.html").read_text(encoding="utf-8")
    assert "url(" not in text
    assert "@import" not in text
    assert "://" not in text


def test_everything_drawn_is_within_its_figure() -> None:
    shown, _ = written()
    points = [pair.split(",") for line in shown.all("polyline") for pair in line["points"].split()]
    assert all(0 <= float(x) <= 100 and 0 <= float(y) <= 320 for x, y in points)
    assert len(points) == 2 * 750  # two candles a point
    bars = shown.all("line", "no")
    assert bars
    assert all(0 <= float(bar["x1"].removesuffix("%")) <= 100 for bar in bars)


def test_a_file_that_can_not_be_written_is_named() -> None:
    csv_file(Path("candles.csv"), drifting(1, length=10))
    Path("taken").mkdir()
    result = CliRunner().invoke(app, ["bot", "replay", "candles.csv", "--report", "taken"])
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "tradewindow bot: --report: taken is not a path at which a file can be written\n"


def test_an_earlier_runs_refusals_are_counted_and_said_to_be_missing() -> None:
    written("--state", "kept.db")
    shown, answer = written("--state", "kept.db")
    assert answer["candles_before"] == 1_500
    rows = {row[0]: row for row in shown.tables["refusals"][1:]}
    assert rows["DAILY_LIMIT"][1] == str(answer["refused"]["DAILY_LIMIT"])
    assert rows["DAILY_LIMIT"][3] == "only in an earlier run, of which the counts alone are kept"
    assert shown.all("line", "no") == []
    assert f"{sum(answer['refused'].values())} of them were refused by an earlier run" in "".join(shown.texts)
    assert len(shown.all("path")) == len(shown.legend) + len(answer["orders"])


def test_what_was_given_is_text_and_no_markup() -> None:
    told = replay_told(drifting(1, length=60), file="<b>&amp;.csv")
    shown = Page(page(told))
    assert any("<b>&amp;.csv" in text for text in shown.texts)
    assert shown.all("b") == []


def test_the_equity_ends_with_what_the_broker_says() -> None:
    for length in (200, 201, 233):  # with a position, or without
        told = replay_told(drifting(3, length=length))
        (balance,) = told.result.balances
        assert abs(told.equity()[-1].equity - Decimal(balance["total"])) < Decimal("0.01")
    assert told.equity()[0].equity == 10_000


def test_a_long_file_makes_no_more_points() -> None:
    candles = drifting(1, length=2_345)
    tape = Tape(len(candles))
    passed = list(tape.played(candles, is_stopped=lambda: False, progress=lambda _: None))
    assert passed == candles
    assert 700 < len(tape.stretches) <= MAX_POINTS
    assert min(each.low for each in tape.stretches) == min(candle.low for candle in candles)
    assert max(each.high for each in tape.stretches) == max(candle.high for candle in candles)
    assert (tape.stretches[0].first, tape.stretches[-1].last) == (candles[0].timestamp, candles[-1].timestamp)
    assert tape.stretches[-1].close == candles[-1].close


def replay_told(candles: list[Candle], *, file: str = "candles.csv") -> Told:
    settings = Settings(bot=BotSettings(strategies=QUICK), window=OFFICE_HOURS.changed({"start_hour": 0}))
    tape = Tape(len(candles))
    run = Replay(
        bot=settings.bot,
        broker=BROKER,
        window=settings.window,
        stores=ReplayStores.in_memory(BROKER),
        observe=tape.observe,
    )
    played = tape.played(candles, is_stopped=lambda: False, progress=lambda _: None)
    result = asyncio.run(run.run({BTC: played}))
    return Told(file=file, settings=settings, tape=tape, result=result, seconds=1.0)
