import logging
import multiprocessing
import os
import re
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from fastapi_app.cutover.api.token import admin_token
from shared.errors import SettingsError

GIVEN = "a-token-of-at-least-thirty-two-characters"


def kept(path: Path, text: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(text)
    path.chmod(mode)
    return path


def test_the_first_start_makes_a_token_that_is_its_owner_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "var" / "admin-token"

    token = admin_token(path)

    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token)
    assert path.read_text() == f"{token}\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_generous_umask_makes_no_generous_file(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        admin_token(tmp_path / "admin-token")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "admin-token").stat().st_mode) == 0o600


def test_later_starts_read_the_same_token(tmp_path: Path) -> None:
    assert admin_token(tmp_path / "admin-token") == admin_token(tmp_path / "admin-token")


def test_two_files_hold_two_tokens(tmp_path: Path) -> None:
    assert admin_token(tmp_path / "one") != admin_token(tmp_path / "other")


def test_processes_that_start_at_once_end_with_one_token(tmp_path: Path) -> None:
    paths = [tmp_path / f"token-{number}" for number in range(50)]
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("fork")) as processes:
        for path in paths:
            tokens = set(processes.map(admin_token, [path] * 8))
            assert tokens == {path.read_text().strip()}
    assert sorted(tmp_path.iterdir()) == sorted(paths)


@pytest.mark.parametrize("text", [f"{GIVEN}", f"{GIVEN}\n", f"  {GIVEN}\r\n"])
def test_a_token_may_be_an_operator_s_own(tmp_path: Path, text: str) -> None:
    assert admin_token(kept(tmp_path / "token", text.encode(), 0o400)) == GIVEN


def test_the_path_may_be_a_link_to_the_file(tmp_path: Path) -> None:
    kept(tmp_path / "secret", GIVEN.encode())
    (tmp_path / "token").symlink_to(tmp_path / "secret")
    assert admin_token(tmp_path / "token") == GIVEN


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o644])
def test_a_file_that_others_have_rights_to_is_refused(tmp_path: Path, mode: int) -> None:
    path = kept(tmp_path / "token", GIVEN.encode(), mode)
    with pytest.raises(SettingsError) as refused:
        admin_token(path)
    assert str(refused.value) == (
        f"the admin token's file {path} is open to others than its owner (its mode is {mode:04o}, not 0600): "
        "take their rights away, and remove the file if they may have read it"
    )


@pytest.mark.parametrize(
    "text",
    [b"", b"\n", b"x" * 31, b"x" * 1_025, b"x" * 40 + b" " + b"y" * 40, b"\xff" * 40, "ü".encode() * 40],
    ids=["empty", "blank", "short", "long", "two words", "not UTF-8", "not ASCII"],
)
def test_a_file_without_a_token_is_refused_and_left_alone(tmp_path: Path, text: bytes) -> None:
    path = kept(tmp_path / "token", text)
    with pytest.raises(SettingsError) as refused:
        admin_token(path)
    assert str(refused.value) == (
        f"the admin token's file {path} holds no token of 32 to 1024 visible ASCII characters: "
        "remove the file, and the next start makes one"
    )
    assert path.read_bytes() == text


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=f"^the admin token's path {re.escape(str(tmp_path))} is not that of a file$"
    ):
        admin_token(tmp_path)


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "token", 0o600)
    with pytest.raises(SettingsError, match=r"is not that of a file$"):
        admin_token(tmp_path / "token")


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "token").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match=r"can't be read or made: No such file or directory$"):
        admin_token(tmp_path / "token")


def test_a_directory_that_can_t_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"token can't be read or made: Not a directory$"):
        admin_token(tmp_path / "file" / "token")


def test_a_file_that_can_t_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "token").symlink_to(tmp_path / "token")
    with pytest.raises(SettingsError, match=r"token can't be read or made: Too many levels of symbolic links$"):
        admin_token(tmp_path / "token")


def test_no_log_line_and_no_error_shows_a_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        token = admin_token(tmp_path / "token")
        (tmp_path / "token").chmod(0o644)
        with pytest.raises(SettingsError) as open_to_others:
            admin_token(tmp_path / "token")
        with pytest.raises(SettingsError) as no_token:
            admin_token(kept(tmp_path / "two-words", f"{token} {GIVEN}".encode()))
    assert token not in caplog.text
    assert token not in f"{open_to_others.value!r}{no_token.value!r}"
