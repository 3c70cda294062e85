import pytest

from shared.errors import InvalidField
from shared.fields import validated
from shared.modes import EndpointMode


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"mode": "legacy"}, "legacy"),
        ({"mode": "shadow", "sample_rate": 0.05}, "shadow (sample rate 0.05)"),
        ({"mode": "canary", "percent": 0}, "canary 0%"),
        ({"mode": "canary", "percent": 12.5, "sample_rate": 0}, "canary 12.5% (sample rate 0)"),
        ({"mode": "verify", "percent": None}, "verify"),
        ({"mode": "native", "sample_rate": 1}, "native"),
    ],
)
def test_a_mode_tells_what_it_is(given: dict[str, object], told: str) -> None:
    assert str(validated(EndpointMode, given)) == told


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "mode: missing is not legacy, shadow, canary, verify or native"),
        ({"mode": "Native"}, 'mode: "Native" is not legacy, shadow, canary, verify or native'),
        ({"mode": "blue", "percent": 101}, 'mode: "blue" is not legacy, shadow, canary, verify or native'),
        (
            {"mode": "canary"},
            "percent: missing is not a number from 0 to 100, which canary needs and no other mode takes",
        ),
        (
            {"mode": "canary", "percent": None},
            "percent: null is not a number from 0 to 100, which canary needs and no other mode takes",
        ),
        (
            {"mode": "native", "percent": 5},
            "percent: 5 is not a number from 0 to 100, which canary needs and no other mode takes",
        ),
        (
            {"mode": "canary", "percent": -0.1},
            "percent: -0.1 is not a number from 0 to 100, which canary needs and no other mode takes",
        ),
        (
            {"mode": "canary", "percent": float("nan")},
            "percent: NaN is not a number from 0 to 100, which canary needs and no other mode takes",
        ),
        ({"mode": "shadow", "sample_rate": 1.1}, "sample_rate: 1.1 is not a number from 0 to 1"),
        ({"mode": "shadow", "sample_rate": None}, "sample_rate: null is not a number from 0 to 1"),
        ({"mode": "shadow", "rate": 1}, "rate: 1 is not expected: the known fields are mode, percent, sample_rate"),
    ],
)
def test_a_mode_that_can_t_be_is_refused_by_field_value_and_bound(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidField) as refused:
        validated(EndpointMode, given)
    assert str(refused.value) == sentence


@pytest.mark.parametrize(
    ("mode", "sides"),
    [
        (EndpointMode(mode="legacy"), {"legacy"}),
        (EndpointMode(mode="native"), {"native"}),
        (EndpointMode(mode="shadow"), {"legacy", "native"}),
        (EndpointMode(mode="canary", percent=100), {"legacy", "native"}),
        (EndpointMode(mode="verify"), {"legacy", "native"}),
    ],
    ids=str,
)
def test_a_mode_that_compares_needs_both_sides(mode: EndpointMode, sides: set[str]) -> None:
    assert mode.needs() == sides
