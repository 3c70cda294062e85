"""A trading window's config: the rules of when and how often a bot may trade, as values."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from shared.errors import InvalidField
from shared.fields import validated

MAX_TRADES_PER_DAY = 1_000_000
MAX_ROWS_OF_RULES = 500
"""How many intervals, blackouts or named limits a config may list."""
MAX_COOLDOWN_SECONDS = 604_800
MAX_SYMBOL_CHARACTERS = 32
SYMBOL_PATTERN = "[A-Z0-9]+(-[A-Z0-9]+)*"
"""How a symbol is written, such as BTC-USD."""
EVERY_OTHER = "*"
"""In a table of limits: each name that the table doesn't list."""

LEGACY_KEYS = ("start_hour", "end_hour", "max_trades_per_day", "timezone")
"""What the legacy contract knows of a config."""

PERMIT_KEYS = ("permit_seconds", "in_doubt_after_seconds", "confirm_while_halted")
"""What concerns permits alone: the old side counts their slots, and that is all it has to know."""

TURNS_WITH_SESSION = "session"
"""The `day_turns_at` of a trading day that is the calendar's."""

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError) as exc:
        raise ValueError("unknown time zone") from exc
    return name


def _instant(given: object) -> datetime:
    if isinstance(given, str):
        given = datetime.fromisoformat(given)
    if not isinstance(given, datetime) or given.tzinfo is None:
        raise ValueError("not an instant with an offset")
    try:
        return given.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("not within the years 1 to 9999 of UTC") from exc


def _at_most_one_of_each(days: tuple[Weekday, ...]) -> tuple[Weekday, ...]:
    if len(set(days)) < len(days):
        raise ValueError("a day is named twice")
    return days


StartHour = Annotated[int, Field(ge=0, le=23, description="a whole number from 0 to 23")]
EndHour = Annotated[int, Field(ge=0, le=24, description="a whole number from 0 to 24")]
TradesPerDay = Annotated[
    int, Field(ge=0, le=MAX_TRADES_PER_DAY, description=f"a whole number from 0 to {MAX_TRADES_PER_DAY}")
]
_ZONE_RULE = "a time zone of the IANA database, such as Europe/Stockholm"
Zone = Annotated[str, Field(min_length=1, max_length=64, description=_ZONE_RULE), AfterValidator(_known_zone)]
WallTime = Annotated[
    str,
    Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="a time of day from 00:00 to 23:59, written HH:MM"),
]
EndOfDay = Annotated[
    str,
    Field(
        pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
        description="a time of day from 00:00 to 24:00, written HH:MM, other than the start",
    ),
]
Days = Annotated[
    tuple[Weekday, ...],
    Field(strict=False, min_length=1, description=f"a list of days, each once, of {', '.join(WEEKDAYS)}"),
    AfterValidator(_at_most_one_of_each),
]
Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    PlainSerializer(lambda at: at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")),
    Field(description="an instant with its offset, such as 2026-12-24T12:00:00+01:00"),
]
Why = Annotated[str, Field(min_length=1, max_length=200, description="a text of 1 to 200 characters")]
_LIMITS_RULE = (
    f'a table of at most {MAX_ROWS_OF_RULES} {{}} or "{EVERY_OTHER}" (each other one) '
    f"with a limit from 0 to {MAX_TRADES_PER_DAY}"
)
SymbolLimits = Annotated[
    dict[
        Annotated[str, Field(max_length=MAX_SYMBOL_CHARACTERS, pattern=rf"^({SYMBOL_PATTERN}|\*)$")],
        TradesPerDay,
    ],
    Field(max_length=MAX_ROWS_OF_RULES, description=_LIMITS_RULE.format("symbols such as BTC-USD")),
]
StrategyLimits = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=64)], TradesPerDay],
    Field(max_length=MAX_ROWS_OF_RULES, description=_LIMITS_RULE.format("names")),
]


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class WeeklyInterval(_Rule):
    """From `start` to before `end` by the wall clock, on each of `days`; with an end that isn't later than the start
    until that time of the next day."""

    days: Days = WEEKDAYS
    start: WallTime
    end: EndOfDay

    @model_validator(mode="after")
    def _has_a_length(self) -> "WeeklyInterval":
        if self.start == self.end:
            raise ValueError("start and end are the same")
        return self


class WeeklyBlackout(WeeklyInterval):
    """A repeating time without trades."""

    reason: Why


class Blackout(_Rule):
    """One time without trades, from `start` to before `end`."""

    start: Instant
    end: Instant
    reason: Why

    @model_validator(mode="after")
    def _has_a_length(self) -> "Blackout":
        if self.end <= self.start:
            raise ValueError("the end isn't after the start")
        return self


def _shown_as(description: str) -> Any:
    """What a field's document says; its own description goes on as its rule in an error's sentence."""
    return Field(json_schema_extra={"description": description})


_NOT_BESIDE_INTERVALS = "which is not in force while there are intervals"


