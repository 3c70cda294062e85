"""This product's effects, as the cutover records and replays them: its ports."""

from collections.abc import Mapping
from typing import Any

from starlette.types import Scope

from shared.ports import SCOPE_KEY, LivePorts, ports_of_scope
from shared.recording import Recording, record
from shared.replaying import Replay


class PortsEffects:
    """Records on the ports that came with the request, or on live ones where it brought none."""

    def __init__(self, live_ports: LivePorts) -> None:
        self._live_ports = live_ports

    async def record(self, scope: Scope) -> "RecordedRequest":
        ports = ports_of_scope(scope)
        if ports is None:
            ports = self._live_ports.for_request()
            scope.setdefault("state", {})[SCOPE_KEY] = ports
        return RecordedRequest(await record(ports))

    def from_json(self, recording: Mapping[str, Any]) -> "RecordedRequest":
        """For any process: what is replayed needs no store."""
        return RecordedRequest(Recording.from_json(recording))


class RecordedRequest:
    """One request's recording, which may be replayed as often as is needed."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording

    def effects(self) -> Mapping[str, Any]:
        return self._recording.effects()

    def replay(self, scope: Scope) -> Replay:
        replay = Replay(self._recording)
        scope.setdefault("state", {})[SCOPE_KEY] = replay.ports
        return replay

    def to_json(self) -> Mapping[str, Any]:
        return self._recording.to_json()
