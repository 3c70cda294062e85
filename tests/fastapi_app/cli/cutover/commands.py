"""Commands of `tradewindow cutover` on a state file, and what they print."""

import json
from typing import Any

from typer.testing import CliRunner, Result

from fastapi_app.cli.cutover import cutover
from fastapi_app.cutover.comparing.observation import Difference, Mismatch, Observation, SeenAnswer, SeenRequest
from fastapi_app.cutover.store.base import CountKey
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.fastapi_app.cutover.store.helpers import BOTH, CANARY, INSTANT, OTHER


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cutover, arguments)


def output(store: SQLiteCutoverStore, *arguments: str) -> str:
    result = run(*arguments, "--state", str(store.path))
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def answer(store: SQLiteCutoverStore, *arguments: str) -> Any:
    return json.loads(output(store, *arguments, "--json"))


def refusal(*arguments: str, exit_code: int = 3) -> str:
    """The one sentence with which a command ends."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    (sentence,) = result.stderr.splitlines()
    return sentence.removeprefix("tradewindow cutover: ")


def wrong_use(*arguments: str) -> str:
    """What the command line's own parser says, without the frame around it."""
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    return " ".join(result.stderr.replace("│", " ").split())


def rows(text: str) -> list[list[str]]:
    """The cells of each line; two spaces and more part them."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]


def with_evidence(store: SQLiteCutoverStore) -> None:
    store.add_evidence(
        {
            CountKey(BOTH.name, "shadow", "match", ""): 1200,
            CountKey(BOTH.name, "canary", "match", ""): 30,
            CountKey(BOTH.name, "canary", "mismatch", ""): 1,
            CountKey(BOTH.name, "shadow", "accepted", "rounding"): 4,
            CountKey(BOTH.name, "shadow", "skipped", "queue_full"): 3,
            CountKey(OTHER.name, "shadow", "skipped", "unsafe"): 7,
        },
        [WRONG_PRICE],
    )


WRONG_PRICE = Mismatch(
    endpoint=BOTH.name,
    at=INSTANT,
    mode=CANARY,
    request=SeenRequest(
        method="GET",
        path="/api/both",
        query="symbol=BTC",
        headers=(("accept", "*/*"), ("authorization", "[redacted]")),
        body=b"\xff\xfe",
    ),
    primary=Observation(
        side="native",
        answer=SeenAnswer(status=200, headers=(("content-type", "application/json"),), body=b'{"price":"1.50"}'),
        effects={"calls": ["quote"]},
    ),
    candidate=Observation(
        side="legacy",
        answer=SeenAnswer(status=500, headers=(("content-type", "text/html"),), body=b"<b>Oops\x1b[31m</b>"),
        raised="KeyError: 'price'",
        raised_at="KeyError in quote (prices.py:31)",
    ),
    differences=(
        Difference(path="status", primary=200, candidate=500),
        Difference(path="body", primary='{"price":"1.50"}', candidate="<b>Oops"),
    ),
)
