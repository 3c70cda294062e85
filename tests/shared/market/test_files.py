import logging
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pytest
from pyarrow import parquet

from shared.candle import Timeframe
from shared.errors import MISSING, BadCandle, CandleFileError
from shared.market.files import most_candles, read_candles
from tests.shared.market.recorded import CANDLES, csv_text

REAL = Path(__file__).parents[4] / "shared/data/btc-perp-1m-2022-01.csv"

HEADER = "timestamp,open,high,low,close,volume"
FIRST = "2026-03-04T10:00:00Z,10,12,9,11,5"
SECOND = "2026-03-04T10:01:00Z,11,12,9,10,5"


def csv_file(tmp_path: Path, *lines: str, header: str = HEADER, encoding: str = "utf-8") -> Path:
    path = tmp_path / "candles.csv"
    path.write_bytes("\n".join([header, *lines]).encode(encoding))
    return path


def columns(**changed: Any) -> dict[str, Any]:
    """Two rows of a Parquet file, with one column put in the place of its own."""
    opens = datetime(2026, 3, 4, 10, tzinfo=UTC)
    return {
        "timestamp": [opens, opens + timedelta(minutes=1)],
        "open": [Decimal("10.10"), Decimal("11.00")],
        "high": [Decimal("12.30"), Decimal("12.00")],
        "low": [Decimal("9.00"), Decimal("9.00")],
        "close": [Decimal("11.00"), Decimal("10.00")],
        "volume": [Decimal("5.00"), Decimal("0.00")],
    } | changed


def parquet_file(tmp_path: Path, given: dict[str, Any]) -> Path:
    path = tmp_path / "candles.parquet"
    parquet.write_table(arrow.table(given), path)
    return path


def problem(path: Path, timeframe: Timeframe = Timeframe.MINUTE) -> BadCandle:
    with pytest.raises(BadCandle) as caught:
        list(read_candles(path, timeframe))
    return caught.value


