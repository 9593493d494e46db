"""Exception for user errors: its one-line message names the file or key, the reason and the remedy."""

import difflib
from collections.abc import Iterable


class HarnessError(Exception):
    """An error that the user can fix; the command line prints it as a single line, without a traceback."""


def choices(unknown: object, known: Iterable[str]) -> str:
    """The remedy for an unknown name: the closest of the known ones, if any is close, and then all of them."""
    names = {name.lower(): name for name in known}
    close = difflib.get_close_matches(str(unknown).lower(), names, n=1)
    meant = f"did you mean {names[close[0]]}? " if close else ""
    return f"{meant}there are {', '.join(names.values()) or 'none'}"


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names in a line, cut after `most` of them: "anna, bert and 3 more"."""
    every = list(names)
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")
