"""Where settings come from: a TOML file and the environment, each as plain values by section and key."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from shared.errors import SettingsError

PREFIX = "TRADEWINDOW_"
DELIMITER = "__"
CONFIG_VARIABLE = f"{PREFIX}CONFIG"


def read_toml(path: Path) -> dict[str, Any]:
    """The file's values. Raises SettingsError, which names the file and, where it is broken, the line."""
    try:
        return tomllib.loads(path.read_bytes().decode())
    except OSError as exc:
        raise SettingsError(f"the config file {path} can't be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        line = exc.object.count(b"\n", 0, exc.start) + 1
        raise SettingsError(f"the config file {path} is not UTF-8 (at line {line})") from exc
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise SettingsError(f"the config file {path} is not TOML: {exc}") from exc


def variable_of(section: str, key: str) -> str:
    return f"{PREFIX}{section}{DELIMITER}{key}".upper()


def read_environment(settings: type[BaseSettings], environ: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """What the environment sets. Raises SettingsError for a variable that has our prefix and no meaning.

    A text becomes the number or flag that its key takes, or the value of its JSON where the key takes many; one that
    can't stays a text, for the key's own rule to refuse.
    """
    fields = {
        variable_of(section, key): (section, key, field)
        for section in settings.model_fields
        for key, field in keys_of(settings, section).items()
    }
    given = {name.upper(): text for name, text in environ.items() if name.upper().startswith(PREFIX)}
    given.pop(CONFIG_VARIABLE, None)
    for name in sorted(given.keys() - fields.keys()):
        raise SettingsError(_unknown_variable(name, [*fields, CONFIG_VARIABLE]))
    source = _Environment(settings, env_prefix=PREFIX, env_nested_delimiter=DELIMITER)
    source.env_vars = {name.lower(): text for name, text in given.items()}
    values: dict[str, dict[str, Any]] = source()
    for section, key, field in map(fields.__getitem__, given):
        values[section][key] = _typed(field, values[section][key])
    return values


def keys_of(settings: type[BaseSettings], section: str) -> dict[str, FieldInfo]:
    """The keys of one section, and what each takes."""
    fields: dict[str, FieldInfo] = getattr(settings.model_fields[section].annotation, "model_fields", {})
    return fields


class _Environment(EnvSettingsSource):
    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            return value


def _typed(field: FieldInfo, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    kind = cast("type[Any]", field.annotation)
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return value


def _unknown_variable(name: str, known: Iterable[str]) -> str:
    suffixes = [variable.removeprefix(PREFIX) for variable in known]
    close = difflib.get_close_matches(name.removeprefix(PREFIX), suffixes, n=1)
    return f"{name}: no setting has this name" + (f"; is it {PREFIX}{close[0]}?" if close else "")