def test_a_csv_file_is_read_exactly(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    path.write_text(csv_text())
    candles = list(read_candles(path, Timeframe.MINUTE))
    assert candles == list(CANDLES)
    assert str(candles[7].volume) == "0.10000007"
    assert str(candles[7].high) == "1009.50"


def test_a_csv_may_have_other_columns_zones_line_ends_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    path.write_bytes(
        b"\xef\xbb\xbfvolume, close ,low,high,open,note,timestamp\r\n\r\n"
        b'5,11,9,12,10,"one, two",2026-03-04T12:00:00+02:00\r\n\r\n'
    )
    (candle,) = read_candles(path, Timeframe.MINUTE)
    assert candle.timestamp == datetime(2026, 3, 4, 10, tzinfo=UTC)
    assert candle.timestamp.tzinfo is UTC
    assert [*map(str, candle[1:])] == ["10", "12", "9", "11", "5"]


def test_a_file_is_read_as_far_as_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "candles.csv"
    path.write_text(csv_text() + "and here it is broken\n")
    assert list(islice(read_candles(path, Timeframe.MINUTE), 5)) == list(CANDLES[:5])


@pytest.mark.parametrize(
    ("row", "field", "value", "rule"),
    [
        (
            "2026-03-04T10:01:00Z,11,12,9,NaN,5",
            "close",
            "NaN",
            "a decimal number with at most 18 digits on either side",
        ),
        ("2026-03-04T10:01:00Z,1_1,12,9,10,5", "open", "1_1", "a decimal number"),
        ("2026-03-04T10:01:00Z,11, 12,9,10,5", "high", " 12", "a decimal number"),
        ("2026-03-04T10:01:00Z,11,12,9,10,", "volume", "", "a decimal number"),
        ("2026-03-04T10:01:00Z,11,12,9,10,-5", "volume", "-5", "a decimal number"),
        ("2026-03-04T10:01:00Z,11,12,9,10,1e3", "volume", "1e3", "a decimal number"),
        ('2026-03-04T10:01:00Z,"11,12",12,9,10,5', "open", "11,12", "a decimal number"),
        ("2026-03-04T10:01:00Z,11,12,9,10,\u0665", "volume", "\u0665", "a decimal number"),
        (f"2026-03-04T10:01:00Z,11,12,9,10,{'9' * 19}", "volume", "9" * 19, "at most 18 digits"),
        (f"2026-03-04T10:01:00Z,11,12,9,10,0.{'1' * 19}", "volume", f"0.{'1' * 19}", "at most 18 digits"),
        ("2026-03-04T10:01:00Z,11,8,9,10,5", "high", Decimal(8), "at least the low, 9"),
        ("2026-03-04T10:01:00Z,13,12,9,10,5", "open", Decimal(13), "from the low, 9, to the high, 12"),
        ("2026-03-04T10:01:00Z,0,12,0,10,5", "open", Decimal(0), "greater than 0"),
        (
            "2026-03-04T10:01:00,11,12,9,10,5",
            "timestamp",
            "2026-03-04T10:01:00",
            "an instant in ISO 8601 with its zone",
        ),
        ("2026-02-30T10:01:00Z,11,12,9,10,5", "timestamp", "2026-02-30T10:01:00Z", "an instant in ISO 8601"),
        ("0001-01-01T00:00:00+01:00,11,12,9,10,5", "timestamp", "0001-01-01T00:00:00+01:00", "from 2 to 9998"),
        ("9999-12-31T23:59:00Z,11,12,9,10,5", "timestamp", "9999-12-31T23:59:00+00:00", "from 2 to 9998"),
        ("yesterday,11,12,9,10,5", "timestamp", "yesterday", "an instant in ISO 8601"),
        ("2026-03-04T10:01:00Z,11,12,9,10", "volume", MISSING, "6 cells in a line, where this one has 5"),
        ("2026-03-04T10:01:00Z,11,12,9,10,5,6", "volume", "5,6", "6 cells in a line, where this one has 7"),
        # out of its place
        ("2026-03-04T10:01:30Z,11,12,9,10,5", "timestamp", "2026-03-04T10:01:30+00:00", "the open of a candle of 1m"),
        ("2026-03-04T09:59:00Z,11,12,9,10,5", "timestamp", "2026-03-04T09:59:00+00:00", "later than the one before"),
        ("2026-03-04T10:00:00Z,10,12,9,10,5", "timestamp", "2026-03-04T10:00:00+00:00", "later than the one before"),
    ],
)
def test_a_bad_row_is_told_by_file_line_field_value_and_rule(
    tmp_path: Path, row: str, field: str, value: object, rule: str
) -> None:
    path = csv_file(tmp_path, FIRST, row)
    wrong = problem(path)
    assert (wrong.path, wrong.place, wrong.field, wrong.value) == (path, "line 3", field, value)
    assert rule in wrong.rule
    assert str(wrong).startswith(f"the candle file {path} can't be read: line 3: {field}: ")


def test_the_sentence_of_a_bad_row(tmp_path: Path) -> None:
    path = csv_file(tmp_path, FIRST, "", "2026-03-04T10:01:00Z,11,8,9,10,5")
    assert str(problem(path)) == f"the candle file {path} can't be read: line 4: high: 8 is not at least the low, 9"


def test_the_first_row_opens_a_candle_too(tmp_path: Path) -> None:
    wrong = problem(csv_file(tmp_path, SECOND), Timeframe.FIVE_MINUTES)
    assert (wrong.place, wrong.field, wrong.rule) == ("line 2", "timestamp", "the open of a candle of 5m")


def test_a_row_that_repeats_the_one_before_is_left_out(tmp_path: Path) -> None:
    path = csv_file(tmp_path, FIRST, FIRST, SECOND, SECOND, SECOND)
    assert [candle.timestamp.minute for candle in read_candles(path, Timeframe.MINUTE)] == [0, 1]


def test_a_gap_stays_a_gap_and_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = csv_file(tmp_path, FIRST, SECOND, SECOND.replace("10:01", "10:04"), SECOND.replace("10:01", "10:06"))
    with caplog.at_level(logging.WARNING):
        assert [candle.timestamp.minute for candle in read_candles(path, Timeframe.MINUTE)] == [0, 1, 4, 6]
    assert caplog.messages == [f"{path}: 3 candles of 1m are missing, in 2 gaps"]


def test_a_header_without_a_column_is_refused(tmp_path: Path) -> None:
    wrong = problem(csv_file(tmp_path, FIRST, header="timestamp,open,high,low,Close,volume"))
    assert (wrong.place, wrong.field, wrong.value) == ("line 1", "close", MISSING)
    assert wrong.rule == "in the header, which needs timestamp, open, high, low, close, volume"
    assert problem(csv_file(tmp_path, header="")).field == "timestamp"


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    def told(path: Path) -> str:
        with pytest.raises(CandleFileError) as caught:
            list(read_candles(path, Timeframe.MINUTE))
        return caught.value.problem

    assert told(tmp_path / "none.csv") == "No such file or directory"
    assert told(tmp_path / "candles.xlsx") == "its ending is none of .csv, .parquet"
    assert told(csv_file(tmp_path, FIRST, encoding="utf-16")) == "it is not UTF-8"
    assert told(csv_file(tmp_path, FIRST, '"2026')).startswith("line 3: ")
    (tmp_path / "text.parquet").write_text(csv_text())
    assert "Parquet" in told(tmp_path / "text.parquet")
    assert "No such file" in told(tmp_path / "none.parquet")


@pytest.mark.parametrize(
    "given",
    [
        columns(),
        columns(timestamp=["2026-03-04T10:00:00Z", "2026-03-04T11:01:00+01:00"]),
        columns(timestamp=[datetime(2026, 3, 4, 5, minute, tzinfo=timezone(timedelta(hours=-5))) for minute in (0, 1)]),
        columns(timestamp=arrow.array(columns()["timestamp"], arrow.timestamp("ns", "Europe/Stockholm"))),
        columns(open=["10.10", "11.00"]),
        columns(open=[10.1, 11.0]),
        columns(volume=[5, 0]),
        columns(volume=["5", "0"], note=["one", None]),
    ],
)
def test_a_parquet_file_is_read_exactly(tmp_path: Path, given: dict[str, Any]) -> None:
    first, second = read_candles(parquet_file(tmp_path, given), Timeframe.MINUTE)
    assert first.timestamp == datetime(2026, 3, 4, 10, tzinfo=UTC)
    assert (type(first.timestamp), first.timestamp.tzinfo) == (datetime, UTC)
    assert first[1:5] == (Decimal("10.1"), Decimal("12.3"), Decimal(9), Decimal(11))
    assert second[1:] == (Decimal(11), Decimal(12), Decimal(9), Decimal(10), Decimal(0))
    assert second.timestamp == datetime(2026, 3, 4, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        (columns(high=[Decimal(12), None]), "high", MISSING),
        (columns(high=[12.0, float("nan")]), "high", "NaN"),
        (columns(volume=[5.0, 1e-30]), "volume", f"0.{'0' * 29}1"),
        (columns(volume=[True, False]), "volume", True),
        (columns(timestamp=[datetime(2026, 3, 4), datetime(2026, 3, 4, 0, 1)]), "timestamp", "2026-03-04 00:00:00"),  # noqa: DTZ001
        (columns(high=[Decimal(12), Decimal(1)]), "high", Decimal(1)),
    ],
)
def test_a_bad_row_of_a_parquet_file_is_told_too(
    tmp_path: Path, given: dict[str, Any], field: str, value: object
) -> None:
    wrong = problem(parquet_file(tmp_path, given))
    assert (wrong.field, wrong.value) == (field, value)
    assert wrong.place == ("row 1" if value is True or field == "timestamp" else "row 2")


