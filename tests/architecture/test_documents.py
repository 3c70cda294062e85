"""What the documents at the root say is checked against the code."""

import re
from pathlib import Path
from typing import get_args

from fastapi_app.app import create_app
from fastapi_app.cutover.comparing.observation import SkipReason
from fastapi_app.cutover.modes.clients import is_in_canary
from shared.ports import LivePorts
from shared.settings import Settings, load_settings
from shared.store.memory import MemoryStore

ROOT = Path(__file__).parents[2]


def test_the_settings_in_the_readme_are_all_settings_with_their_defaults(tmp_path: Path) -> None:
    (block,) = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    file = tmp_path / "tradewindow.toml"
    file.write_text(block)

    told = load_settings(file, {}).model_dump()
    defaults = Settings().model_dump()

    assert set(told["cutover"]["modes"]) == {"GET /api/trading-window/can-trade", "GET /api/status"}
    told["cutover"]["modes"] = {}
    assert told == defaults
    for section, values in defaults.items():
        for key in values:
            # TOML has no word for None: such a key is shown behind a `#`.
            shown = rf"^\[{section}\].*?^(#? ?{key} =|\[{section}\.{key}\])"
            assert re.search(shown, block, re.DOTALL | re.MULTILINE), f"{section}.{key}"


def test_the_two_clients_of_the_tour_get_different_sides() -> None:
    (clients,) = re.findall(r"for client in (.*); do", (ROOT / "README.md").read_text())
    sides = {client: is_in_canary(f"x-client-id:{client}".encode(), 50) for client in clients.split()}
    assert sides == {"one": False, "two": True}


def test_the_readme_names_every_reason_to_skip_a_comparison() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [reason for reason in get_args(SkipReason) if f"`{reason}`" not in readme] == []


def test_the_migration_notes_name_every_endpoint() -> None:
    notes = (ROOT / "migration_notes.md").read_text()
    app = create_app(Settings(), live_ports=LivePorts(store=MemoryStore()))

    missing = [endpoint.name for endpoint in app.cutover.inventory.endpoints if f"`{endpoint.name}`" not in notes]

    assert missing == []
