"""The single ASGI app: `uvicorn --factory fastapi_app.app:create_app`."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from starlette.types import Receive, Scope, Send

from fastapi_app.accepted_differences import ACCEPTED_DIFFERENCES
from fastapi_app.bot.backtest import run_backtest
from fastapi_app.bot_supervisor import BotSupervisor, supervisor_of
from fastapi_app.cutover.api.token import admin_token
from fastapi_app.cutover.dispatch import Cutover
from fastapi_app.cutover.store.base import CutoverStore
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from fastapi_app.fitting_store import FittingCutoverStore, check_seed, default_config
from fastapi_app.judging_endpoints import served_by_legacy
from fastapi_app.legacy import bridge_options, create_legacy
from fastapi_app.legacy_fit import LegacyFit
from fastapi_app.native import create_native
from fastapi_app.recorded_ports import PortsEffects
from fastapi_app.requests import json_answer
from shared.entry import exits_with_a_sentence
from shared.errors import ServedByLegacy
from shared.modes import EndpointMode
from shared.ports import SCOPE_KEY, LivePorts
from shared.request_id import RequestId, request_id
from shared.services import open_parts, services_of
from shared.settings import CutoverSettings, Settings, load_settings
from shared.store.base import Store
from shared.store.opening import names_state_file, open_unseeded_store, seed_store

logger = logging.getLogger(__name__)

COSTLY = ("POST /api/backtest/run",)
"""Not compared live, unless the settings name the costly endpoints: `costly = []` compares them all."""


def create_app(settings: Settings | None = None, *, live_ports: LivePorts | None = None) -> "TradingWindowApp":
    """Both stacks behind one door, on one state.

    Without settings, which is how a process starts it, it reads them, and ends the process with one sentence where
    that fails. Without ports it opens the stores and services that the settings name, the cutover's store too; the
    cutover's HTTP API is there, orders that are out are asked for, and the bot runs here when it is told to. With ports
    nothing outside is touched, no bot runs, and modes live as long as the app. Raises SettingsError, CandleFileError.
    """
    if settings is None:
        with exits_with_a_sentence():
            return create_app(load_settings())
    if live_ports is not None:
        return TradingWindowApp(settings, live_ports)
    with names_state_file(settings.cutover.path, "cutover.path"):
        check_seed(settings)
    parts = open_parts(settings)
    windows = open_unseeded_store(settings)
    with names_state_file(settings.cutover.path, "cutover.path"):
        app = TradingWindowApp(
            settings,
            LivePorts(store=windows, services=services_of(parts, settings, backtest=run_backtest)),
            store=cutover_store(settings, windows),
            admin_token=partial(admin_token, settings.cutover.token_path),
            supervisor=supervisor_of(settings, parts, windows),
        )
    seed_store(windows, settings)
    return app


def cutover_store(settings: Settings, windows: Store | None = None) -> SQLiteCutoverStore:
    """Where a cutover keeps modes and evidence; with `windows`, this product's, only modes that their rules allow."""
    options: dict[str, Any] = {
        "busy_timeout_seconds": settings.cutover.busy_timeout_seconds,
        "kept_mismatches": settings.cutover.kept_mismatches,
    }
    if windows is None:
        return SQLiteCutoverStore(settings.cutover.path, **options)
    return FittingCutoverStore(settings.cutover.path, window_config=partial(default_config, windows), **options)


def _with_costly(settings: CutoverSettings) -> CutoverSettings:
    if "costly" in settings.model_fields_set:
        return settings
    return settings.model_copy(update={"costly": list(COSTLY)})


NATIVE_PATHS = ("/api/windows",)
"""Below them the old side never had anything, so the new one says, too, what isn't there."""


class TradingWindowApp:
    """The native app, the legacy app and the cutover between them; gives each request its ports."""

    def __init__(
        self,
        settings: Settings,
        live_ports: LivePorts,
        *,
        store: CutoverStore | None = None,
        admin_token: Callable[[], str] | None = None,
        supervisor: BotSupervisor | None = None,
    ) -> None:
        self.live_ports = live_ports
        self.legacy = create_legacy(settings, live_ports)
        self.native = create_native(
            live_ports,
            max_body_bytes=settings.limits.max_body_bytes,
            legacy_fit=LegacyFit(self._modes),
            supervisor=supervisor,
            reconcile_seconds=None if supervisor is None else settings.broker.reconcile_seconds,
        )
        self.cutover = Cutover(
            self.native,
            self.legacy,
            store=store,
            initial_modes=settings.cutover.modes,
            effects=PortsEffects(live_ports),
            accepted=ACCEPTED_DIFFERENCES,
            settings=_with_costly(settings.cutover),
            bridge_options=bridge_options(settings),
            admin_token=admin_token,
            native_paths=NATIVE_PATHS,
        )
        self._warn_of_rules_beyond_legacy()

    async def _modes(self) -> Mapping[str, EndpointMode]:
        """As the cutover's store has them."""
        table = await self.cutover.off_loop(self.cutover.store.table)
        return table.modes

    def _warn_of_rules_beyond_legacy(self) -> None:
        config = default_config(self.live_ports.store)
        endpoints = served_by_legacy(self.cutover.store.table().modes)
        if config is not None and config.beyond_legacy and endpoints:
            logger.error("%s; until then the old side answers 503", ServedByLegacy(config.beyond_legacy, endpoints))
        self.live_ports.close()
        self.cutover.store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # Ports that a test handed in stay.
            scope.setdefault("state", {}).setdefault(SCOPE_KEY, self.live_ports.for_request())
            request_id.set(RequestId(scope["headers"]))
        try:
            await self.cutover(scope, receive, send)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            # The server's drain time is over. Who has no answer yet gets this one; to send it after the start of
            # another is an error, and then the server cuts the connection.
            with suppress(RuntimeError):
                await json_answer({"error": "the server is shutting down"}, 503)(scope, receive, send)
