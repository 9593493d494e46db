"""Natural order of names: numbers within them count by their value."""

import re
from decimal import Decimal

WHOLE, DECIMAL = r"(\d+)", r"(\d+(?:\.\d+)?)"


def natural(name: str, number: str = WHOLE) -> list[tuple[Decimal | int, str]]:
    """Sort key of a name: run-2 before run-10, and with the numbers DECIMAL also @0.005 before @0.01."""
    return [(Decimal(part), "") if part[:1].isdecimal() else (-1, part) for part in re.split(number, name)]
