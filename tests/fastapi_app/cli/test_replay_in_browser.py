"""The page that a replay leaves, in a real browser."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fastapi_app.cli.commands import app
from tests.browser import DESKTOP, PHONE, Browser, running_browser
from tests.fastapi_app.cli.candle_files import csv_file
from tests.shared.strategies.markets import drifting

OVERFLOW = "return document.documentElement.scrollWidth - window.innerWidth"
MARKS = """
const figure = document.querySelector("#price").getBoundingClientRect();
return [...document.querySelectorAll("#price path")].map(mark => {
  const box = mark.getBoundingClientRect();
  return {
    text: mark.textContent,
    isSeen: box.width > 4 && box.height > 4 && getComputedStyle(mark).stroke !== "none",
    isInside: box.left >= figure.left - 8 && box.right <= figure.right + 8
      && box.top >= figure.top && box.bottom <= figure.bottom,
  };
});"""
ROWS = """
const rows = [...document.querySelectorAll("#%s tr:not(:first-child)")];
return rows.map(row => [...row.cells].map(cell => cell.innerText));"""
TEXTS = """
return [...document.querySelectorAll(".chart text")].map(text => {
  const box = text.getBoundingClientRect();
  return {left: box.left, right: box.right, top: box.top, bottom: box.bottom, figure: text.ownerSVGElement.id};
});"""
CONTRASTS = """
const shades = color => color.match(/[\\d.]+/g).slice(0, 3).map(Number);
const luminance = color => shades(color).map(each => each / 255)
  .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
  .reduce((sum, each, place) => sum + each * [0.2126, 0.7152, 0.0722][place], 0);
const paper = luminance(getComputedStyle(document.body).backgroundColor);
const contrast = color => (Math.max(luminance(color), paper) + 0.05) / (Math.min(luminance(color), paper) + 0.05);
return ["h1", "dt", "td", "th", ".note"].map(name => contrast(getComputedStyle(document.querySelector(name)).color))
  .concat(contrast(getComputedStyle(document.querySelector(".chart text")).fill));"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The page of a run with trades and refusals, and the answer in JSON."""
    return _replayed(tmp_path_factory.mktemp("replayed"), length=1_500)


def _replayed(folder: Path, *, length: int) -> tuple[Path, dict[str, Any]]:
    file, report = folder / "candles.csv", folder / "out.html"
    csv_file(file, drifting(1, length=length))
    given = ["bot", "replay", str(file), "--strategy", "ema_crossover:fast=2,slow=4", "--report", str(report), "--json"]
    unset = {name: None for name in os.environ if name.upper().startswith("TRADEWINDOW_")}
    result = CliRunner().invoke(app, [*given, "--start-hour", "8", "--end-hour", "16"], env=unset)
    assert (result.exit_code, result.stderr) == (0, "")
    return report, json.loads(result.stdout)


def test_it_opens_from_a_file_without_an_error_and_asks_for_nothing_else(
    browser: Browser, replayed: tuple[Path, dict[str, Any]]
) -> None:
    report, _ = replayed
    browser.open(report)
    assert browser.run("return [document.title, document.documentElement.lang]") == ["Replay of BTC-USD", "en"]
    assert browser.said() == []
    assert browser.asked() == [report.as_uri()]


def test_an_error_and_a_request_elsewhere_would_be_seen(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<!doctype html><title>a page</title><img src="other.png" alt=""><script>nothing()</script>')
    browser.open(page)
    assert any("nothing is not defined" in message for message in browser.said())
    assert (tmp_path / "other.png").as_uri() in browser.asked()


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_each_order_is_drawn_and_listed(
    browser: Browser, replayed: tuple[Path, dict[str, Any]], size: tuple[int, int]
) -> None:
    report, answer = replayed
    ids = [order["client_order_id"] for order in answer["orders"]]
    assert len(ids) == len(answer["trades"]) > 0
    browser.open(report, size)
    marks = browser.run(MARKS)
    assert [mark["text"].rpartition(": ")[2] for mark in marks] == ids
    assert [mark for mark in marks if not (mark["isSeen"] and mark["isInside"])] == []
    assert [row[-1] for row in browser.run(ROWS % "orders")] == ids


def test_what_was_refused_is_there_with_its_reason(browser: Browser, replayed: tuple[Path, dict[str, Any]]) -> None:
    report, answer = replayed
    browser.open(report)
    rows = {row[0]: row[1:] for row in browser.run(ROWS % "refusals")}
    assert {code: int(row[0]) for code, row in rows.items()} == answer["refused"]
    assert rows["OUTSIDE_HOURS"][1:] == ["the window", "outside the trading window 8:00 - 16:00"]
    assert rows["DAILY_LIMIT"][1:] == ["the window", "daily trade limit of 5 reached"]


@pytest.mark.parametrize("length", [1_500, 20])
def test_a_phone_shows_it_without_scrolling_sideways(browser: Browser, tmp_path: Path, length: int) -> None:
    report, _ = _replayed(tmp_path, length=length)
    browser.open(report, PHONE)
    assert browser.run("return window.innerWidth") == PHONE[0]
    assert browser.run(OVERFLOW) <= 0


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("length", [1_500, 699, 20])
def test_the_texts_of_charts_are_large_enough_and_apart(
    browser: Browser, tmp_path: Path, size: tuple[int, int], length: int
) -> None:
    report, _ = _replayed(tmp_path, length=length)
    browser.open(report, size)
    texts = browser.run(TEXTS)
    assert len(texts) > 10
    assert min(text["bottom"] - text["top"] for text in texts) >= 11
    assert min(text["left"] for text in texts) >= 0
    assert max(text["right"] for text in texts) <= size[0]
    assert [(one, other) for place, one in enumerate(texts) for other in texts[:place] if _overlap(one, other)] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_texts_can_be_read_in_either_scheme(
    browser: Browser, replayed: tuple[Path, dict[str, Any]], scheme: str
) -> None:
    browser.open(replayed[0], scheme=scheme)
    paper = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}[scheme]
    assert min(browser.run(CONTRASTS)) >= 4.5  # WCAG 2.2, 1.4.3


def _overlap(one: dict[str, float], other: dict[str, float]) -> bool:
    across = min(one["right"], other["right"]) - max(one["left"], other["left"])
    down = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
    return across > 0 and down > 2  # a box is a little higher than its letters
