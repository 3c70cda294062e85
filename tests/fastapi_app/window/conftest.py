import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("window")
    group.addoption(
        "--every-minute", action="store_true", help="Compare calendars and zones in full instead of a sample."
    )
