"""`tradewindow cutover mismatches ID --as-test`: it takes the names that `cutover serve` takes. The shop is that of
docs/effects.md."""

import ast
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import fastapi
import flask
import pytest
from typer.testing import CliRunner

from fastapi_app.cli.commands import app
from fastapi_app.cutover.comparing.observation import Difference, Observation, SeenAnswer, SeenRequest
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from fastapi_app.cutover.suite import parity
from tests.documented import EFFECTS, write_modules
from tests.fastapi_app.cli.cutover.commands import WRONG_PRICE, output, refusal, run
from tests.fastapi_app.cutover.store.helpers import INSTANT, INVENTORY, migrated, mismatch

pytest_plugins = ["pytester"]

# pytester forgets what a suite has imported; to import these once and not for each suite takes a second less each.
PRELOADED = (fastapi, flask, parity)

FORGOTTEN_CASE = replace(
    mismatch("POST /orders"),
    request=SeenRequest(
        method="POST",
        path="/orders",
        headers=(("content-type", "application/json"),),
        body=b'{"to": "Ada@Example.org"}',
    ),
    primary=Observation(side="legacy", answer=SeenAnswer(status=200)),
    candidate=Observation(side="native", answer=SeenAnswer(status=200)),
    differences=(Difference(path="effects.sent[0].to", primary="ada@example.org", candidate="Ada@Example.org"),),
    recording={"notes": [{"to": "ada@example.org", "text": "Thank you", "answer": "mail-1"}]},
)

IN_OTHER_FORMS = """
class Apps:
    old = old

def create_old(name="shop"):
    print("the old shop opens")
    return old

def create_new():
    return new
"""

MENDED = ("send(to, ", "send(to.lower(), ")


