"""Recorded candles, read from a file one after the other, so that its length doesn't matter."""

import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from shared.candle import Candle, Timeframe
from shared.errors import BadCandle, CandleFileError, InvalidField
from shared.market.csv_file import csv_lines, csv_rows
from shared.market.parquet_file import parquet_count, parquet_rows

logger = logging.getLogger(__name__)

Rows = Callable[[Path], Iterable[tuple[int, Candle]]]

_READERS: dict[str, tuple[Rows, str]] = {".csv": (csv_rows, "line"), ".parquet": (parquet_rows, "row")}
_COUNTERS: dict[str, Callable[[Path], int]] = {".csv": csv_lines, ".parquet": parquet_count}


def read_candles(path: Path, timeframe: Timeframe) -> Iterator[Candle]:
    """The candles of a CSV or Parquet file, told by its ending, in their order.

    The columns `timestamp` (the candle's open, ISO 8601 with its zone), `open`, `high`, `low`, `close` and `volume`
    are read, others are not. A row that repeats the one before in all of these is left out. A later row with the same
    or an earlier timestamp, one between two opens of the timeframe, and one that no market can have done raise
    BadCandle. What is missing is not made up: a gap stays one, and is logged at the end. Raises CandleFileError for a
    file that can't be read.
    """
    rows, unit = _READERS[_ending(path)]
    return _in_order(path, rows(path), unit, timeframe)


def most_candles(path: Path) -> int:
    """How many candles `read_candles` gives at the most, without reading them. Raises CandleFileError."""
    return _COUNTERS[_ending(path)](path)


def _ending(path: Path) -> str:
    if path.suffix.lower() not in _READERS:
        raise CandleFileError(path, f"its ending is none of {', '.join(_READERS)}")
    return path.suffix.lower()


def _in_order(path: Path, rows: Iterable[tuple[int, Candle]], unit: str, timeframe: Timeframe) -> Iterator[Candle]:
    step, before, gaps, missing = timedelta(seconds=timeframe.seconds), None, 0, 0
    for number, candle in rows:
        if before is None:
            if timeframe.open_of(candle.timestamp) != candle.timestamp:
                raise _misplaced(path, f"{unit} {number}", candle, f"the open of a candle of {timeframe}")
        elif candle.timestamp != before.timestamp + step:
            if candle == before:
                continue
            if candle.timestamp <= before.timestamp:
                rule = f"later than the one before, {before.timestamp.isoformat()}"
                raise _misplaced(path, f"{unit} {number}", candle, rule)
            skipped, rest = divmod(candle.timestamp - before.timestamp, step)
            if rest:
                raise _misplaced(path, f"{unit} {number}", candle, f"the open of a candle of {timeframe}")
            gaps, missing = gaps + 1, missing + skipped - 1
        yield candle
        before = candle
    if gaps:
        logger.warning("%s: %d candles of %s are missing, in %d gaps", path, missing, timeframe, gaps)


def _misplaced(path: Path, place: str, candle: Candle, rule: str) -> BadCandle:
    return BadCandle(path, place, InvalidField("timestamp", candle.timestamp.isoformat(), rule))
