"""What a server that was stopped says of the files that it has worked on."""

from pathlib import Path

from rich.console import Console


class StateFiles:
    """Those of a server, as they are when it starts; another file in the place of one is not that one."""

    def __init__(self, *paths: Path) -> None:
        self._found = {path.absolute(): _identity(path) for path in paths}

    def tell_stopped(self, console: Console, what_is_kept: str) -> None:
        """One line. What a file held that is not in its place any more is not said to be kept."""
        lost = [str(path) for path, identity in self._found.items() if _identity(path) != identity]
        if lost:
            what_is_kept = f"what was acknowledged may be lost, for this was deleted or replaced: {', '.join(lost)}"
        # A path is to be copied, so the line is not broken to fit.
        console.print(f"Stopped; {what_is_kept}", markup=False, soft_wrap=True)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