def test_a_parquet_file_without_a_column_is_refused(tmp_path: Path) -> None:
    given = columns()
    del given["low"]
    wrong = problem(parquet_file(tmp_path, given))
    assert (wrong.place, wrong.field) == ("the schema", "low")


def test_without_the_extra_a_parquet_file_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = parquet_file(tmp_path, columns())
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(CandleFileError) as caught:
        list(read_candles(path, Timeframe.MINUTE))
    assert caught.value.problem == "it takes pyarrow: install the extra `parquet`"


@pytest.mark.skipif(not REAL.exists(), reason=f"the recorded candles are not at {REAL}")
def test_how_many_there_are_at_the_most_is_known_before_they_are_read(tmp_path: Path) -> None:
    text = tmp_path / "some.csv"
    text.write_text(csv_text())
    assert most_candles(text) == len(CANDLES)
    text.write_text("")
    assert most_candles(text) == 0
    columns = tmp_path / "some.parquet"
    parquet.write_table(arrow.table({"timestamp": ["a", "b", "c"]}), columns)
    assert most_candles(columns) == 3
    columns.write_bytes(b"PAR1")
    for path in (tmp_path / "none.csv", columns, tmp_path / "some.txt"):
        with pytest.raises(CandleFileError, match=path.name):
            most_candles(path)


def test_a_month_of_recorded_minutes_is_read_whole() -> None:
    """The figures are the data's own README's, and sums taken with awk."""
    candles = list(read_candles(REAL, Timeframe.MINUTE))
    assert len(candles) == 45_031
    assert candles[0].timestamp == datetime(2021, 12, 31, 23, 1, tzinfo=UTC)
    assert candles[-1].timestamp == datetime(2022, 2, 1, 5, 31, tzinfo=UTC)
    assert str(candles[0].volume) == "2300413.7295"
    assert sum(candle.close for candle in candles) == Decimal("1852778648.50")
