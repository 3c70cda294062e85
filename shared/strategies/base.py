"""What a strategy is: a small class that is given one candle after the other and answers with signals."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticUndefined

from shared.candle import Candle
from shared.clock import aware, utc_text
from shared.errors import InvalidField
from shared.fields import validated

Direction = Literal["long", "short"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Signal:
    """What a strategy reads out of the market; it knows of no position, window or money.

    To enter long also means to leave a short position, and the other way round. To exit means to leave a position of
    `direction`, if there is one, and to open none.
    """

    action: Literal["enter", "exit"]
    direction: Direction
    reason: str
    """A sentence for people."""
    timestamp: datetime
    """When the candle that gave it opened."""
    price: Decimal
    """That candle's close."""


class StrategyParameters(BaseModel):
    """What every strategy can be told; one with parameters of its own extends it. A field's `description` is its rule.

    With the direction `long`, a turn downwards exits and enters nothing; with `short`, a turn upwards does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    direction: Annotated[Literal["long", "short", "both"], Field(description='"long", "short" or "both"')] = "both"

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> Self:
        """JSON values, where a Decimal may stand for a number. Raises InvalidField, which names the first wrong field,
        its value and its bound."""
        # An error about a default, such as one that doesn't fit a given field, then names its value, too.
        fields = cls.model_fields.items()
        defaults = {name: field.default for name, field in fields if field.default is not PydanticUndefined}
        return validated(cls, {**defaults, **given})


ParametersT = TypeVar("ParametersT", bound=StrategyParameters)


class Strategy(ABC, Generic[ParametersT]):
    """One strategy on one market: give it every closed candle of one symbol and timeframe, oldest first.

    A subclass sets `name` and `parameters_class`, and writes `warm_up`, `step`, `state` and `set_state`. It does no
    I/O, reads no clock and draws no random numbers, so that the same candles give the same signals.
    """

    name: ClassVar[str]
    """By which the registry knows it; the same as its entry point's."""
    parameters_class: ClassVar[type[StrategyParameters]]
    heavy: ClassVar[bool] = False
    """Whether a candle may take more than a millisecond: the new bot then asks it in a thread, off its event loop."""

    def __init__(self, parameters: ParametersT) -> None:
        self.parameters = parameters
        self._parameters_json = parameters.model_dump(mode="json")
        self.last_timestamp: datetime | None = None
        """That of the newest candle; None before the first."""

    @classmethod
    def of(cls, parameters: Mapping[str, Any]) -> Self:
        """One with these parameters, and the defaults of the others. Raises InvalidField."""
        return cls(cast(ParametersT, cls.parameters_class.parse(parameters)))

    @property
    @abstractmethod
    def warm_up(self) -> int:
        """How many candles pass without a signal at least: the next one can give the first."""

    @abstractmethod
    def step(self, candle: Candle) -> Signal | None:
        """Takes in a candle that is newer than all before."""

    def standing(self, candle: Candle) -> Signal | None:  # noqa: ARG002 - for those that have an answer
        """What it would be in for the trend under way at `candle`, the newest one that it was given: the bot asks at
        its first start. None, as here, for a strategy that acts on turns alone."""
        return None

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """All that `step` remembers, as new JSON values."""

    @abstractmethod
    def set_state(self, state: Mapping[str, Any]) -> None:
        """Takes back what `state` gave."""

    def on_candle(self, candle: Candle) -> Signal | None:
        """Raises InvalidField, and takes nothing in, for a candle that isn't newer than the last one."""
        last = self.last_timestamp
        if last is not None and candle.timestamp <= last:
            rule = f"later than the last candle's, {utc_text(last)}"
            raise InvalidField("timestamp", utc_text(candle.timestamp), rule)
        signal = self.step(candle)
        self.last_timestamp = candle.timestamp
        return signal

    def snapshot(self) -> dict[str, Any]:
        """JSON values with which another instance goes on as if it were this one."""
        return {
            "strategy": self.name,
            "parameters": dict(self._parameters_json),
            "last_timestamp": None if self.last_timestamp is None else utc_text(self.last_timestamp),
            "state": self.state(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Goes on where the snapshot was taken.

        Raises InvalidField for one of another strategy, of other parameters, or damaged; after that use a new instance.
        """
        given = dict(snapshot)
        if given.get("strategy") != self.name:
            raise InvalidField("strategy", given.get("strategy"), f"{self.name}, whose snapshot it has to be")
        try:
            parameters = self.parameters_class.parse(given["parameters"])
            last = given["last_timestamp"]
            self.last_timestamp = None if last is None else aware(datetime.fromisoformat(last))
            self.set_state(given["state"])
        except (LookupError, TypeError, ValueError, ArithmeticError) as exc:
            raise InvalidField("snapshot", given, f"one that {self.name} has taken") from exc
        for name, own in self.parameters:
            if (theirs := getattr(parameters, name)) != own:
                raise InvalidField(name, theirs, f"{own}, with which the strategy runs")

    def turned_up(self, candle: Candle, reason: str) -> Signal:
        """The signal, by the direction that is traded, when prices are expected to rise."""
        if self.parameters.direction == "short":
            return _signal("exit", "short", candle, reason)
        return _signal("enter", "long", candle, reason)

    def turned_down(self, candle: Candle, reason: str) -> Signal:
        """The signal, by the direction that is traded, when prices are expected to fall."""
        if self.parameters.direction == "long":
            return _signal("exit", "long", candle, reason)
        return _signal("enter", "short", candle, reason)


def _signal(action: Literal["enter", "exit"], direction: Direction, candle: Candle, reason: str) -> Signal:
    return Signal(action=action, direction=direction, reason=reason, timestamp=candle.timestamp, price=candle.close)
