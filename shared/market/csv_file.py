"""Candles in a CSV file: UTF-8, a header with the names of the columns, commas."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from shared.candle import Candle
from shared.errors import MISSING, BadCandle, CandleFileError, InvalidField
from shared.market.cells import COLUMNS, decimal_cells, instant_cell


def csv_rows(path: Path) -> Iterator[tuple[int, Candle]]:
    """Each candle with the number of its line. Blank lines are passed over. Raises BadCandle and CandleFileError."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, ())]
            first, *others = [_place(path, header, name) for name in COLUMNS]
            for cells in reader:
                if len(cells) == len(header):
                    try:
                        yield reader.line_num, _candle(cells[first], [cells[place] for place in others])
                    except InvalidField as exc:
                        raise BadCandle(path, f"line {reader.line_num}", exc) from exc
                elif cells:
                    _refuse_count(path, reader.line_num, header, cells)
    except OSError as exc:
        raise CandleFileError(path, exc.strerror or str(exc)) from exc
    except UnicodeDecodeError as exc:
        raise CandleFileError(path, "it is not UTF-8") from exc
    except csv.Error as exc:
        raise CandleFileError(path, f"line {reader.line_num}: {exc}") from exc


def csv_lines(path: Path) -> int:
    """How many lines follow the header, blank ones too. Raises CandleFileError."""
    try:
        with path.open("rb") as file:
            return max(0, sum(1 for _ in file) - 1)
    except OSError as exc:
        raise CandleFileError(path, exc.strerror or str(exc)) from exc


def _candle(timestamp: str, numbers: Sequence[str]) -> Candle:
    return Candle(instant_cell("timestamp", timestamp), *decimal_cells(COLUMNS[1:], numbers))


def _place(path: Path, header: Sequence[str], name: str) -> int:
    if name not in header:
        rule = f"in the header, which needs {', '.join(COLUMNS)}"
        raise BadCandle(path, "line 1", InvalidField(name, MISSING, rule))
    return header.index(name)


def _refuse_count(path: Path, line: int, header: Sequence[str], cells: Sequence[str]) -> NoReturn:
    rule = f"what the header has: {len(header)} cells in a line, where this one has {len(cells)}"
    if len(cells) < len(header):
        wrong = InvalidField(header[len(cells)], MISSING, rule)
    else:
        wrong = InvalidField(header[-1], ",".join(cells[len(header) - 1 :]), rule)
    raise BadCandle(path, f"line {line}", wrong)
