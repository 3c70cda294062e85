import inspect
import json

import pytest

from fastapi_app.cutover.comparing.raised import named, place_of


def quote() -> None:
    json.loads("{no json")


def test_the_place_is_the_deepest_one_in_the_app_s_own_code() -> None:
    line = inspect.getsourcelines(quote)[1] + 1
    with pytest.raises(json.JSONDecodeError) as raised:
        quote()
    assert place_of(raised.value) == f"JSONDecodeError in quote (test_raised.py:{line})"
    assert named(raised.value).startswith("JSONDecodeError: Expecting property name")


def test_where_the_app_s_code_was_not_reached_it_is_the_library_s() -> None:
    with pytest.raises(json.JSONDecodeError) as raised:
        quote()
    error = raised.value
    for _ in range(2):  # this file's
        assert error.__traceback__ is not None
        error.__traceback__ = error.__traceback__.tb_next
    assert place_of(error).startswith("JSONDecodeError in raw_decode (decoder.py:")


def test_what_was_never_raised_has_no_place() -> None:
    assert place_of(KeyError("price")) == "KeyError"


def test_an_exception_without_words_has_a_name_all_the_same() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise KeyError("odd")

    assert named(Odd()) == "Odd, whose message raises KeyError"