@pytest.fixture
def shop(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.Pytester]:
    """Its modules, in the working directory."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    write_modules(pytester.path)
    with Path("shop.py").open("a") as file:
        file.write(IN_OTHER_FORMS)
    with Path("shop_effects.py").open("a") as file:
        file.write("\nrecorder = MailEffects()\n\ndef make():\n    return recorder\n")
    with Path("meant.py").open("a") as file:
        file.write("\ndef rules():\n    return ACCEPTED\n")
    yield pytester
    forget_the_shop()


def forget_the_shop() -> None:
    for name in ("meant", "shop", "shop_effects"):
        sys.modules.pop(name, None)


def outcome(shop: pytest.Pytester, code: str, *, mended: bool) -> pytest.RunResult:
    shop.makepyfile(test_case=code)
    if mended:
        file = Path("shop.py")
        file.write_text(file.read_text().replace(*MENDED))
    forget_the_shop()
    return shop.runpytest("-p", "no:hypothesispytest", "--tb=short")


def test_the_documented_command_makes_a_test_that_sends_nothing(
    shop: pytest.Pytester, store: SQLiteCutoverStore
) -> None:
    store.add_evidence({}, [FORGOTTEN_CASE])
    (shown,) = re.findall(r"^tradewindow cutover (mismatches .*?) > ", EFFECTS, re.MULTILINE | re.DOTALL)
    words = shlex.split(shown.replace("\\\n", ""))
    del words[words.index("--state") : words.index("--state") + 2]
    code = output(store, *words)
    wrong = outcome(shop, code, mended=False)
    wrong.assert_outcomes(failed=1)
    wrong.stdout.fnmatch_lines(["E     effects.sent[[]0[]].to: legacy 'ada@example.org', native 'Ada@Example.org'"])
    outcome(shop, code, mended=True).assert_outcomes(passed=1)
    assert not Path("sent.txt").exists()


@pytest.mark.parametrize(
    ("legacy", "native", "effects", "accepted"),
    [
        ("shop:Apps.old", "shop:new", "shop_effects:recorder", "meant:ACCEPTED"),
        ("shop:create_old", "shop:create_new", "shop_effects:MailEffects", "meant:rules"),
        ("shop:create_old('shop')", "shop:create_new()", "shop_effects:make", "meant:rules()"),
    ],
    ids=["objects", "factories and a class", "calls"],
)
def test_each_form_that_is_served_makes_a_test_that_works(
    shop: pytest.Pytester, store: SQLiteCutoverStore, legacy: str, native: str, effects: str, accepted: str
) -> None:
    store.add_evidence({}, [FORGOTTEN_CASE])
    names = ["--legacy", legacy, "--native", native, "--effects", effects, "--accepted", accepted]
    result = run("mismatches", "1", "--as-test", *names, "--state", str(store.path))
    assert result.exit_code == 0, result.stderr
    # What an app prints as it is loaded is no part of the test.
    ast.parse(result.stdout)
    wrong = outcome(shop, result.stdout, mended=False)
    wrong.assert_outcomes(failed=1)
    wrong.stdout.fnmatch_lines(["E     effects.sent*"])
    outcome(shop, result.stdout, mended=True).assert_outcomes(passed=1)


@pytest.mark.usefixtures("shop")
def test_a_mismatch_with_a_recording_needs_the_effects(store: SQLiteCutoverStore) -> None:
    store.add_evidence({}, [FORGOTTEN_CASE])
    names = ["--legacy", "shop:old", "--native", "shop:new", "--state", str(store.path)]
    assert refusal("mismatches", "1", "--as-test", *names, exit_code=2) == (
        "mismatch 1 has a recording, and without it its test would do for real what was recorded: "
        "give --effects MODULE:NAME, as it was given to `tradewindow cutover serve`"
    )


@pytest.mark.usefixtures("shop")
def test_one_without_a_recording_needs_none(store: SQLiteCutoverStore) -> None:
    store.add_evidence({}, [mismatch("GET /items/<int:item_id>")])
    code = output(store, "mismatches", "1", "--as-test", "--legacy", "shop:old", "--native", "shop:create_new")
    ast.parse(code)
    assert "from shop import old as legacy_app\n" in code
    assert "from shop import create_new as native_app\n" in code
    assert "    pair = parity(legacy=lambda: legacy_app, native=native_app)\n" in code


def test_this_product_has_effects_of_its_own() -> None:
    Path("var").mkdir()
    own = SQLiteCutoverStore(migrated(Path("var/cutover.sqlite3")))
    own.register(INVENTORY, {}, at=INSTANT)
    own.add_evidence({}, [replace(WRONG_PRICE, recording={"a": 1})])
    own.close()
    test = run("mismatches", "1", "--as-test").stdout
    ast.parse(test)
    for line in (
        "from fastapi_app.sides import native as native_app",
        "from fastapi_app.sides import legacy as legacy_app",
        "from fastapi_app.sides import effects",
        "from fastapi_app.accepted_differences import ACCEPTED_DIFFERENCES as ACCEPTED",
        "        recording=RECORDING,",
    ):
        assert f"{line}\n" in test


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("option", "name", "sentence"),
    [
        ("--legacy", "nope:nope", "no module 'nope' in {folder} or among what is installed"),
        ("--legacy", "shop:nope", "the module shop has no nope"),
        ("--legacy", "shop:new", "shop:new is an ASGI app, and a WSGI app is needed"),
        ("--native", "shop.nope:app", "no module 'shop.nope' in {folder} or among what is installed"),
        ("--native", "app", "'app' is not of the form module:app or module:make_app()"),
        ("--effects", "shop_effects:Nope", "the module shop_effects has no Nope"),
        (
            "--effects",
            "shop:Mailer",
            "shop:Mailer records no effects (Mailer): it needs async def record(self, scope)",
        ),
        ("--accepted", "meant:NONE", "the module meant has no NONE"),
    ],
)
def test_a_name_is_refused_as_it_is_by_serve(store: SQLiteCutoverStore, option: str, name: str, sentence: str) -> None:
    store.add_evidence({}, [FORGOTTEN_CASE])
    given = {"--native": "shop:new", "--legacy": "shop:old", "--effects": "shop_effects:MailEffects", option: name}
    names = [word for pair in given.items() for word in pair]
    assert refusal("mismatches", "1", "--as-test", *names, "--state", str(store.path)) == (
        f"{option}: {sentence.format(folder=Path.cwd())}"
    )


@pytest.mark.parametrize("names", [[], ["--native", "shop:new"], ["--legacy", "shop:old"]])
def test_another_state_says_nothing_of_where_its_two_apps_are(store: SQLiteCutoverStore, names: list[str]) -> None:
    store.add_evidence({}, [FORGOTTEN_CASE])
    assert refusal("mismatches", "1", "--as-test", *names, "--state", str(store.path), exit_code=2) == (
        "a test of other apps needs --legacy and --native MODULE:APP, as they were given to `tradewindow cutover serve`"
    )


@pytest.mark.usefixtures("shop")
def test_an_app_without_both_sides_needs_the_other_one() -> None:
    Path("var").mkdir()
    own = SQLiteCutoverStore(migrated(Path("var/cutover.sqlite3")))
    own.register(INVENTORY, {}, at=INSTANT)
    own.add_evidence({}, [WRONG_PRICE])
    own.close()
    assert refusal("mismatches", "1", "--as-test", "--native", "shop:new", exit_code=2) == (
        "shop:new has not both sides, as its attributes legacy and native: give --legacy, too"
    )


def test_the_help_of_both_commands_says_the_same() -> None:
    shown = [
        " ".join(CliRunner().invoke(app, ["cutover", name, "--help"]).stdout.replace("│", " ").split())
        for name in ("serve", "mismatches")
    ]
    for line in (
        "--legacy MODULE:APP The WSGI app that is to be replaced, or what makes it.",
        "--native MODULE:APP The ASGI app that replaces it, or what makes it.",
        "--accepted MODULE:NAME The differences that are meant: a list of AcceptedDifference, or what makes it.",
        "--effects MODULE:NAME What records the effects of both apps, or what makes it.",
    ):
        assert [line in each.replace("* --legacy", "--legacy") for each in shown] == [True, True], line
