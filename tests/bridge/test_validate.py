"""The whole suite of cases with wsgiref.validate between the bridge and the app, which must have nothing to say."""

from pathlib import Path

from tests.bridge.cases import CASES
from tests.bridge.servers import bridge
from tests.bridge.test_fidelity import assert_faithful
from tests.e2e.servers import Server


def test_the_validator_is_silent(under_gunicorn: Server, folder: Path) -> None:
    with bridge(folder, "httptools", validate=True) as validated:
        for case in CASES:
            if case.conforming:
                assert_faithful(case, "httptools", under_gunicorn, validated)
        # What it objects to, it raises in the app's thread or writes to wsgi.errors.
        for word in ("AssertionError", "WSGIWarning", "garbage collected without being closed"):
            assert word not in validated.output


def test_the_validator_speaks_up(folder: Path, under_gunicorn: Server) -> None:
    (case,) = [case for case in CASES if case.name == "called-twice"]
    with bridge(folder, "httptools", validate=True) as validated:
        assert_faithful(case, "httptools", under_gunicorn, validated)
        assert "AssertionError" in validated.output
