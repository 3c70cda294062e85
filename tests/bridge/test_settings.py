"""The product's bridge is set as its settings say."""

import inspect

from fastapi_app.bridge import Bridge
from fastapi_app.legacy import bridge_options
from shared.settings import BridgeSettings, ServerSettings, Settings


def test_every_setting_is_an_argument_of_the_bridge() -> None:
    arguments = inspect.signature(Bridge).parameters
    assert BridgeSettings.model_fields.keys() | {"drain_timeout_seconds", "multiprocess"} == arguments.keys() - {"app"}


def test_the_defaults_are_the_bridges_own() -> None:
    own = {name: each.default for name, each in inspect.signature(Bridge).parameters.items() if name != "app"}
    assert bridge_options(Settings()) == {**own, "multiprocess": False}


def test_the_server_says_how_long_to_drain_and_whether_it_is_alone() -> None:
    options = bridge_options(
        Settings(
            server=ServerSettings(drain_timeout_seconds=15, workers=2),
            bridge=BridgeSettings(threads=3, max_response_bytes=4, send_timeout_seconds=5.0),
        )
    )
    assert (options["drain_timeout_seconds"], options["multiprocess"]) == (15, True)
    assert (options["threads"], options["max_response_bytes"], options["send_timeout_seconds"]) == (3, 4, 5.0)
