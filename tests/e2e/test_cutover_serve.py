"""A public Flask app and a few of its routes rewritten, and other pairs, behind `tradewindow cutover serve`."""

import http.client
import json
import os
import re
import shlex
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from tests.bridge.servers import ROOT
from tests.documented import EFFECTS, write_modules
from tests.e2e.servers import BIN, DEADLINE_SECONDS, HOST, Server, free_port, wait_for

TRADEWINDOW = str(BIN / "tradewindow")
LEGACY = "httpbin:app"
NATIVE = "tests.fastapi_app.cutover.httpbin_native:app"
PAIRED = {"GET /base64/<value>", "GET /bearer", "GET /user-agent"}
STATE = Path("var") / "cutover-httpbin.sqlite3"

# In base64 for URLs, "-" and "_" stand for what is "+" and "/" elsewhere.
RIGHT = [
    ("/user-agent", {"User-Agent": "a bot"}),
    ("/bearer", {"Authorization": "Bearer a-token"}),
    ("/bearer", {}),
    ("/base64/SFRUUEJJTiBpcyBhd2Vzb21l", {}),
    ("/base64/none", {}),
]
WRONG = "/base64/w7_Dvw=="
EXPECTED = {*((name, "match") for name in PAIRED), ("GET /base64/<value>", "mismatch")}


class Answer(NamedTuple):
    status: int
    side: str | None
    body: bytes


def get(server: Server, path: str, **headers: str) -> Answer:
    return ask(server, "GET", path, headers=headers)


def ask(server: Server, method: str, path: str, *, headers: dict[str, str], body: str | None = None) -> Answer:
    connection = http.client.HTTPConnection(HOST, server.port, timeout=DEADLINE_SECONDS)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers["X-Cutover-Side"], response.read())
    finally:
        connection.close()


def command(folder: Path, *arguments: str, state: Path = STATE) -> Any:
    """What `tradewindow cutover` prints as JSON, of another process."""
    result = subprocess.run(
        [TRADEWINDOW, "cutover", *arguments, "--state", str(state), "--json"],
        cwd=folder,
        env=inherited(),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def inherited() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("TRADEWINDOW_")}


def told(server: Server) -> dict[str, str]:
    """What the announcement says, by its labels."""
    lines = (line for line in server.stdout.splitlines() if line.startswith("  ") and line[2] != " ")
    return dict(line.split(maxsplit=1) for line in lines)


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    port = free_port()
    command = [TRADEWINDOW, "cutover", "serve", "--port", str(port), *options]
    server = Server(command, port=port, folder=folder, environ={"PYTHONPATH": str(ROOT), "NO_COLOR": "1"})
    server.launch()
    try:
        wait_for(lambda: answers(server), "the server answers")
        yield server
    except BaseException as exc:
        exc.add_note(f"the server printed:\n{server.output[-4000:]}")
        raise
    finally:
        server.leave_nothing_behind()


def answers(server: Server) -> bool:
    try:
        get(server, "/")
    except OSError:
        return False
    return True


def test_shadow_traffic_finds_the_one_that_was_rewritten_wrongly(tmp_path: Path) -> None:
    with serving(tmp_path, "--legacy", LEGACY, "--native", NATIVE) as server:
        facts = told(server)
        assert facts["address"] == f"http://{HOST}:{server.port}"
        assert facts["endpoints"] == "82: 3 on both sides, 79 on legacy alone, 0 on native alone"
        assert facts["findings"].startswith("79 endpoints have no native twin: ")
        assert facts["state"] == str(tmp_path / STATE)
        assert facts["next"] == f"tradewindow cutover list --state {tmp_path / STATE}"
        assert Path(facts["token"]).stat().st_mode & 0o777 == 0o600

        listed = command(tmp_path, "list")["endpoints"]
        assert {each["name"] for each in listed if each["sides"] == ["legacy", "native"]} == PAIRED
        command(tmp_path, "set", *sorted(PAIRED), "shadow", "--reason", "first look")
        wait_for(lambda: sent(server) and outcomes(tmp_path) == EXPECTED, "each of them was compared")

    found = command(tmp_path, "mismatches")["mismatches"]
    assert {mismatch["endpoint"] for mismatch in found} == {"GET /base64/<value>"}
    shown = command(tmp_path, "mismatches", str(found[0]["id"]))
    assert shown["request"]["path"] == WRONG
    assert [difference["path"] for difference in shown["differences"]] == ["body"]


def sent(server: Server) -> bool:
    """Each of the requests, whose answers are httpbin's."""
    for path, headers in RIGHT:
        assert get(server, path, **headers).side == "legacy"
    return get(server, WRONG) == Answer(200, "legacy", "ÿÿ".encode())


def outcomes(folder: Path) -> set[tuple[str, str]]:
    return {(endpoint, outcome) for endpoint, outcome, _ in counts(folder / STATE)}


def counts(state: Path) -> dict[tuple[str, str, str], int]:
    """By endpoint, outcome and reason."""
    store = SQLiteCutoverStore(state)
    try:
        return {(key.endpoint, key.outcome, key.reason): count for key, count in store.counts().items()}
    finally:
        store.close()


