"""Names in natural order, where numbers within them count by their value, and in lists for messages."""

import re
from collections.abc import Sequence
from decimal import Decimal

WHOLE, DECIMAL = r"(\d+)", r"(\d+(?:\.\d+)?)"


def natural(name: str, number: str = WHOLE) -> list[tuple[Decimal | int, str]]:
    """Sort key of a name: run-2 before run-10, and with the numbers DECIMAL also @0.005 before @0.01."""
    return [(Decimal(part), "") if part[:1].isdecimal() else (-1, part) for part in re.split(number, name)]


def listed(names: Sequence[str], most: int = 8) -> str:
    """The first names, and the number of the others."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
