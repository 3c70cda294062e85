import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("window")
    group.addoption(
        "--every-minute", action="store_true", help="Compare calendars and zones in full instead of a sample."
    )
    group.addoption("--guard-runs", type=int, default=60, help="How often the guard is run against its model (60).")
