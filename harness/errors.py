"""The one exception that people see: its message names the file or key, the reason and the remedy in one line."""


class HarnessError(Exception):
    """A mistake that the user can mend; the command line prints it as a single line, without a traceback."""
