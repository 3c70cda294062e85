"""Where the command `tradewindow` starts."""

import io
import signal
import sys


def main() -> None:
    # Until the imports are done, Ctrl-C has nothing to end cleanly and would show them as a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from fastapi_app.cli.commands import app  # noqa: PLC0415 - half a second, under the line above

    signal.signal(signal.SIGINT, signal.default_int_handler)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A command that has moved an endpoint must not die of the arrow by which it says so.
        sys.stdout.reconfigure(errors="replace")
    app()
