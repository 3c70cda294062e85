"""The bridge against the other ways to serve a Flask app."""

import json

from tests.benchmarks.figures import Verdict
from tests.benchmarks.load import Request
from tests.benchmarks.peer_sections import rate_ratios, rate_table
from tests.benchmarks.report import Section
from tests.benchmarks.rounds import Bench, Loads, measure
from tests.benchmarks.servers import ServerSpec
from tests.benchmarks.small_flask import CHUNK, CHUNKS, JSON_PATH, STREAM_PATH, THREADS

_APPS = "tests.benchmarks.small_flask"

BRIDGE = ServerSpec(name="bridge", app=f"{_APPS}:bridged", keeps=False)
A2WSGI = ServerSpec(name="plain a2wsgi", app=f"{_APPS}:mounted", keeps=False)
GUNICORN = ServerSpec(
    name="gunicorn gthread", app=f"{_APPS}:create_app", program="gunicorn", threads=THREADS, keeps=False
)
WAITRESS = ServerSpec(name="waitress", app=f"{_APPS}:for_waitress", program="waitress", threads=THREADS, keeps=False)

_PEERS = (A2WSGI, GUNICORN, WAITRESS)

GET = Request(name="GET", path=JSON_PATH)
POST = Request(
    name="POST",
    path=JSON_PATH,
    body=json.dumps({"symbol": "BTC-USD", "side": "buy", "quantity": "0.50", "price": "64250.10"}),
)
STREAM = Request(name="stream", path=STREAM_PATH)

# The streams that wrk no longer waits for may go on in a server, so they are the last.
_REQUESTS = (GET, POST, STREAM)


def bridge(bench: Bench) -> Section:
    loads = measure(bench, (BRIDGE, *_PEERS), _REQUESTS)
    return Section(
        title="Flask under the bridge",
        blocks=(
            _METHOD,
            *(rate_table(BRIDGE, _PEERS, loads, request) for request in _REQUESTS),
            _MEANING.format(
                a2wsgi=rate_ratios(BRIDGE, A2WSGI, loads, GET).median,
                gunicorn=rate_ratios(BRIDGE, GUNICORN, loads, GET).median,
                waitress=rate_ratios(BRIDGE, WAITRESS, loads, GET).median,
            ),
        ),
        verdicts=(
            _verdict(loads, GET, A2WSGI, floor=1.8, aim=2.2),
            _verdict(loads, GET, GUNICORN, floor=1.3, aim=1.6),
            _verdict(loads, GET, WAITRESS, floor=1.1, aim=1.3),
            _verdict(loads, POST, A2WSGI, floor=1.7),
            _verdict(loads, STREAM, A2WSGI, floor=1.0),
        ),
    )


_METHOD = f"""\
One Flask app, which keeps nothing and does next to nothing, on {THREADS} threads of one process each time: under
the bridge and under a plain a2wsgi mount, both in uvicorn; under gunicorn with its gthread worker; and under
waitress, whose log of a full queue is off. GET returns a small JSON object, POST reads one and returns one, and
the stream is {CHUNKS} chunks of {len(CHUNK):,} bytes that a generator yields."""

_MEANING = """\
The GET is answered {a2wsgi:.2f} times as often under the bridge as under a plain a2wsgi mount, {gunicorn:.2f}
times as often as under gunicorn, and {waitress:.2f} times as often as under waitress."""


def _verdict(loads: Loads, request: Request, peer: ServerSpec, *, floor: float, aim: float | None = None) -> Verdict:
    what = f"Flask, {request.name}: bridge to {peer.name}"
    return Verdict(what=what, ratio=rate_ratios(BRIDGE, peer, loads, request), floor=floor, aim=aim)
