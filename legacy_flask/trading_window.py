"""The old synchronous trading window, with the old arithmetic."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shared.clock import utc_text
from shared.errors import ConfigBeyondLegacy, OrderOnItsWay, PermitConflict, Reason, Refused, UnknownPermit
from shared.halts import halt_reasons
from shared.ports import LivePorts, Ports
from shared.store.base import IdempotencyKey, LedgerQuery
from shared.store.memory import MemoryStore
from shared.upkeep import permit_entry, with_permit, without_permit
from shared.window import (
    DEFAULT_WINDOW_ID,
    MAX_OPEN_PERMITS,
    Asking,
    Entry,
    Outcome,
    Permit,
    RegisteredTrade,
    Snapshot,
    Trade,
    Transition,
    WindowState,
)
from shared.window_config import WindowConfig
from shared.wire import ConfigChange, TradeRequest, TradesQuery
from shared.wire_fields import plain_decimal


class TradingWindow:
    """When and how often the bot may trade.

    Without `ports` it is a window of its own in memory, with the rules of `config`, and each call is a request of its
    own; a wrong key raises InvalidField. With `ports` it serves one request on the window that is there already, whose
    own config counts.
    """

    def __init__(self, config: Mapping[str, Any], *, ports: Ports | None = None) -> None:
        self._given_ports = ports
        self._live = None if ports is not None else LivePorts(store=MemoryStore())
        if self._live is not None:
            self._live.store.create(DEFAULT_WINDOW_ID, WindowConfig.parse(config))

    def is_within_window(self) -> bool:
        ports = self._ports()
        return _is_open(self._window(ports).config, ports.instant())

    def can_trade(self) -> bool:
        """Whether today's count leaves a trade. Doesn't look at the hours."""
        ports = self._ports()
        window = self._window(ports)
        return _day_and_count(window.config, window.state, ports.instant())[1] < window.config.max_trades_per_day

    def register_trade(self, request: TradeRequest | None = None) -> None:
        """Counts a trade that has happened, without asking: also outside the hours and past the limit, during a halt,
        and where the config has rules that this side doesn't know. A fact is never refused."""
        ports = self._ports()
        trade_id = ports.new_id("trade")

        def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[RegisteredTrade]:
            return _count(config, state, instant, _Draft(trade_id, request))

        ports.windows.apply(DEFAULT_WINDOW_ID, transition)

    def try_register_trade(self, request: TradeRequest, *, key: IdempotencyKey | None = None) -> RegisteredTrade:
        """Asks and counts in one step. Raises Refused when the window is halted, closed or used up."""
        ports = self._ports()
        trade_id = ports.new_id("trade")

        def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[RegisteredTrade]:
            _check_that_it_is_known(config)
            _check_that_it_is_allowed(config, state, instant)
            return _count(config, state, instant, _Draft(trade_id, request))

        return ports.windows.apply(DEFAULT_WINDOW_ID, transition, key=key, asks=Asking(request.symbol)).answer

    def try_send_order(self, order: Mapping[str, Any]) -> str:
        """Asks and counts in one step before an order goes out, and answers with the id of its permit, which holds the
        slot until the order's outcome is known. One that reduces a position is asked nothing and takes no slot.

        `order` is as the broker takes it, with the strategy's name or None. Raises Refused when the window is halted,
        closed or used up, and OrderOnItsWay while one of the same client order id is out.
        """
        ports = self._ports()
        permit_id = ports.new_id("permit")

        def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[None]:
            _check_that_it_is_known(config)
            if _permit_of_order(state, order["client_order_id"]):
                raise OrderOnItsWay(order["client_order_id"])
            if not order["reduces"]:
                _check_that_it_is_allowed(config, state, instant)
            _check_that_permits_are_left(state)
            return _send(config, state, instant, permit_id=permit_id, order=order)

        ports.windows.apply(DEFAULT_WINDOW_ID, transition, asks=Asking(order["symbol"]))
        return permit_id

    def send_order_after_all(self, order: Mapping[str, Any]) -> None:
        """A permit for an order that came in once its own had been given up: whatever the rules say, it is there. One
        that the order has got meanwhile will do."""
        ports = self._ports()
        permit_id = f"{ports.new_id('permit')}-after-all"

        def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[None]:
            if _permit_of_order(state, order["client_order_id"]):
                raise OrderOnItsWay(order["client_order_id"])
            return _send(config, state, instant, permit_id=permit_id, order=order)

        with suppress(OrderOnItsWay):
            ports.windows.apply(DEFAULT_WINDOW_ID, transition)

    def see_anew(self) -> None:
        """From here on the window is seen as it is now."""

        def as_it_is(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[None]:
            return Outcome(config, state, (), None)

        self._ports().windows.apply(DEFAULT_WINDOW_ID, as_it_is)

    def permit_of_order(self, client_order_id: str) -> Permit | None:
        """The permit of the order of this name, while it has no end."""
        return _permit_of_order(self._ports().windows.snapshot(DEFAULT_WINDOW_ID).state, client_order_id)

    def has_trade(self, client_order_id: str) -> bool:
        """Whether the order of this name was registered as a trade."""
        query = LedgerQuery(kind="trade", subject=client_order_id, limit=1)
        return bool(self._ports().windows.ledger(DEFAULT_WINDOW_ID, query).entries)

    def register_order(self, seen: Permit, quantity: str, price: str) -> bool:
        """The order was filled: its slot is a trade's now. A halt puts this off, where the config says so: the permit
        stays, and whoever reconciles after the halt confirms it. Answers whether the permit that was seen had no end
        yet."""
        permit_id = seen["id"]
        trade_id = self._ports().new_id("trade")

        def transition(config: WindowConfig, state: WindowState, instant: datetime) -> Outcome[None]:
            permit = _open_permit(state, permit_id, seen)
            halted = () if config.confirm_while_halted else halt_reasons(state, permit["symbol"], instant)
            if halted:
                raise Refused(*halted)
            trade = Trade(
                id=trade_id,
                symbol=permit["symbol"],
                side=permit["side"],
                quantity=quantity,
                price=price,
                strategy=permit["strategy"],
                executed_at=utc_text(instant),
                trade_day=permit["trade_day"],
            )
            if permit["reduces"]:
                trade["reduces"] = True
            confirmed: Permit = {**permit, "status": "confirmed", "deadline": None}
            entries = (
                permit_entry(confirmed, entry_id=f"{permit_id}-confirmed", trade_id=trade_id),
                Entry(
                    id=trade_id,
                    kind="trade",
                    data=trade,
                    trade_day=trade["trade_day"],
                    symbol=trade["symbol"],
                    subject=permit.get("client_order_id"),
                ),
            )
            return Outcome(config, without_permit(state, permit, frees_slot=False), entries, None)

        try:
            return self._step_permit(transition)
        except Refused:
            return True

    def release_order(self, permit_id: str, why: str, *, seen: Permit | None = None) -> bool:
        """There is no trade: the slot is free again. Answers whether the permit had no end yet; with `seen`, that very
        one."""

        def transition(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[None]:
            permit = _open_permit(state, permit_id, seen)
            released: Permit = {**permit, "status": "released", "deadline": None}
            entry = permit_entry(released, entry_id=f"{permit_id}-released", reason=why)
            return Outcome(config, without_permit(state, permit, frees_slot=True), (entry,), None)

        return self._step_permit(transition)

    def doubt_order(self, permit_id: str) -> None:
        """Nobody knows what came of the order: its permit keeps the slot until that is known."""

        def transition(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[None]:
            permit = _open_permit(state, permit_id)
            if permit["status"] == "in_doubt":
                raise PermitConflict(permit_id, permit["status"], "in doubt")
            in_doubt: Permit = {**permit, "status": "in_doubt", "deadline": None}
            entry = permit_entry(in_doubt, entry_id=f"{permit_id}-in-doubt")
            return Outcome(config, with_permit(state, in_doubt), (entry,), None)

        self._step_permit(transition)

    def trades(self, query: TradesQuery) -> list[Mapping[str, Any]]:
        """The window's trades, newest first."""
        ports = self._ports()
        page = ports.windows.ledger(
            DEFAULT_WINDOW_ID,
            LedgerQuery(kind="trade", trade_day=query.date, symbol=query.symbol, limit=query.limit),
        )
        return [entry.data for entry in page.entries]

    def get_config(self) -> dict[str, Any]:
        return self._window(self._ports()).config.legacy_keys()

    def update_config(self, change: ConfigChange) -> dict[str, Any]:
        """Replaces the given keys and returns the new config."""
        ports = self._ports()
        entry_id = ports.new_id("config")

        def transition(config: WindowConfig, state: WindowState, _instant: datetime) -> Outcome[dict[str, Any]]:
            _check_that_it_is_known(config)
            after = config.changed(change.changes())
            if after == config:
                return Outcome(config, state, (), after.legacy_keys())
            data = {"before": config.to_json(), "after": after.to_json()}
            return Outcome(after, state, (Entry(id=entry_id, kind="config", data=data),), after.legacy_keys())

        return ports.windows.apply(DEFAULT_WINDOW_ID, transition).answer

    def _step_permit(self, transition: Transition[None]) -> bool:
        """Answers whether the step was taken here: another request may have taken it, or ended the permit."""
        try:
            self._ports().windows.apply(DEFAULT_WINDOW_ID, transition)
        except (UnknownPermit, PermitConflict):
            return False
        return True

    def _ports(self) -> Ports:
        if self._given_ports is not None:
            return self._given_ports
        assert self._live is not None  # noqa: S101 - one of the two is always there
        return self._live.for_request()

    def _window(self, ports: Ports) -> Snapshot:
        """As the old arithmetic may judge it."""
        window = ports.windows.snapshot(DEFAULT_WINDOW_ID)
        _check_that_it_is_known(window.config)
        return window


class _Draft:
    """A trade that is about to be counted."""

    def __init__(self, trade_id: str, request: TradeRequest | None) -> None:
        self.trade_id = trade_id
        self.request = request

    def trade(self, instant: datetime, day: str) -> Trade:
        request = self.request
        return Trade(
            id=self.trade_id,
            symbol=request.symbol if request else None,
            side=request.side if request else None,
            quantity=plain_decimal(request.quantity) if request else None,
            price=plain_decimal(request.price) if request else None,
            strategy=request.strategy if request else None,
            executed_at=utc_text(instant),
            trade_day=day,
        )


def _check_that_it_is_known(config: WindowConfig) -> None:
    """To judge by a part of the rules would be to let trades through. Raises ConfigBeyondLegacy."""
    if config.beyond_legacy:
        raise ConfigBeyondLegacy(config.beyond_legacy)


def _check_that_it_is_allowed(config: WindowConfig, state: WindowState, instant: datetime) -> None:
    """Raises Refused."""
    if not _is_open(config, instant):
        hours = f"{config.start_hour}:00 - {config.end_hour}:00"
        sentence = f"outside the trading window {hours}"
        raise Refused(Reason(code="OUTSIDE_HOURS", sentence=sentence, value=utc_text(instant), bound=hours))
    _, count = _day_and_count(config, state, instant)
    limit = config.max_trades_per_day
    if count >= limit:
        sentence = f"daily trade limit of {limit} reached"
        raise Refused(Reason(code="DAILY_LIMIT", sentence=sentence, value=count, bound=limit))


def _check_that_permits_are_left(state: WindowState) -> None:
    """Raises Refused."""
    count = len(state.get("permits", {}))
    if count >= MAX_OPEN_PERMITS:
        sentence = f"{MAX_OPEN_PERMITS} permits are out"
        raise Refused(Reason(code="PERMIT_LIMIT", sentence=sentence, value=count, bound=MAX_OPEN_PERMITS))


def _permit_of_order(state: WindowState, client_order_id: str) -> Permit | None:
    for permit in state.get("permits", {}).values():
        if permit.get("client_order_id") == client_order_id:
            return permit
    return None


def _open_permit(state: WindowState, permit_id: str, seen: Permit | None = None) -> Permit:
    """Raises UnknownPermit for one that has its end; with `seen`, also where another of its id is out by now."""
    permit = state.get("permits", {}).get(permit_id)
    if permit is None or (seen is not None and permit["reserved_at"] != seen["reserved_at"]):
        raise UnknownPermit(permit_id)
    return permit


def _is_open(config: WindowConfig, instant: datetime) -> bool:
    hour = instant.astimezone(ZoneInfo(config.timezone)).hour
    return config.start_hour <= hour < config.end_hour


def _day_and_count(config: WindowConfig, state: WindowState, instant: datetime) -> tuple[str, int]:
    """The day that counts at this instant, and its trades so far. A day only moves forward."""
    today = instant.astimezone(ZoneInfo(config.timezone)).date().isoformat()
    last_day = state["trade_day"]
    if last_day is None or today > last_day:
        return today, 0
    return last_day, state["trades_today"]


def _count(config: WindowConfig, state: WindowState, instant: datetime, draft: _Draft) -> Outcome[RegisteredTrade]:
    day, count = _day_and_count(config, state, instant)
    count += 1
    trade = draft.trade(instant, day)
    return Outcome(
        config,
        {**state, "trade_day": day, "trades_today": count},
        (Entry(id=trade["id"], kind="trade", data=trade, trade_day=day, symbol=trade["symbol"]),),
        RegisteredTrade(trade=trade, trades_today=count, remaining_trades=max(0, config.max_trades_per_day - count)),
    )


def _send(
    config: WindowConfig, state: WindowState, instant: datetime, *, permit_id: str, order: Mapping[str, Any]
) -> Outcome[None]:
    """A slot is reserved, unless the order only reduces a position, and the order goes out."""
    day, count = _day_and_count(config, state, instant)
    pending = Permit(
        id=permit_id,
        symbol=order["symbol"],
        side=order["side"],
        quantity=order["quantity"],
        price=order["price"],
        strategy=order["strategy"],
        reduces=order["reduces"],
        status="pending",
        trade_day=day,
        reserved_at=utc_text(instant),
        deadline=utc_text(instant + timedelta(seconds=config.permit_seconds)),
        client_order_id=order["client_order_id"],
    )
    in_doubt_from = utc_text(instant + timedelta(seconds=config.in_doubt_after_seconds))
    sent: Permit = {**pending, "status": "sent", "deadline": in_doubt_from}
    if not order["reduces"]:
        state = {**state, "trade_day": day, "trades_today": count + 1}
    entries = (
        permit_entry(pending, entry_id=f"{permit_id}-reserved"),
        permit_entry(sent, entry_id=f"{permit_id}-sent"),
    )
    return Outcome(config, with_permit(state, sent), entries, None)
