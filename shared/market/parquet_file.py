"""Candles in a Parquet file, read by pyarrow, which is the extra `parquet`."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from shared.candle import Candle
from shared.errors import MISSING, BadCandle, CandleFileError, InvalidField
from shared.market.cells import COLUMNS, NUMBER_RULE, TIMESTAMP_RULE, decimal_cell, instant_cell, usual_instant

_BATCH_ROWS = 4_096


def parquet_rows(path: Path) -> Iterator[tuple[int, Candle]]:
    """Each candle with the number of its row, from 1; read in batches.

    Timestamps are of a timestamp type with a zone, or texts; numbers are decimals, integers or texts, or floats,
    which are read as the shortest decimal that stands for them. Raises BadCandle and CandleFileError.
    """
    arrow, parquet = _pyarrow(path)
    try:
        with parquet.ParquetFile(path) as file:
            for name in COLUMNS:
                if name not in file.schema_arrow.names:
                    rule = f"among the columns, which need {', '.join(COLUMNS)}"
                    raise BadCandle(path, "the schema", InvalidField(name, MISSING, rule))
            number = 0
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(COLUMNS)):
                columns = [_plain(arrow, batch.column(name)).to_pylist() for name in COLUMNS]
                for values in zip(*columns, strict=True):
                    number += 1
                    try:
                        yield number, _candle(values)
                    except InvalidField as exc:
                        raise BadCandle(path, f"row {number}", exc) from exc
    except (OSError, arrow.ArrowException) as exc:
        raise CandleFileError(path, str(exc)) from exc


def parquet_count(path: Path) -> int:
    """How many rows there are, by the file's own word. Raises CandleFileError."""
    arrow, parquet = _pyarrow(path)
    try:
        with parquet.ParquetFile(path) as file:
            return int(file.metadata.num_rows)
    except (OSError, arrow.ArrowException) as exc:
        raise CandleFileError(path, str(exc)) from exc


def _pyarrow(path: Path) -> tuple[Any, Any]:
    try:
        import pyarrow as arrow  # noqa: PLC0415 - heavy, and an extra
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as exc:
        raise CandleFileError(path, "it takes pyarrow: install the extra `parquet`") from exc
    return arrow, parquet


def _plain(arrow: Any, column: Any) -> Any:
    """Nanoseconds, in which pandas writes its timestamps, would come as pandas' own objects."""
    if arrow.types.is_timestamp(column.type):
        return column.cast(arrow.timestamp("us", column.type.tz))
    return column


def _candle(values: tuple[Any, ...]) -> Candle:
    return Candle(_instant(COLUMNS[0], values[0]), *map(_number, COLUMNS[1:], values[1:]))


def _instant(field: str, value: Any) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return usual_instant(field, value)
    if isinstance(value, str):
        return instant_cell(field, value)
    raise InvalidField(field, MISSING if value is None else str(value), TIMESTAMP_RULE)


def _number(field: str, value: Any) -> Decimal:
    if value is None:
        raise InvalidField(field, MISSING, NUMBER_RULE)
    if isinstance(value, float):
        return decimal_cell(field, format(Decimal(repr(value)), "f"))
    if isinstance(value, str):
        return decimal_cell(field, value)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return decimal_cell(field, format(value, "f") if isinstance(value, Decimal) else str(value))
    raise InvalidField(field, value, NUMBER_RULE)
