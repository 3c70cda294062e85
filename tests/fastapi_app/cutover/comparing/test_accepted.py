import logging
import runpy
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fastapi_app.cutover.comparing.accepted import AcceptedDifference, ExpiryWatch, assert_none_expired
from fastapi_app.cutover.comparing.observation import Difference
from tests.documented import write_modules

LAST_DAY, EXPIRY = date(2025, 5, 31), date(2025, 6, 1)


def rule(**given: Any) -> AcceptedDifference:
    values: dict[str, Any] = {
        "name": "order of trades",
        "endpoint": "GET /trades",
        "path": "body.trades.**",
        "reason": "nobody minds",
    }
    return AcceptedDifference(**{**values, **given}, expires=EXPIRY)


def test_a_rule_covers_differences_by_their_path() -> None:
    assert rule().covers(Difference(path="body.trades[0].price"))
    assert not rule().covers(Difference(path="body.count"))


def test_a_rule_applies_to_its_endpoint_or_to_all() -> None:
    assert rule().applies_to("GET /trades")
    assert not rule().applies_to("POST /trades")
    assert rule(endpoint="*").applies_to("POST /trades")


def test_an_endpoint_may_have_a_converter_with_arguments() -> None:
    assert rule(endpoint="GET /x/<any(a, b):y>").applies_to("GET /x/<any(a, b):y>")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", " "),
        ("reason", ""),
        ("endpoint", "/trades"),
        ("endpoint", "get /trades"),
        ("path", "body..a"),
        ("same", "equal"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=field):
        rule(**{field: value})


def test_an_expired_rule_fails_a_suite_and_applies_still() -> None:
    assert not rule().expired(LAST_DAY)
    assert_none_expired([rule()], on=LAST_DAY)
    assert rule().expired(EXPIRY)
    with pytest.raises(
        AssertionError, match=r"'order of trades' of GET /trades expired on 2025-06-01 \(nobody minds\)"
    ):
        assert_none_expired([rule()], on=EXPIRY)
    assert rule().covers(Difference(path="body.trades[0].price"))


def test_each_expired_rule_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    watch = ExpiryWatch([rule(), rule(name="other")])
    with caplog.at_level(logging.WARNING):
        watch.warn(LAST_DAY)
        assert caplog.messages == []
        watch.warn(EXPIRY)
        watch.warn(EXPIRY)
    assert [message.split("'")[1] for message in caplog.messages] == ["order of trades", "other"]


@pytest.mark.parametrize(
    ("native", "covered"),
    [
        ("2025-03-03T12:00:00Z", True),
        ("2025-03-03T13:00:00+01:00", True),
        ("2025-03-03T12:00:01Z", False),
        (None, False),
    ],
)
def test_the_rule_of_the_readme_covers_the_same_instant(native: str | None, covered: bool, tmp_path: Path) -> None:
    write_modules(tmp_path)
    (rule,) = [each for each in runpy.run_path(str(tmp_path / "meant.py"))["ACCEPTED"] if each.same is not None]
    date_of_http = "Mon, 03 Mar 2025 12:00:00 GMT"
    for path in ("body.added", "body.items[0].added"):
        assert rule.covers(Difference(path=path, primary=date_of_http, candidate=native)) is covered
        assert not rule.covers(Difference(path=path, primary=date_of_http, candidate_has=False))
        swapped = Difference(path=path, primary=native, candidate=date_of_http)
        assert rule.covers(swapped, primary="native") is covered
    assert not rule.covers(Difference(path="body.price", primary=date_of_http, candidate=native))
