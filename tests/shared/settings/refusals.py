"""How settings are refused: the sentence of an environment, and that of a file."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from shared.errors import SettingsError
from shared.settings import load_settings


def refusal(environ: Mapping[str, str], config_file: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(config_file, environ)
    return str(caught.value)


def refusal_of_file(toml: str | bytes) -> str:
    path = Path("given.toml")
    path.write_bytes(toml.encode() if isinstance(toml, str) else toml)
    return refusal({}, path)
