"""The faults of benchmarks/mutants.py: what may be changed in a module, how a fault is known, and which are drawn."""

from __future__ import annotations

import ast
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

LEFT_OUT = {"commands", "__init__.py", "__main__.py", "cli.py"}  # thin layers over the rooms
SILENT = {"echo", "print", "warn", "secho", "isinstance"}  # calls that only say something, or ask a type
NOT_DRAWN = {"REVISION", "SMALL", "strict"}  # declarations and options that no result depends on

OPERATORS = {
    **{ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"), ast.Eq: ("==", "!=")},
    **{ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"), ast.IsNot: (r"is\s+not", "is"), ast.In: ("in", "not in")},
    **{ast.NotIn: (r"not\s+in", "in"), ast.Add: (r"\+", "-"), ast.Sub: ("-", "+"), ast.Mult: (r"\*", "/")},
    **{ast.Div: ("/", "*"), ast.FloorDiv: ("//", "*"), ast.Mod: ("%", "//"), ast.Pow: (r"\*\*", "*")},
    **{ast.BitAnd: ("&", "|"), ast.BitOr: (r"\|", "&"), ast.And: ("and", "or"), ast.Or: ("or", "and")},
}
CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor", "mean": "sum"}
CALLS |= {"argmax": "argmin", "argmin": "argmax", "minimum": "maximum", "maximum": "minimum", "clamp_min": "clamp_max"}


@dataclass(frozen=True)
class Fault:
    """One change of the text: `before`, `after` with their neighbourhood, the `nth` such change of the function."""

    room: str
    module: str  # path in the tree
    function: str
    kind: str
    before: str
    after: str
    nth: int = 0

    def __str__(self) -> str:
        return f"{self.module}:{self.function}: {self.before} → {self.after}" + (f" #{self.nth}" if self.nth else "")

    def rank(self, seed: int) -> bytes:
        return hashlib.blake2b(f"{seed} {self}".encode(), digest_size=8).digest()


Edit = tuple[int, int, str]  # start and end in the source, and what replaces it
Found = Iterator[tuple[str, list[Edit]]]  # kind and edits of each fault


def edited(text: str, edits: Iterable[Edit]) -> str:
    raw = text.encode()
    for start, end, new in sorted(edits, reverse=True):
        raw = raw[:start] + new.encode() + raw[end:]
    return raw.decode()


class Source:
    """A file's text, and the edits of its faults. Positions of ast are lines and UTF-8 bytes."""

    def __init__(self, text: str) -> None:
        self.text = text.encode()
        self.tree = ast.parse(text)
        self.starts = [0]
        for line in self.text.split(b"\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)

    def span(self, node: ast.AST) -> tuple[int, int]:
        return (
            self.starts[node.lineno - 1] + node.col_offset,  # type: ignore[attr-defined]
            self.starts[node.end_lineno - 1] + node.end_col_offset,  # type: ignore[attr-defined]
        )

    def part(self, start: int, end: int) -> str:
        return self.text[start:end].decode()

    def operator(
        self, kind: str, left: ast.expr, operator: ast.AST, right: ast.expr
    ) -> Iterator[tuple[str, list[Edit]]]:
        """Between two operands stand the operator, parentheses, white space and comments."""
        if type(operator) in OPERATORS:
            old, new = OPERATORS[type(operator)]
            start, end = self.span(left)[1], self.span(right)[0]
            word = rf"\b{old}\b" if old[0].isalpha() else old
            found = re.search(word, self.part(start, end))
            if found:
                yield kind, [(start + found.start(), start + found.end(), new)]

    def edits(self, node: ast.AST) -> Found:
        """Kind and edits of every fault of one node."""
        match node:
            case ast.Compare(left=left, ops=[operator, *_], comparators=[right, *_]):
                yield from self.operator("comparison", left, operator, right)
            case ast.BinOp(left=left, op=operator, right=right) if not any(map(is_text, (left, right))):
                yield from self.operator("arithmetic", left, operator, right)
            case ast.BoolOp(op=operator, values=[left, right, *_]):
                yield from self.operator("condition", left, operator, right)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield "condition", [(*self.span(node), f"bool({self.part(*self.span(operand))})")]
            case ast.If(test=ast.Name() | ast.Attribute() | ast.Call() as test):
                yield "condition", [(*self.span(test), f"not ({self.part(*self.span(test))})")]
            case ast.Constant(value=bool() as value):
                yield "constant", [(*self.span(node), str(not value))]
            case ast.Constant(value=int() | float() as value):
                larger = value * 3 // 2 if abs(value) > 20 else value + 1
                changed = larger if isinstance(value, int) else value * 1.5 or 0.1
                yield "constant", [(*self.span(node), repr(changed))]
            case ast.Call(func=func, args=[first, second, *_]) if not any(
                isinstance(a, ast.Starred) for a in node.args
            ):
                one, two = self.span(first), self.span(second)
                swapped = self.part(*one) != self.part(*two) and name_of(func) not in CALLS
                if swapped and not isinstance(second, ast.Starred):
                    yield "argument", [(*one, self.part(*two)), (*two, self.part(*one))]
                yield from self.call(func)
            case ast.Call(func=func):
                yield from self.call(func)

    def call(self, func: ast.expr) -> Found:
        name = name_of(func)
        if name in CALLS:
            end = self.span(func)[1]
            yield "function", [(end - len(name), end, CALLS[name])]

    def faults(self) -> Iterator[tuple[str, str, tuple[int, int], list[Edit]]]:
        """Function, kind, span of the statement and edits of every fault of the file, in the order of the text."""

        def visit(node: ast.AST, function: str, statement: tuple[int, int]) -> Iterator[Any]:
            if is_saying(node):
                return
            if isinstance(node, ast.stmt | ast.match_case):
                body = getattr(node, "body", None)
                first = self.span(getattr(node, "pattern", node))[0]
                statement = (first, self.span(body[0])[0] if body else self.span(node)[1])
            for kind, edits in self.edits(node):
                yield function, kind, statement, edits
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                function = f"{function}.{node.name}".lstrip(".")
            for name, value in ast.iter_fields(node):
                if name not in ("annotation", "returns", "decorator_list"):
                    for child in value if isinstance(value, list) else [value]:
                        if isinstance(child, ast.AST):
                            yield from visit(child, function, statement)

        yield from visit(self.tree, "", (0, 0))


def name_of(func: ast.expr) -> str:
    """Last part of the name of a called function."""
    return getattr(func, "attr", getattr(func, "id", ""))


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def is_saying(node: ast.AST) -> bool:
    """Messages, annotations and declarations, whose faults are not drawn."""
    match node:
        case ast.Raise() | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return True
        case ast.If(test=test):
            return any(name in ast.unparse(test) for name in ("TYPE_CHECKING", "__name__"))
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.keyword(arg=name):
            return name in NOT_DRAWN
        case ast.Call(func=func):
            return name_of(func) in SILENT
    return False


def room_of(module: str) -> str:
    parts = PurePosixPath(module).parts
    return parts[0] if parts[0] == "baselines" else parts[1]


@cache
def faults_of(tree: Path, module: str) -> dict[Fault, str]:
    """All faults of a module, and its text with each of them."""
    if not (tree / module).is_file():
        return {}
    source, seen, found = Source((tree / module).read_text(encoding="utf-8")), Counter[Fault](), {}
    for function, kind, (start, end), edits in source.faults():
        inside = [(first - start, last - start, new) for first, last, new in edits]
        text = source.part(start, end)
        before, after = difference(text, edited(text, inside))
        fault = Fault(room_of(module), module, function, kind, before, after)
        found[replace(fault, nth=seen[fault])] = edited(source.text.decode(), edits)
        seen[fault] += 1
    return found


def common(one: str, two: str) -> int:
    """Length of the equal beginning."""
    return next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))


def difference(one: str, two: str, around: int = 24) -> tuple[str, str]:
    """The part in which two texts differ, with the words around it, each on one line."""
    one, two = (" ".join(re.sub(r"\s#.*", "", text).split()) for text in (one, two))
    start = common(one, two)
    end = common(one[start:][::-1], two[start:][::-1])
    left = max(0, start - around)
    left = one.find(" ", left, start) + 1 if left else 0
    parts = []
    for text in (one, two):
        stop = len(text) - end
        right = text.rfind(" ", stop, stop + around) if end > around else len(text)
        parts.append(text[left : right if right > stop else stop + around].strip())
    return parts[0], parts[1]


def drawn(tree: Path, seed: int, count: int, rooms: Iterable[str]) -> list[Fault]:
    """`count` faults of each room: the first by rank, of as many modules and kinds as the room has."""
    found = defaultdict(list)
    for path in sorted([*(tree / "uadbench").rglob("*.py"), *(tree / "baselines").glob("*.py")]):
        module = path.relative_to(tree).as_posix()
        if room_of(module) not in LEFT_OUT and path.name not in LEFT_OUT:
            found[room_of(module)] += faults_of(tree, module)
    chosen = []
    for room in sorted(rooms or found):
        modules, kinds = Counter[str](), Counter[str]()
        rest = {fault: fault.rank(seed) for fault in found[room]}
        for _ in range(min(count, len(rest))):
            fault = min(rest, key=lambda each: (modules[each.module], kinds[each.kind], rest[each]))
            modules[fault.module] += 1
            kinds[fault.kind] += 1
            del rest[fault]
            chosen.append(fault)
    return chosen
