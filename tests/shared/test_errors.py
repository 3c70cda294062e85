from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import (
    MISSING,
    BodyTooLarge,
    InvalidField,
    KeyReused,
    MalformedBody,
    Reason,
    Refused,
    StoreUnavailable,
    TradingWindowError,
    UnknownWindow,
    UnsupportedMediaType,
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (MISSING, "missing"),
        (None, "null"),
        (True, "true"),
        (99, "99"),
        (1.5, "1.5"),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        ("x", '"x"'),
        ("", '""'),
        ('"', r'"\""'),
        ("é", r'"\u00e9"'),
        ("\ud800", r'"\ud800"'),
        ("\n\x1b[31m", r'"\n\u001b[31m"'),
        (["a", {"b": None}], '["a", {"b": null}]'),
        (Decimal("1.50"), "1.50"),
        (Decimal("1e999999"), "1E+999999"),
        ([Decimal("1.50")], '["1.50"]'),
        (datetime(2024, 1, 2, tzinfo=UTC), '"2024-01-02 00:00:00+00:00"'),
        ({(1, 2): 3}, "'dict'"),
        ("x" * 78, '"' + "x" * 78 + '"'),
        ("x" * 79, '"' + "x" * 79),
        (list(range(1000)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 2"),
    ],
)
def test_a_value_is_shown_as_json_and_cut_at_80_characters(value: object, shown: str) -> None:
    error = InvalidField("limit", value, "a whole number")
    assert str(error) == f"limit: {shown} is not a whole number"
    assert len(shown) <= 80


def test_a_value_that_can_t_be_written_is_shown_by_its_type() -> None:
    endless: list[object] = []
    endless.append(endless)
    assert str(InvalidField("limit", 10**5000, "a whole number")) == "limit: 'int' is not a whole number"
    assert str(InvalidField("limit", endless, "a whole number")) == "limit: 'list' is not a whole number"


def test_the_facts_are_attributes() -> None:
    error = InvalidField("limit", 0, "a whole number from 1 to 500")
    assert (error.field, error.value, error.rule) == ("limit", 0, "a whole number from 1 to 500")
    assert isinstance(error, ValueError)


def test_the_name_of_a_field_is_made_printable_and_cut() -> None:
    assert str(InvalidField("a\nb\ud800", 1, "x")) == r"a\nb\ud800: 1 is not x"
    assert str(InvalidField("f" * 500, 1, "x")) == f"{'f' * 80}: 1 is not x"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (UnsupportedMediaType(None), "Content-Type: missing is not application/json"),
        (UnsupportedMediaType(""), 'Content-Type: "" is not application/json'),
        (UnsupportedMediaType("text/plain"), 'Content-Type: "text/plain" is not application/json'),
        (UnsupportedMediaType("t" * 500), f'Content-Type: "{"t" * 79} is not application/json'),
        (BodyTooLarge(65536), "the body is larger than 65536 bytes"),
        (MalformedBody("it is not UTF-8"), "the body is malformed: it is not UTF-8"),
        (UnknownWindow("night"), "no trading window is named 'night'"),
        (UnknownWindow("w" * 500), f"no trading window is named '{'w' * 80}'"),
        (StoreUnavailable("disk full"), "the store can't answer: disk full"),
        (KeyReused("abc"), 'Idempotency-Key: "abc" was used for a request with another body'),
        (KeyReused("k" * 255), f'Idempotency-Key: "{"k" * 79} was used for a request with another body'),
    ],
)
def test_sentences(error: TradingWindowError, sentence: str) -> None:
    assert str(error) == sentence


def test_a_refusal_speaks_with_its_first_reason_and_keeps_all() -> None:
    halted = Reason(code="HALTED", sentence="halted: by hand", value="by hand", bound=None)
    limit = Reason(code="DAILY_LIMIT", sentence="daily trade limit of 5 reached", value=5, bound=5)

    error = Refused(halted, limit)

    assert str(error) == "halted: by hand"
    assert error.reasons == (halted, limit)


surrogates_too = st.text(st.characters(codec=None))
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.decimals() | st.binary() | surrogates_too,
    lambda inner: st.lists(inner) | st.dictionaries(surrogates_too, inner),
)


@settings(deadline=None)
@given(field=surrogates_too, value=anything)
def test_a_sentence_is_short_plain_ascii_whatever_came(field: str, value: object) -> None:
    sentence = str(InvalidField(field, value, "right"))
    assert sentence.isascii()
    assert sentence.isprintable()
    assert len(sentence) <= 80 + len(": ") + 80 + len(" is not right")