class WindowConfig(BaseModel):
    """The rules of a trading window.

    The first four keys and their defaults are the legacy contract's: open while `start_hour <= hour < end_hour` in
    `timezone`; with start ≥ end never. `intervals`, where there are any, take the place of those two hours. `calendar`
    and the blackouts narrow what the hours allow. Limits count the trades of one trading day, which turns at the wall
    clock's `day_turns_at` in `day_timezone` (default: `timezone`), or with the calendar's session. A field's
    `description` is its rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    start_hour: Annotated[StartHour, _shown_as(f"a whole number from 0 to 23, {_NOT_BESIDE_INTERVALS}")] = 0
    end_hour: Annotated[EndHour, _shown_as(f"a whole number from 0 to 24, {_NOT_BESIDE_INTERVALS}")] = 24
    max_trades_per_day: TradesPerDay = 5
    timezone: Zone = "UTC"

    intervals: Annotated[
        tuple[WeeklyInterval, ...],
        Field(
            strict=False,
            max_length=MAX_ROWS_OF_RULES,
            description='a list of intervals, such as {"days": ["mon"], "start": "22:00", "end": "06:00"}, '
            "whose start and end differ",
        ),
        _shown_as(
            'a list of intervals, such as {"days": ["mon"], "start": "22:00", "end": "06:00"}, whose start and end '
            "differ; where there are any, they take the place of start_hour and end_hour"
        ),
    ] = ()
    calendar: Annotated[
        str | None,
        Field(
            max_length=32,
            pattern=r"^[A-Za-z0-9/_.-]+$",
            description="the code of a calendar that exchange_calendars knows, such as XSTO",
        ),
    ] = None
    blackouts: Annotated[
        tuple[Blackout, ...],
        Field(
            strict=False,
            max_length=MAX_ROWS_OF_RULES,
            description="a list of blackouts, each with a start and a later end, as instants with their offset, "
            "and a reason",
        ),
    ] = ()
    weekly_blackouts: Annotated[
        tuple[WeeklyBlackout, ...],
        Field(
            strict=False,
            max_length=MAX_ROWS_OF_RULES,
            description='a list of blackouts, such as {"days": ["fri"], "start": "16:55", "end": "17:05", '
            '"reason": "rollover"}, whose start and end differ',
        ),
    ] = ()
    day_turns_at: Annotated[
        str,
        Field(
            pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|session)$",
            description='a time of day from 00:00 to 23:59, written HH:MM, or "session" where a calendar is set',
        ),
    ] = "00:00"
    day_timezone: Annotated[Zone | None, Field(description=_ZONE_RULE)] = None
    symbol_limits: SymbolLimits = {}
    side_limits: Annotated[
        dict[Literal["buy", "sell", "*"], TradesPerDay],
        Field(description=f'a table of "buy", "sell" or "*" with a limit from 0 to {MAX_TRADES_PER_DAY}'),
    ] = {}
    strategy_limits: StrategyLimits = {}
    cooldown_seconds: Annotated[
        int, Field(ge=0, le=MAX_COOLDOWN_SECONDS, description=f"a whole number from 0 to {MAX_COOLDOWN_SECONDS}")
    ] = 0
    symbol_cooldown_seconds: Annotated[
        int, Field(ge=0, le=MAX_COOLDOWN_SECONDS, description=f"a whole number from 0 to {MAX_COOLDOWN_SECONDS}")
    ] = 0
    permit_seconds: Annotated[int, Field(ge=1, le=86_400, description="a whole number from 1 to 86400")] = 60
    in_doubt_after_seconds: Annotated[int, Field(ge=1, le=86_400, description="a whole number from 1 to 86400")] = 60
    confirm_while_halted: Annotated[bool, Field(description="true or false")] = True

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> "WindowConfig":
        """Raises InvalidField, which names the first wrong key, its value and its bound."""
        config = validated(cls, given)
        if config.day_turns_at == TURNS_WITH_SESSION and config.calendar is None:
            raise InvalidField("day_turns_at", config.day_turns_at, "possible without a calendar")
        return config

    def changed(self, changes: Mapping[str, Any]) -> "WindowConfig":
        """This config with some keys replaced, validated whole. Raises InvalidField."""
        return self.parse({**self.model_dump(), **changes})

    def legacy_keys(self) -> dict[str, Any]:
        """The part that the legacy contract shows."""
        return {key: getattr(self, key) for key in LEGACY_KEYS}

    @cached_property
    def beyond_legacy(self) -> tuple[str, ...]:
        """The keys by which a trade is judged otherwise than the legacy arithmetic does, in this class's order."""
        return tuple(name for name in self._own_keys() if name not in PERMIT_KEYS)

    def to_json(self) -> dict[str, Any]:
        """JSON values: the legacy keys, and the others where they aren't the default. `parse` takes it back."""
        return self.model_dump(mode="json", include={*LEGACY_KEYS, *self._own_keys()})

    def in_words(self) -> str:
        """For a person, such as `08:00 to 16:00 UTC, at most 5 entries a day`."""
        hours = "its own intervals" if self.intervals else f"{self.start_hour:02}:00 to {self.end_hour:02}:00"
        own = [name for name in self.beyond_legacy if name != "intervals"]
        more = f"; also {', '.join(own)}" if own else ""
        return f"{hours} {self.timezone}, at most {self.max_trades_per_day} entries a day{more}"

    def _own_keys(self) -> tuple[str, ...]:
        return tuple(
            name
            for name, field in type(self).model_fields.items()
            if name not in LEGACY_KEYS and getattr(self, name) != field.default
        )
