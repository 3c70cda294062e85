"""`/api/status`"""

from tests.parity.case import (
    Answer,
    At,
    Case,
    HaltedBy,
    Left,
    MovedTo,
    allows,
    get,
    head,
    head_of,
    not_allowed,
    ok,
    stray,
)

HOURS = {"start_hour": 9, "end_hour": 17, "timezone": "Europe/Stockholm"}


def status(server_time: str, *, within_window: str, can_trade: str) -> Answer:
    return ok(
        '{"bot":{"last_cycle":null,"started_at":null,"status":"stopped","strategies":["ema_crossover"],"symbol":"BTC-USD"},'
        f'"server_time":"{server_time}","status":"running",'
        f'"trading_window":{{"can_trade":{can_trade},"within_window":{within_window}}}}}'
    )


CASES = (
    Case(
        name="status: the bot, the time and the window at one instant",
        at="2025-03-03T12:30:15.123456Z",
        config=HOURS,
        steps=(
            (
                get("/api/status"),
                ok(
                    '{"bot":{"last_cycle":null,"started_at":null,"status":"stopped","strategies":["ema_crossover"],"symbol":"BTC-USD"},'
                    '"server_time":"2025-03-03T12:30:15.123456Z","status":"running",'
                    '"trading_window":{"can_trade":true,"within_window":true}}'
                ),
            ),
        ),
        also_on_sqlite=True,
        rows=(16,),
    ),
    Case(
        name="status: hours and count are judged apart",
        config={**HOURS, "max_trades_per_day": 2},
        trade_day="2025-03-03",
        trades_today=2,
        steps=(
            (get("/api/status"), status("2025-03-03T12:00:00.000000Z", within_window="true", can_trade="false")),
            At("2025-03-03T16:00:00Z"),
            (get("/api/status"), status("2025-03-03T16:00:00.000000Z", within_window="false", can_trade="false")),
            At("2025-03-03T23:00:00Z"),
            (get("/api/status"), status("2025-03-03T23:00:00.000000Z", within_window="false", can_trade="true")),
            At("2025-03-04T08:00:00.5+00:00"),
            (get("/api/status"), status("2025-03-04T08:00:00.500000Z", within_window="true", can_trade="true")),
        ),
    ),
    Case(
        name="status: times are UTC, whatever the zone and the clock's offset",
        at="2025-07-01T02:00:00+02:00",
        steps=(
            (get("/api/status"), status("2025-07-01T00:00:00.000000Z", within_window="true", can_trade="true")),
            MovedTo("Asia/Kathmandu"),
            (get("/api/status"), status("2025-07-01T00:00:00.000000Z", within_window="true", can_trade="true")),
        ),
        leaves=Left(version=2, config={"timezone": "Asia/Kathmandu"}),
    ),
    Case(
        name="status: a halt shows in neither",
        steps=(
            HaltedBy("maintenance"),
            (get("/api/status"), status("2025-03-03T12:00:00.000000Z", within_window="true", can_trade="true")),
        ),
        leaves=Left(halt="maintenance"),
    ),
    Case(
        name="status: HEAD, OPTIONS and other methods",
        steps=(
            (
                head("/api/status"),
                head_of(status("2025-03-03T12:00:00.000000Z", within_window="true", can_trade="true")),
            ),
            (stray("OPTIONS", "/api/status"), allows("GET, HEAD, OPTIONS")),
            (stray("POST", "/api/status"), not_allowed("GET, HEAD, OPTIONS")),
        ),
        rows=(2, 35, 36),
    ),
)
