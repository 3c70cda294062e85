import sys
from datetime import timedelta
from threading import Barrier, Thread, get_ident
from typing import Any

import pytest

from fastapi_app.trading_window_async import TradingWindowAsync, get_trading_window_async
from fastapi_app.window import calendars
from fastapi_app.window.calendars import load_calendar
from fastapi_app.window.micros import micros_of
from fastapi_app.window.schedule import schedule_of
from shared.errors import CalendarUnavailable, InvalidField
from shared.window_config import WindowConfig
from tests.fastapi_app.window.on_the_wall import utc

WITHOUT_THE_EXTRA = (
    'calendar: "XNYS" is not usable without the extra "calendars": pip install \'trading-window[calendars]\', or in a '
    "checkout pip install -e '.[calendars]'"
)
MICROSECOND = timedelta(microseconds=1)


def test_an_unknown_code_is_an_invalid_field() -> None:
    with pytest.raises(InvalidField) as caught:
        load_calendar("NOWHERE")
    rule = "the code of a calendar that exchange_calendars knows, such as XSTO"
    assert str(caught.value) == f'calendar: "NOWHERE" is not {rule}'


def test_a_question_that_needs_a_calendar_which_can_t_be_had_says_so() -> None:
    with pytest.raises(CalendarUnavailable, match="the calendar NOWHERE can't be had"):
        schedule_of(WindowConfig(calendar="NOWHERE"))


def test_a_calendar_that_the_library_fails_to_make_is_an_invalid_field(monkeypatch: pytest.MonkeyPatch) -> None:
    import exchange_calendars  # noqa: PLC0415

    def fail(*_args: object, **_keywords: object) -> object:
        raise NotImplementedError

    monkeypatch.setattr(exchange_calendars, "get_calendar", fail)
    with pytest.raises(InvalidField, match="is not a calendar that exchange_calendars can work out here"):
        load_calendar("XJSE")


def test_without_the_library_a_calendar_is_an_invalid_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    monkeypatch.setattr(calendars, "_loaded", {})
    with pytest.raises(InvalidField) as caught:
        load_calendar("XNYS")
    assert str(caught.value) == WITHOUT_THE_EXTRA
    assert caught.value.__suppress_context__
    with pytest.raises(CalendarUnavailable) as later:
        schedule_of(WindowConfig(calendar="XNYS"))
    assert (later.value.__cause__, later.value.__suppress_context__) == (None, True)


@pytest.mark.parametrize("config", [{"calendar": "XNYS"}, WindowConfig(calendar="XNYS")], ids=["mapping", "config"])
async def test_without_the_library_a_window_is_not_made(monkeypatch: pytest.MonkeyPatch, config: Any) -> None:
    """As with any wrong key, whoever gives the config is told, and not whoever asks first."""
    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    monkeypatch.setattr(calendars, "_loaded", {})
    with pytest.raises(InvalidField) as caught:
        TradingWindowAsync(config)
    assert str(caught.value) == WITHOUT_THE_EXTRA
    with pytest.raises(InvalidField) as caught:
        await get_trading_window_async(config)
    assert str(caught.value) == WITHOUT_THE_EXTRA


async def test_a_window_with_an_unknown_calendar_is_not_made() -> None:
    for config in ({"calendar": "NOWHERE"}, WindowConfig(calendar="NOWHERE")):
        with pytest.raises(InvalidField, match=r'^calendar: "NOWHERE" is not the code of a calendar'):
            TradingWindowAsync(config)
    with pytest.raises(InvalidField, match=r"^end_hour: 25 is not"):
        TradingWindowAsync({"calendar": "NOWHERE", "end_hour": 25})


async def test_the_calendar_of_a_new_window_is_loaded_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    loop_thread, loading = get_ident(), set()

    def loads(code: str) -> Any:
        loading.add(get_ident())
        return from_the_library(code)

    from_the_library = calendars._from_the_library
    monkeypatch.setattr(calendars, "_from_the_library", loads)
    monkeypatch.setattr(calendars, "_loaded", {})
    await get_trading_window_async({"calendar": "24/7"})
    assert len(loading) == 1
    assert loop_thread not in loading


def test_an_alias_will_do() -> None:
    assert load_calendar("NYSE").opening == load_calendar("XNYS").opening


def test_threads_load_a_calendar_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendars, "_loaded", {})
    loaded, together = set(), Barrier(6)

    def load() -> None:
        together.wait()
        loaded.add(id(load_calendar("24/7")))

    threads = [Thread(target=load) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 1


def test_special_sessions_are_there() -> None:
    """With pandas 3.1 the library dropped these without a word: Mumbai's Budget day, a Saturday, and one in Moscow."""
    for code, open_at in (("XBOM", "2025-02-01T06:00:00"), ("XMOS", "2024-12-28T12:00:00")):
        assert schedule_of(WindowConfig(calendar=code)).is_open(utc(open_at))


def test_a_calendar_begins_in_2010_with_its_first_session() -> None:
    new_york = schedule_of(WindowConfig(calendar="XNYS"))
    opens = utc("2010-01-04T14:30:00")
    assert new_york.is_open(opens)
    (closure,) = new_york.closures(opens - MICROSECOND)
    assert (closure.code, closure.clears_at, closure.detail) == ("CALENDAR_UNKNOWN", opens, "XNYS")
    assert new_york.next_open(utc("2009-06-01T15:00:00")) == opens


def test_a_calendar_that_starts_later_begins_there() -> None:
    assert load_calendar("XSAU").known_from == micros_of(utc("2021-01-03T07:00:00"))


def test_after_its_last_session_nobody_knows() -> None:
    new_york = schedule_of(WindowConfig(calendar="XNYS"))
    ends = new_york.known_until
    assert ends is not None
    assert new_york.is_open(ends - MICROSECOND)
    for at in (ends, ends + timedelta(days=4000)):
        (closure,) = new_york.closures(at)
        assert (closure.code, closure.clears_at, closure.detail) == ("CALENDAR_UNKNOWN", None, "XNYS")
        assert new_york.next_open(at) is None
        assert new_york.upcoming(at, 3) == ()


def test_the_operator_is_warned_thirty_days_before() -> None:
    shanghai = schedule_of(WindowConfig(calendar="XSHG"))
    ends = shanghai.known_until
    assert ends is not None
    assert shanghai.warning(ends - timedelta(days=30) - MICROSECOND) is None
    for at in (ends - timedelta(days=30), ends, ends + timedelta(days=400)):
        warning = shanghai.warning(at)
        assert warning is not None
        assert warning.startswith(f"the calendar XSHG is known until {ends:%Y-%m-%dT%H:%M}:00.000000Z, ")
