import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("e2e")
    group.addoption("--kills", type=int, default=5, help="How often `kill -9` hits a server under load (5).")
    group.addoption("--kill-seed", type=int, default=None, help="The seed of when it hits, as a failed run printed it.")
    group.addoption(
        "--comparisons", type=int, default=2_000, help="How many requests both sides must have answered alike (2,000)."
    )