def documented(folder: Path) -> list[str]:
    """Puts the modules that README.md and docs/effects.md show into the folder. The options of the command there."""
    write_modules(folder)
    (served,) = re.findall(r"^tradewindow cutover serve (.*)", EFFECTS, re.MULTILINE)
    return shlex.split(served)


def order(server: Server, to: str) -> Answer:
    return ask(server, "POST", "/orders", headers={"Content-Type": "application/json"}, body=json.dumps({"to": to}))


def test_what_is_meant_is_accepted_and_writes_are_compared_by_their_effects(tmp_path: Path) -> None:
    state, item = Path("var") / "cutover-shop.sqlite3", "GET /items/<int:item_id>"
    with serving(tmp_path, *documented(tmp_path)) as server:
        assert told(server)["accepted"] == "meant:ACCEPTED"
        assert told(server)["effects"] == "shop_effects:MailEffects: writes are compared, too"
        command(tmp_path, "set", "--all", "shadow", "--reason", "first look", state=state)

        def accepts() -> bool:
            assert get(server, "/items/7").side == "legacy"
            return (item, "accepted", "price") in counts(tmp_path / state)

        wait_for(accepts, "the difference is accepted")
        assert [order(server, to).status for to in ("ada@example.org", "Ada@Example.org")] == [200, 200]
        wait_for(lambda: orders(tmp_path / state) == {"match": 1, "mismatch": 1}, "both orders were compared")
        assert {outcome for endpoint, outcome, _ in counts(tmp_path / state) if endpoint == item} == {"accepted"}
        # The candidates sent none.
        assert (tmp_path / "sent.txt").read_text() == "ada@example.org: Thank you\n" * 2

    (found,) = command(tmp_path, "mismatches", state=state)["mismatches"]
    shown = command(tmp_path, "mismatches", str(found["id"]), state=state)
    assert shown["endpoint"] == "POST /orders"
    assert [(each["path"], each["primary"], each["candidate"]) for each in shown["differences"]] == [
        ("effects.sent[0].to", "ada@example.org", "Ada@Example.org")
    ]


def orders(state: Path) -> dict[str, int]:
    return {outcome: count for (endpoint, outcome, _), count in counts(state).items() if endpoint == "POST /orders"}


def test_without_a_native_app_legacy_answers_all_in_every_process(tmp_path: Path) -> None:
    with serving(tmp_path, "--legacy", LEGACY, "--workers", "2", "--quiet") as server:
        assert {get(server, "/base64/SFRUUEJJTiBpcyBhd2Vzb21l") for _ in range(20)} == {
            Answer(200, "legacy", b"HTTPBIN is awesome")
        }
        assert get(server, "/nowhere").status == 404
        assert told(server)["native"] == "none: legacy answers all"
        assert "findings" not in told(server)
        assert server.interrupt() == 0
        assert server.stdout.splitlines()[-1] == "Stopped; modes and evidence are kept."


OTHER_APPS = """
async def native(scope, receive, send):
    if scope["type"] == "lifespan":
        raise RuntimeError("this app knows no lifespan")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"native"})

def legacy(environ, start_response):
    start_response("200 OK", [])
    return [b"legacy"]
"""


def test_apps_of_other_frameworks_list_their_routes(tmp_path: Path) -> None:
    (tmp_path / "others.py").write_text(OTHER_APPS)
    (tmp_path / "legacy.txt").write_text("# what it has\n\nGET /\nGET /items/<int:item_id>\n")
    (tmp_path / "native.txt").write_text("GET\t/items/{item_id:int}\n")
    options = ["--legacy", "others:legacy", "--native", "others:native", "--state", "moved.token"]
    lists = ["--legacy-routes", "legacy.txt", "--native-routes", "native.txt"]
    with serving(tmp_path, *options, *lists) as server:
        assert told(server)["endpoints"] == "2: 1 on both sides, 1 on legacy alone, 0 on native alone"
        assert told(server)["findings"] == "GET / has no native twin"
        assert told(server)["state"] == str(tmp_path / "moved.token")
        assert told(server)["token"] == str(tmp_path / "moved.token.token")
        assert get(server, "/items/1") == Answer(200, "legacy", b"legacy")


def test_the_settings_say_where_state_and_token_are_unless_an_option_does(tmp_path: Path) -> None:
    (tmp_path / "others.py").write_text(OTHER_APPS)
    (tmp_path / "given.toml").write_text('[cutover]\npath = "given.db"\ntoken_path = "given.token"\n')
    options = ["--legacy", "others:legacy", "--legacy-routes", "legacy.txt", "--config", "given.toml"]
    (tmp_path / "legacy.txt").write_text("GET /<path:rest>\n")
    with serving(tmp_path, *options) as server:
        facts = told(server)
        assert (facts["state"], facts["token"]) == (str(tmp_path / "given.db"), str(tmp_path / "given.token"))
        assert facts["findings"] == (
            "the cutover's own API is at /cutover, so legacy isn't asked there for /<path:rest>"
        )
    with serving(tmp_path, *options, "--state", "given.token.db") as server:
        facts = told(server)
        assert (facts["state"], facts["token"]) == (str(tmp_path / "given.token.db"), str(tmp_path / "given.token"))


