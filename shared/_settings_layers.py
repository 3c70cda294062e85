"""The settings' sources, one over the other: what wins, and where a wrong value came from."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, SecretStr, ValidationError

from shared._settings_sources import variable_of
from shared.errors import InvalidField, SettingsError
from shared.fields import validated


class Layer(NamedTuple):
    """One source of values, by section and key; later layers win. Origin None is the environment."""

    values: Mapping[str, Any]
    origin: str | None


def section_of(name: str, model: type[BaseModel], layers: Sequence[Layer]) -> Any:
    """The section as its model. Raises SettingsError with one sentence, which ends with where the value came from."""
    given: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for layer in layers:
        values = layer.values.get(name, {})
        if not isinstance(values, Mapping):
            raise SettingsError(f"{InvalidField(name, values, 'a table of keys')} (from {layer.origin})")
        if layer.origin is not None:
            _refuse_secrets(name, model, values, layer.origin)
        given |= values
        origins |= {key: layer.origin or variable_of(name, key) for key in values}
    try:
        return validated(model, given)
    except InvalidField as exc:
        told = InvalidField(f"{name}.{exc.field}", _wrong_part(exc), exc.rule)
        raise SettingsError(f"{told} (from {origins[exc.field]})") from exc


def _refuse_secrets(name: str, model: type[BaseModel], values: Mapping[str, Any], origin: str) -> None:
    """What lies in a file, or on a command line, is read by others. The sentence doesn't show it either."""
    for key in values:
        if key in model.model_fields and model.model_fields[key].annotation == SecretStr | None:
            raise SettingsError(
                f"{name}.{key} is taken from the environment alone, as {variable_of(name, key)} (from {origin})"
            )


def _wrong_part(error: InvalidField) -> Any:
    """The value that breaks the rule; of a table, the first entry that does."""
    if isinstance(error.value, Mapping) and isinstance(error.__cause__, ValidationError):
        for field, *inner in (problem["loc"] for problem in error.__cause__.errors()):
            if field == error.field and inner:
                return {inner[0]: error.value[inner[0]]}
    return error.value
