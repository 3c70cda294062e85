"""How `tradewindow cutover serve` makes a cutover of two apps, and serves it until it is told to stop."""

import logging.config
import signal
import socket
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from fastapi_app.app import cutover_store
from fastapi_app.cli.announcement import address_of, announce
from fastapi_app.cli.loading import load_accepted, load_app, load_effects
from fastapi_app.cli.server import LOGGING, listen, run
from fastapi_app.cli.state_files import StateFiles
from fastapi_app.cutover.api.token import admin_token
from fastapi_app.cutover.comparing.accepted import AcceptedDifference
from fastapi_app.cutover.dispatch import PREFIX, Cutover
from fastapi_app.cutover.effects import Effects
from fastapi_app.cutover.inventory.endpoints import Inventory, take_inventory
from fastapi_app.legacy import bridge_options
from shared.entry import exits_with_a_sentence
from shared.errors import SettingsError
from shared.settings import Settings, load_settings
from shared.store.opening import names_state_file

SHOWN_FINDINGS = 10
"""Of those that belong to an endpoint, and stand in its notes. The others are told here alone, and all of them."""


class _Pair(NamedTuple):
    """What each process makes its own cutover of."""

    legacy: str
    native: str | None
    legacy_routes: list[tuple[str, str]] | None
    native_routes: list[tuple[str, str]] | None
    accepted: str | None
    effects: str | None
    settings: Settings


class _Loaded(NamedTuple):
    """What a pair's names lead to."""

    legacy: Any
    native: Any
    inventory: Inventory
    accepted: Sequence[AcceptedDifference]
    effects: Effects | None


def serve_pair(
    legacy: str,
    native: str | None,
    *,
    legacy_routes: Path | None,
    native_routes: Path | None,
    accepted: str | None,
    effects: str | None,
    config: Path | None,
    options: Mapping[str, Mapping[str, Any]],
    quiet: bool,
) -> None:
    """Until it is told to stop. What the operator must mend ends the process with a sentence."""
    # A service manager's stop ends like a person's Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    logging.config.dictConfig(LOGGING)
    console = Console(highlight=False, markup=False)
    files = StateFiles()
    try:
        with exits_with_a_sentence():
            settings = _with_files_of(legacy.partition(":")[0], load_settings(config, options=options))
            pair = _Pair(
                legacy=legacy,
                native=native,
                legacy_routes=_listed(legacy_routes, "--legacy-routes"),
                native_routes=_listed(native_routes, "--native-routes"),
                accepted=accepted,
                effects=effects,
                settings=settings,
            )
            # A wrong name is told also where the port is taken; a start that gets no port writes nothing.
            loaded = _loaded(pair)
            listener = listen(settings.server.host, settings.server.port)
            with names_state_file(settings.cutover.path, "cutover.path, --state"):
                app = _cutover(pair, loaded)
        files = StateFiles(settings.cutover.path)
        _announce(console, pair, app.inventory, listener, quiet=quiet)
        run(app, partial(_of_worker, pair), settings.server, listener, websockets=pair.native is not None)
    except KeyboardInterrupt:
        files.tell_stopped(console, "modes and evidence are kept.")


def _with_files_of(module: str, settings: Settings) -> Settings:
    """Where nobody says where they are: those of two apps, or of this product, must not be the same."""
    given = settings.cutover.model_fields_set
    path = settings.cutover.path if "path" in given else Path("var") / f"cutover-{module}.sqlite3"
    token_path = settings.cutover.token_path if "token_path" in given else Path(f"{path}.token")
    files = {"path": path, "token_path": token_path}
    return settings.model_copy(update={"cutover": settings.cutover.model_copy(update=files)})


def _loaded(pair: _Pair) -> _Loaded:
    legacy = load_app(pair.legacy, kind="WSGI", option="--legacy").value
    native = None if pair.native is None else load_app(pair.native, kind="ASGI", option="--native").value
    return _Loaded(
        legacy=legacy,
        native=native,
        inventory=take_inventory(
            native,
            legacy,
            native_routes=pair.native_routes,
            legacy_routes=pair.legacy_routes,
            admin_prefix=PREFIX,
        ),
        accepted=() if pair.accepted is None else load_accepted(pair.accepted, option="--accepted").value,
        effects=None if pair.effects is None else load_effects(pair.effects, option="--effects").value,
    )


def _of_worker(pair: _Pair) -> Cutover:
    return _cutover(pair, _loaded(pair))


def _cutover(pair: _Pair, loaded: _Loaded) -> Cutover:
    settings = pair.settings
    return Cutover(
        loaded.native,
        loaded.legacy,
        inventory=loaded.inventory,
        store=cutover_store(settings),
        initial_modes=settings.cutover.modes,
        effects=loaded.effects,
        accepted=loaded.accepted,
        settings=settings.cutover,
        bridge_options=bridge_options(settings),
        admin_token=partial(admin_token, settings.cutover.token_path),
    )


def _listed(file: Path | None, option: str) -> list[tuple[str, str]] | None:
    """A method and a rule a line; empty lines and those that begin with # don't count."""
    if file is None:
        return None
    try:
        lines = [line.strip() for line in file.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(f"{option}: {file} can't be read: {getattr(exc, 'strerror', exc)}") from exc
    listed = []
    for number, line in enumerate(lines, start=1):
        if line and not line.startswith("#"):
            method, *rule = line.split(maxsplit=1)
            if not rule:
                raise SettingsError(f"{option}: line {number} of {file} is no method and rule: {line}")
            listed.append((method, rule[0]))
    return listed


def _announce(console: Console, pair: _Pair, inventory: Inventory, listener: socket.socket, *, quiet: bool) -> None:
    settings = pair.settings
    address = address_of(listener, settings.server.host)
    state = settings.cutover.path.absolute()
    facts = [
        ("address", address),
        ("legacy", pair.legacy),
        ("native", pair.native or "none: legacy answers all"),
        ("endpoints", _counted(inventory)),
    ]
    facts += [] if pair.accepted is None else [("accepted", pair.accepted)]
    facts += [] if pair.effects is None else [("effects", f"{pair.effects}: writes are compared, too")]
    findings = [] if quiet else shown_findings(inventory)
    facts += [("findings" if number == 0 else "", finding) for number, finding in enumerate(findings)]
    facts += [
        ("state", str(state)),
        ("token", str(settings.cutover.token_path.absolute())),
        ("api", f"{address}{PREFIX}/docs"),
        ("next", f"tradewindow cutover list --state {state}"),
        ("stop", "Ctrl-C"),
    ]
    announce(console, f"Cutover {version('trading-window')}", facts)


def shown_findings(inventory: Inventory) -> list[str]:
    shown = [*inventory.findings[: inventory.of_no_endpoint + SHOWN_FINDINGS]]
    if rest := len(inventory.findings) - len(shown):
        shown.append(
            f"and {rest} more: `tradewindow cutover list` tells which sides have an endpoint, and "
            "`tradewindow cutover show METHOD RULE` what else there is to know of it"
        )
    return shown


def _counted(inventory: Inventory) -> str:
    endpoints = inventory.endpoints
    both = sum(endpoint.legacy and endpoint.native for endpoint in endpoints)
    legacy = sum(not endpoint.native for endpoint in endpoints)
    native = sum(not endpoint.legacy for endpoint in endpoints)
    return f"{len(endpoints)}: {both} on both sides, {legacy} on legacy alone, {native} on native alone"
