"""Exception for user errors: its one-line message names the file or key, the reason and the remedy."""


class HarnessError(Exception):
    """An error that the user can fix; the command line prints it as a single line, without a traceback."""
