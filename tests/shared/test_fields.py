from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import MISSING, InvalidField
from shared.fields import first_invalid_field, validated


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    side: Annotated[str, Field(pattern="^(buy|sell)$", description="buy or sell")]
    amount: Annotated[int, Field(ge=1, description="a whole number from 1")]
    legs: list[int] = []


def test_what_is_valid_becomes_the_model() -> None:
    assert validated(Order, {"amount": 1, "side": "buy"}) == Order(side="buy", amount=1)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"amount": 0, "side": "x"}, 'side: "x" is not buy or sell'),
        ({"amount": 0, "side": "buy"}, "amount: 0 is not a whole number from 1"),
        ({"amount": 0}, "side: missing is not buy or sell"),
        ({"side": "buy"}, "amount: missing is not a whole number from 1"),
        ({}, "side: missing is not buy or sell"),
        ({"side": "buy", "amount": True}, "amount: true is not a whole number from 1"),
        ({"side": "buy", "amount": None}, "amount: null is not a whole number from 1"),
        ({"side": "buy", "amount": 1, "legs": [1, "2"]}, 'legs: [1, "2"] is not valid'),
        ({"a": 1, "side": "x", "amount": 1}, 'side: "x" is not buy or sell'),
        ({"z": 1, "a": 2, "side": "buy", "amount": 1}, "a: 2 is not expected: the known fields are side, amount, legs"),
        ({"\ud800": 1, "side": "x", "amount": 1}, 'side: "x" is not buy or sell'),
        (
            {"\ud800": 1, "side": "buy", "amount": 1},
            r"\ud800: 1 is not expected: the known fields are side, amount, legs",
        ),
    ],
)
def test_the_first_failing_field_in_the_model_s_order_is_named(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidField) as caught:
        validated(Order, given)
    assert str(caught.value) == sentence


class Nothing(BaseModel):
    """A model that takes no field."""

    model_config = ConfigDict(extra="forbid")


def test_where_no_field_is_known_the_error_says_so() -> None:
    with pytest.raises(InvalidField) as caught:
        validated(Nothing, {"a": 1})
    assert str(caught.value) == "a: 1 is not expected: the known fields are none"


def test_a_key_that_is_no_text_is_unknown() -> None:
    given: dict[Any, Any] = {5: 6, "side": "buy", "amount": 1}
    with pytest.raises(InvalidField, match=r"^5: 6 is not expected: "):
        validated(Order, given)


def test_the_error_carries_field_value_and_rule() -> None:
    with pytest.raises(ValidationError) as caught:
        Order.model_validate({"side": "buy"})

    error = first_invalid_field(caught.value, Order, {"side": "buy"})

    assert (error.field, error.value, error.rule) == ("amount", MISSING, "a whole number from 1")
