"""`/api/bot/start`, `/api/bot/stop` and `/api/bot-status`"""

from tests.parity.case import (
    NOT_FOUND,
    Answer,
    At,
    BotRuns,
    Case,
    HaltedBy,
    Left,
    Request,
    StoreFails,
    allows,
    error,
    get,
    head,
    head_of,
    not_allowed,
    ok,
    stray,
    with_body,
)
from tests.parity.case_refusals import STORE_FAILS, STORE_GONE

START = "/api/bot/start"
STOP = "/api/bot/stop"
STATUS = "/api/bot-status"

STARTED = ok('{"status":"started"}')
STOPPED = ok('{"status":"stopped"}')
RUNS_ALREADY = error(400, "the bot is running already")
RUNS_NOT = error(400, "the bot is not running")
NOON = "2025-03-03T12:00:00.000000Z"


def post(target: str) -> Request:
    return Request(method="POST", target=target)


def told(status: str, *, since: str | None = None, cycle: str = "null") -> str:
    started_at = "null" if since is None else f'"{since}"'
    return (
        f'{{"last_cycle":{cycle},"started_at":{started_at},"status":"{status}",'
        '"strategies":["ema_crossover"],"symbol":"BTC-USD"}'
    )


def whole(bot: str, *, at: str) -> Answer:
    """The answer of `/api/status`."""
    return ok(
        f'{{"bot":{bot},"server_time":"{at}","status":"running",'
        '"trading_window":{"can_trade":true,"within_window":true}}'
    )


CYCLE = '{"at":"2025-03-03T12:01:00.000000Z","candles":2,"error":null}'

CASES = (
    Case(
        name="bot: it was never started",
        steps=(
            (get(STATUS), ok(told("stopped"))),
            (head(STATUS), head_of(ok(told("stopped")))),
            (get("/api/status"), whole(told("stopped"), at=NOON)),
            (post(STOP), RUNS_NOT),
        ),
    ),
    Case(
        name="bot: started once, and told of until it is stopped",
        steps=(
            (post(START), STARTED),
            (post(START), RUNS_ALREADY),
            (get(STATUS), ok(told("running", since=NOON))),
            At("2025-03-03T12:01:00Z"),
            BotRuns(candles=2),
            (get(STATUS), ok(told("running", since=NOON, cycle=CYCLE))),
            (get("/api/status"), whole(told("running", since=NOON, cycle=CYCLE), at="2025-03-03T12:01:00.000000Z")),
            (post(START), RUNS_ALREADY),
            (post(STOP), STOPPED),
            (post(STOP), RUNS_NOT),
            (get(STATUS), ok(told("stopped", cycle=CYCLE))),
        ),
        leaves=Left(),
    ),
    Case(
        name="bot: started again, with the instant of the second start",
        at="2025-07-01T02:00:00+02:00",
        steps=(
            (post(START), STARTED),
            (post(STOP), STOPPED),
            At("2025-07-01T00:00:30.25Z"),
            (post(START), STARTED),
            (get(STATUS), ok(told("running", since="2025-07-01T00:00:30.250000Z"))),
        ),
        leaves=Left(bot="running since 2025-07-01T00:00:30Z"),
    ),
    Case(
        name="bot: what is sent along is not read, and a halt is the window's alone",
        steps=(
            HaltedBy("maintenance"),
            (with_body("POST", f"{START}?symbol=ETH-USD", "{", (("Content-Type", "text/plain"),)), STARTED),
            (get(f"{STATUS}?limit=x"), ok(told("running", since=NOON))),
            (with_body("POST", STOP, '{"force":true}', (("Idempotency-Key", "a b"),)), STOPPED),
        ),
        leaves=Left(halt="maintenance"),
    ),
    Case(
        name="bot: a store that fails starts none, stops none, and tells of none",
        steps=(
            (post(START), STARTED),
            STORE_FAILS,
            (post(START), STORE_GONE),
            (post(STOP), STORE_GONE),
            (get(STATUS), STORE_GONE),
            (get("/api/status"), STORE_GONE),
            (head(STATUS), head_of(STORE_GONE)),
            StoreFails(None),
            (get(STATUS), ok(told("running", since=NOON))),
        ),
        leaves=Left(bot="running since 2025-03-03T12:00:00Z"),
    ),
    Case(
        name="bot: OPTIONS, other methods and slashes",
        steps=(
            (stray("OPTIONS", STATUS), allows("GET, HEAD, OPTIONS")),
            (stray("OPTIONS", START), allows("OPTIONS, POST")),
            (stray("OPTIONS", STOP), allows("OPTIONS, POST")),
            (stray("POST", STATUS), not_allowed("GET, HEAD, OPTIONS")),
            (stray("GET", START), not_allowed("OPTIONS, POST")),
            (stray("HEAD", STOP), head_of(not_allowed("OPTIONS, POST"))),
            (stray("DELETE", STOP), not_allowed("OPTIONS, POST")),
            (stray("POST", f"{START}/"), NOT_FOUND),
            (stray("GET", f"{STATUS}/"), NOT_FOUND),
            (stray("GET", "/api/bot"), NOT_FOUND),
        ),
        rows=(2, 33, 35, 36),
    ),
)
