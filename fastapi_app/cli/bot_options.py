"""What the bot's commands are told on the command line, and how they end where it can't be done."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from shared.entry import CANT_START_EXIT_CODE
from shared.errors import BrokenStrategy, InvalidField, SettingsError, TradingWindowError, UnknownStrategy
from shared.settings import Settings, load_settings

_STRATEGY = re.compile(r"[^:=,\s]+(:[^=,\s]+=[^,\s]*(,[^=,\s]+=[^,\s]*)*)?")
_DECIMAL = re.compile(r"-?[0-9]{1,18}\.[0-9]{1,18}")
_WHOLE = re.compile(r"-?[0-9]{1,18}")


def _strategy(given: str) -> str:
    if not _STRATEGY.fullmatch(given):
        raise typer.BadParameter(
            f"{given!r} is not a name, or a name and parameters: rsi, or rsi:period=14,oversold=25"
        )
    return given


Strategies = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy",
        parser=_strategy,
        metavar="NAME[:KEY=VALUE,...]",
        help="A strategy with its parameters, such as rsi:period=14,oversold=25; may be given again, and the first "
        "that wants to enter holds the symbol (bot.strategies).",
    ),
]


def strategies_of(given: Sequence[str] | None) -> dict[str, dict[str, Any]] | None:
    """By name, as `bot.strategies` takes them; None where the settings have the word. Raises SettingsError."""
    if not given:
        return None
    strategies: dict[str, dict[str, Any]] = {}
    for text in given:
        name, _, rest = text.partition(":")
        if name in strategies:
            raise SettingsError(f"--strategy: {name} is given twice, and a bot has each strategy once")
        pairs = [pair.partition("=") for pair in rest.split(",")] if rest else []
        strategies[name] = {key: _value(value) for key, _, value in pairs}
    return strategies


def settings_of(config: Path | None, options: Mapping[str, Mapping[str, Any]]) -> Settings:
    """The process's settings under what was given on the command line, whose Nones say nothing. The strategies are
    tried. Raises SettingsError."""
    from shared.bot.strategy_set import StrategySet  # noqa: PLC0415 - what the bot decides by, which `--help` doesn't need

    given = {
        section: {key: value for key, value in values.items() if value is not None}
        for section, values in options.items()
    }
    settings = load_settings(config, options=given)
    for name, parameters in settings.bot.strategies.items():
        try:
            StrategySet(settings.bot.model_copy(update={"strategies": {name: parameters}}))
        except (UnknownStrategy, BrokenStrategy) as exc:
            raise SettingsError(f"bot.strategies: {exc}") from exc
        except InvalidField as exc:
            raise SettingsError(f"bot.strategies: {name}: {exc}") from exc
    return settings


@contextmanager
def ends_with_a_sentence() -> Iterator[None]:
    """What the operator must mend becomes a sentence on stderr and the exit code of a command that can't start."""
    try:
        yield
    except TradingWindowError as exc:
        end(str(exc))


def end(sentence: str, code: int = CANT_START_EXIT_CODE) -> NoReturn:
    typer.echo(f"tradewindow bot: {sentence}", err=True)
    raise typer.Exit(code)


def _value(text: str) -> Any:
    """A number where it reads as one; decimals stay exact."""
    if text in ("true", "false"):
        return text == "true"
    if _WHOLE.fullmatch(text):
        return int(text)
    return Decimal(text) if _DECIMAL.fullmatch(text) else text
