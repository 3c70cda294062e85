"""What a server says on stdout once it listens."""

import socket
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text


def address_of(listener: socket.socket, host: str) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def announce(console: Console, title: str, facts: Sequence[tuple[str, str]]) -> None:
    """A line for each label and value; one that goes on with the label above has none."""
    console.print(title, style="bold")
    width = max(len(label) for label, _ in facts)
    for label, value in facts:
        # A path or an address is to be copied, so no line is broken to fit.
        console.print(Text.assemble((f"  {label:<{width}}  ", "cyan"), value), soft_wrap=True)
