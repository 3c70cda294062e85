"""A replay on a file, in a process that a test kills; light to import."""

import asyncio
from multiprocessing.connection import Connection
from pathlib import Path

from fastapi_app.bot.replay import ReplayStores
from shared.window_config import WindowConfig
from tests.fastapi_app.bot.runs import BROKER, replayed
from tests.shared.strategies.markets import drifting

CANDLES = 3_000
WINDOW = WindowConfig(max_trades_per_day=1_000)


def run(path: Path, begun: Connection) -> None:
    stores = ReplayStores.in_file(path, BROKER)
    candles = drifting(9, length=CANDLES)
    begun.send(True)
    asyncio.run(replayed(candles, window=WINDOW, stores=stores))
    stores.close()
