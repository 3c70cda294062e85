from decimal import Decimal

import pytest

from shared.bot.risk import Funds, Refusal, entry_quantity, entry_refusal
from shared.settings import BotSettings


def funds(equity: str, *, available: str | None = None, day: str | None = None) -> Funds:
    return Funds(Decimal(equity), Decimal(available or equity), Decimal(day or equity))


def settings(**changes: str | int) -> BotSettings:
    return BotSettings.model_validate(changes)


@pytest.mark.parametrize(
    ("given", "price", "of", "quantity"),
    [
        # 1 % of 10,000 is 100 dollars; a stop 2 % away from 100 loses 2 dollars a piece: 50.
        ({}, "100", funds("10000"), "50"),
        # A stop twice as near: twice as many, which is all that there is, less what costs may take.
        ({"stop_loss": "0.01"}, "100", funds("10000"), "98"),
        # 98 % of what is available, whatever the risk allows.
        ({}, "100", funds("10000", available="1000"), "9.8"),
        ({}, "100", funds("10000", available="0"), "0"),
        # 100 / 0.62 = 161.29…; down to the step, never up.
        ({"quantity_step": "0.01"}, "31", funds("10000"), "161.29"),
        ({"quantity_step": 1}, "31", funds("10000"), "161"),
        ({"quantity_step": "0.25"}, "31", funds("10000"), "161.25"),
        ({"quantity_step": 1}, "60000", funds("10000"), "0"),
        # An account that is in debt buys nothing.
        ({}, "100", funds("-5", available="0"), "0"),
        # 30 digits: under the decimal module's default context this would be rounded up to ….8
        (
            {"risk_per_trade": "0.1", "stop_loss": "0.1", "quantity_step": "0.000000000000000001"},
            "1",
            funds("123456789012.123456789012345679"),
            "120987653231.880987653232098765",
        ),
    ],
)
def test_the_quantity_is_what_may_be_lost_by_the_stop_s_distance(
    given: dict[str, str | int], price: str, of: Funds, quantity: str
) -> None:
    assert entry_quantity(settings(**given), price=Decimal(price), funds=of) == Decimal(quantity)


def test_there_are_no_more_positions_than_may_be() -> None:
    two = settings(max_open_positions=2)
    assert entry_refusal(two, positions=1, funds=funds("10000")) is None
    assert entry_refusal(two, positions=2, funds=funds("10000")) == Refusal(
        "MAX_POSITIONS", "open positions: 2 is not less than max_open_positions, 2"
    )


def test_a_day_that_has_lost_enough_has_no_more_entries() -> None:
    five_percent = settings()
    assert entry_refusal(five_percent, positions=0, funds=funds("9500.01", day="10000")) is None
    assert entry_refusal(five_percent, positions=0, funds=funds("9500", day="10000")) == Refusal(
        "DAILY_LOSS",
        "equity: 9500 is not greater than 9500.00, where the day began with 10000 and max_daily_loss is 0.05",
    )
