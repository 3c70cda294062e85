"""The accepted differences are in one place, and the migration notes tell the same."""

import re
from datetime import UTC, datetime
from pathlib import Path

from fastapi_app.accepted_differences import ACCEPTED_DIFFERENCES
from fastapi_app.app import create_app
from fastapi_app.cutover.comparing.accepted import assert_none_expired
from shared.ports import LivePorts
from shared.settings import Settings
from shared.store.memory import MemoryStore

NOTES = Path(__file__).parents[2] / "migration_notes.md"


def test_none_is_expired() -> None:
    assert_none_expired(ACCEPTED_DIFFERENCES, on=datetime.now(UTC).date())


def test_each_has_a_name_of_its_own_and_an_endpoint_that_exists() -> None:
    names = [rule.name for rule in ACCEPTED_DIFFERENCES]
    assert len(names) == len(set(names))
    app = create_app(Settings(), live_ports=LivePorts(store=MemoryStore()))
    endpoints = {endpoint.name for endpoint in app.cutover.inventory.endpoints}
    assert {rule.endpoint for rule in ACCEPTED_DIFFERENCES} <= {"*", *endpoints}


def test_the_migration_notes_list_them() -> None:
    (section,) = re.findall(r"^## Accepted differences\n(.*?)^## ", NOTES.read_text(), re.DOTALL | re.MULTILINE)
    rows = [line for line in section.splitlines() if line.startswith("| ")]
    told = [line for line in rows if not line.startswith(("| ---", "| name"))]
    assert [line.split(" | ")[0].removeprefix("| ") for line in told] == [rule.name for rule in ACCEPTED_DIFFERENCES]
    for line, rule in zip(told, ACCEPTED_DIFFERENCES, strict=True):
        assert f"`{rule.endpoint}`" in line
        assert f"`{rule.path}`" in line
        assert rule.expires.isoformat() in line
    assert ("None: for every case of the parity suite both sides" in section) is (not ACCEPTED_DIFFERENCES)