MEANT = """from datetime import date
from fastapi_app.cutover.comparing.accepted import AcceptedDifference
SLIP = [AcceptedDifference(name="newer", endpoint="GET /pi", path="status", reason="new", expires=date(2999, 1, 1))]
"""


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--legacy", "broken:app"],
            "--legacy: this came out of broken:app as it was loaded:\nTraceback (most recent call last):\n"
            '  File "{folder}/broken.py", line 1, in <module>\n    import a_module_that_is_not_there\n'
            "ModuleNotFoundError: No module named 'a_module_that_is_not_there'",
        ),
        (["--legacy", "none_such:app"], "--legacy: no module 'none_such' in {folder} or among what is installed"),
        (
            ["--legacy", "others:legacy", "--native", NATIVE],
            "legacy is a function, whose routes can't be read: list them in legacy_routes (--legacy-routes), or native "
            "would take all that it has a route for",
        ),
        (
            ["--legacy", "others:legacy", "--legacy-routes", "none.txt"],
            "--legacy-routes: none.txt can't be read: No such file or directory",
        ),
        (
            ["--legacy", "others:legacy", "--legacy-routes", "no_rules.txt"],
            "--legacy-routes: line 2 of no_rules.txt is no method and rule: /items",
        ),
        (
            ["--legacy", "others:legacy", "--legacy-routes", "others.py"],
            "legacy_routes: 'def native(scope, receive, send):' is no rule of Flask's: URL rule 'def native(scope, "
            "receive, send):' must start with a slash.",
        ),
        (
            ["--legacy", "others:legacy", "--state", "others.py"],
            "the state file {folder}/others.py can't be used: file is not a database (cutover.path, --state)",
        ),
        (
            ["--legacy", "others:legacy", "--legacy-routes", "rules.txt", "--config", "unknown.toml"],
            "cutover.pure: 'POST /no' is not an endpoint: `tradewindow cutover list` shows all",
        ),
        (
            ["--legacy", "others:legacy", "--legacy-routes", "rules.txt", "--accepted", "meant:SLIP"],
            "the accepted difference 'newer': 'GET /pi' is not an endpoint: the nearest are GET /ip",
        ),
        (
            ["--legacy", "others:legacy", "--legacy-routes", "rules.txt", "--effects", "meant:SLIP"],
            "--effects: meant:SLIP records no effects (list): it needs async def record(self, scope)",
        ),
        (
            ["--legacy", "others:legacy", "--legacy-routes", "rules.txt", "--config", "lacking.toml"],
            "cutover.modes: 'GET /ip' can't be 'shadow': it has no native side",
        ),
    ],
)
def test_it_does_not_start_and_says_why_in_a_sentence(options: list[str], sentence: str, tmp_path: Path) -> None:
    (tmp_path / "others.py").write_text(OTHER_APPS)
    (tmp_path / "broken.py").write_text("import a_module_that_is_not_there\n")
    (tmp_path / "meant.py").write_text(MEANT)
    (tmp_path / "no_rules.txt").write_text("# what it has\n/items\n")
    (tmp_path / "rules.txt").write_text("GET /ip\n")
    (tmp_path / "unknown.toml").write_text('[cutover]\npure = ["POST /no"]\n')
    (tmp_path / "lacking.toml").write_text('[cutover.modes]\n"GET /ip" = "shadow"\n')
    before = {*tmp_path.rglob("*")}
    result = subprocess.run(
        [TRADEWINDOW, "cutover", "serve", "--port", "0", *options],
        cwd=tmp_path,
        env={**inherited(), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr == f"tradewindow can't start: {sentence.format(folder=tmp_path)}\n"
    made = {path.name for path in {*tmp_path.rglob("*")} - before if "__pycache__" not in path.parts}
    assert made <= {"var"}


@pytest.mark.parametrize(
    ("legacy", "sentence"),
    [
        ("none_such:app", "--legacy: no module 'none_such' in {folder} or among what is installed"),
        (LEGACY, "port {port} of 127.0.0.1 can't be listened on: Address already in use (server.port, server.host)"),
    ],
)
def test_a_port_that_is_taken_hides_no_wrong_name_and_leaves_no_state(
    legacy: str, sentence: str, tmp_path: Path
) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        result = subprocess.run(
            [TRADEWINDOW, "cutover", "serve", "--port", str(port), "--legacy", legacy],
            cwd=tmp_path,
            env={**inherited(), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
    assert (result.returncode, result.stdout) == (3, "")
    # The app itself may have told something before.
    assert result.stderr.splitlines()[-1] == f"tradewindow can't start: {sentence.format(folder=tmp_path, port=port)}"
    assert list(tmp_path.iterdir()) == []
