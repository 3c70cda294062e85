"""What the tests of the cutover's store share: endpoints, modes and mismatches that are quickly written."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from fastapi_app.cutover.comparing.observation import Difference, Mismatch, Observation, SeenAnswer, SeenRequest
from fastapi_app.cutover.inventory.endpoint import Endpoint
from fastapi_app.cutover.store.base import CountKey, CutoverStore, ModeTable
from fastapi_app.cutover.store.sqlite import SQLiteCutoverStore
from shared.modes import EndpointMode

INSTANT = datetime(2025, 3, 3, 12, 30, 15, 123456, tzinfo=UTC)

LEGACY = EndpointMode(mode="legacy")
SHADOW = EndpointMode(mode="shadow", sample_rate=0.25)
CANARY = EndpointMode(mode="canary", percent=5)
VERIFY = EndpointMode(mode="verify")
NATIVE = EndpointMode(mode="native")


def endpoint(name: str, *, legacy: bool = True, native: bool = True, notes: tuple[str, ...] = ()) -> Endpoint:
    method, rule = name.split(" ", 1)
    return Endpoint(method=method, rule=rule, legacy=legacy, native=native, notes=notes)


BOTH = endpoint("GET /api/both")
OTHER = endpoint("POST /api/other", notes=("native takes any float", "a converter differs"))
OLD = endpoint("GET /api/old/<int:number>", native=False)
NEW = endpoint("GET /api/new", legacy=False)
INVENTORY: Sequence[Endpoint] = (BOTH, OTHER, OLD, NEW)
SEEDED = {BOTH.name: LEGACY, OTHER.name: LEGACY, OLD.name: LEGACY, NEW.name: NATIVE}

OpenStore = Callable[..., CutoverStore]

MATCH = CountKey(BOTH.name, "shadow", "match", "")


def mismatch(name: str = BOTH.name, *, mode: EndpointMode = SHADOW, candidate: str = "43", **changes: Any) -> Mismatch:
    """One side answers 42."""
    given: dict[str, Any] = {
        "endpoint": name,
        "at": INSTANT,
        "mode": mode,
        "request": SeenRequest(method="GET", path="/api/both", query="a=1", headers=(("host", "example.org"),)),
        "primary": Observation(side="legacy", answer=SeenAnswer(status=200, body=b"42")),
        "candidate": Observation(side="native", answer=SeenAnswer(status=200, body=candidate.encode())),
        "differences": (Difference(path="body", primary=42, candidate=candidate),),
    }
    return Mismatch(**{**given, **changes})


def move(store: CutoverStore, *names: str, to: EndpointMode = SHADOW, **options: Any) -> ModeTable:
    given = {"author": "ann", "reason": "to see", "at": INSTANT, **options}
    return store.change(dict.fromkeys(names or (BOTH.name,), to), **given)


def ids(store: CutoverStore, **options: Any) -> list[int | None]:
    return [one.id for one in store.mismatches(**options)]


def migrated(path: Path) -> Path:
    """Puts a new store's file there, as the migrations made it once for all tests."""
    if not path.exists():
        path.write_bytes(_new_file())
        path.chmod(0o600)
    return path


@lru_cache
def _new_file() -> bytes:
    with TemporaryDirectory() as folder:
        store = SQLiteCutoverStore(Path(folder) / "new.db")
        store.version()
        store.close()
        return store.path.read_bytes()
