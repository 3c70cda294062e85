"""Files of candles for the commands that read them."""

from collections.abc import Iterable
from pathlib import Path

from shared.candle import Candle
from shared.clock import utc_text
from shared.market.cells import COLUMNS


def csv_file(path: Path, candles: Iterable[Candle]) -> Path:
    rows = [COLUMNS, *((utc_text(candle.timestamp), *map(str, candle[1:])) for candle in candles)]
    path.write_text("".join(f"{','.join(row)}\n" for row in rows))
    return path


def parquet_file(path: Path, candles: Iterable[Candle]) -> Path:
    import pyarrow  # noqa: PLC0415 - slow to load, and most tests do without
    from pyarrow import parquet  # noqa: PLC0415

    rows = [[utc_text(candle.timestamp), *map(str, candle[1:])] for candle in candles]
    parquet.write_table(pyarrow.table(dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))), path)
    return path
