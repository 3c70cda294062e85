"""The admin token: who holds it may move endpoints and read the evidence."""

import os
import re
import secrets
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from shared.errors import SettingsError

MIN_CHARACTERS = 32
MAX_CHARACTERS = 1_024

_TOKEN = re.compile(rb"[!-~]{%d,%d}" % (MIN_CHARACTERS, MAX_CHARACTERS))


def admin_token(path: Path) -> str:
    """The token in the file, which is made where there is none yet; of processes that start at once one makes it.

    The token is `MIN_CHARACTERS` to `MAX_CHARACTERS` visible ASCII characters; white space around it doesn't count.
    Raises SettingsError for a file that can't be read or made, that others than its owner have rights to, or that
    holds no such token. No error and no log line shows what the file holds.
    """
    try:
        try:
            return _read(path)
        except FileNotFoundError:
            _make(path)
            return _read(path)
    except OSError as exc:
        raise SettingsError(f"the admin token's file {path} can't be read or made: {exc.strerror}") from exc


def _read(path: Path) -> str:
    # Opened, then looked at, so that it can't be swapped in between; a pipe that nobody writes to must not block.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SettingsError(f"the admin token's path {path} is not that of a file")
        rights = stat.S_IMODE(status.st_mode)
        if rights & 0o077:
            raise SettingsError(
                f"the admin token's file {path} is open to others than its owner (its mode is {rights:04o}, not 0600): "
                "take their rights away, and remove the file if they may have read it"
            )
        text = os.read(descriptor, MAX_CHARACTERS + 1_024).strip()
    finally:
        os.close(descriptor)
    if not _TOKEN.fullmatch(text):
        raise SettingsError(
            f"the admin token's file {path} holds no token of {MIN_CHARACTERS} to {MAX_CHARACTERS} visible ASCII "
            "characters: remove the file, and the next start makes one"
        )
    return text.decode()


def _make(path: Path) -> None:
    """Writes the token beside the path and links it there, so that nobody finds a file without one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Such a file is new, for sure, and its owner's alone.
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f".{path.name}.") as file:
        file.write(f"{secrets.token_urlsafe(32)}\n")
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was faster, and its token stays
            os.link(file.name, path)
