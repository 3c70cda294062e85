import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from shared.ids import FrozenIds, SystemIds


def test_an_id_is_a_uuid_of_version_7_that_holds_its_time() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    drawn = UUID(SystemIds().new("trade"))
    after = datetime.now(UTC)
    assert (drawn.version, drawn.variant) == (7, "specified in RFC 4122")
    milliseconds = drawn.int >> 80  # RFC 9562, section 5.7
    assert before <= datetime.fromtimestamp(milliseconds / 1000, UTC) <= after


def test_ids_come_in_time_order_and_never_twice_also_of_different_kinds_and_instances() -> None:
    first, second = SystemIds(), SystemIds()
    drawn = [ids.new(kind) for _ in range(5000) for ids, kind in ((first, "trade"), (second, "config"))]
    assert drawn == sorted(drawn)
    assert len(set(drawn)) == 10_000


def test_threads_draw_different_ids() -> None:
    ids, ready = SystemIds(), threading.Barrier(8)

    def draw(_: int) -> list[str]:
        ready.wait(10)
        return [ids.new("trade") for _ in range(2000)]

    with ThreadPoolExecutor(8) as pool:
        drawn = [entry_id for found in pool.map(draw, range(8)) for entry_id in found]
    assert len(set(drawn)) == 16_000


FORKED = """
import os, sys
from shared.ids import SystemIds

ids = SystemIds()
ids.new("trade")
for _ in range(4):
    if os.fork() == 0:
        os.write(1, "".join(ids.new("trade") + "\\n" for _ in range(100)).encode())
        os._exit(0)
for _ in range(4):
    os.wait()
os.write(1, "".join(ids.new("trade") + "\\n" for _ in range(100)).encode())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_processes_draw_different_ids() -> None:
    ended = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=30)
    drawn = ended.stdout.split()
    assert len(drawn) == 500, ended.stderr
    assert len(set(drawn)) == 500


def test_frozen_ids_count_per_kind() -> None:
    ids = FrozenIds()
    drawn = [ids.new(kind) for kind in ("trade", "trade", "config", "trade", "config")]
    assert drawn == ["trade-1", "trade-2", "config-1", "trade-3", "config-2"]
    assert FrozenIds().new("trade") == "trade-1"
