"""Who changes something by `tradewindow cutover`, and why."""

import getpass

from fastapi_app.cli.cutover_named import WrongUse


def check_reason(reason: str) -> None:
    """Raises WrongUse for none."""
    if not reason.strip():
        raise WrongUse("a reason is needed: --reason says why, for the log")


def author_or_user(author: str | None) -> str:
    """The author that is given, else the user's name. Raises WrongUse where there is neither."""
    if author:
        return author
    try:
        return getpass.getuser()
    except (KeyError, OSError) as exc:
        raise WrongUse("nobody knows your user name here: --author says who changes it") from exc
