"""Generic mutations of the core, found in its syntax trees and drawn by a seed.

Four kinds: a comparison is flipped to its neighbour, a number becomes one more, a
condition is negated, a statement is left out. Left alone is what says nothing about
behaviour: `_check` and `__repr__`, annotations, asserts, what an error says, lines
of raft's log.
"""

import ast
import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.mutations.mutation import ROOT, Mutation

PACKAGES = ("raft", "mvcc", "lease", "watch", "wal", "backend", "engine")

# Tests beyond the package's own unit tests.
_FURTHER_TESTS = {
    "mvcc": ("tests/property/test_mvcc_store.py",),
    "watch": ("tests/property/test_watch_delivery.py",),
    "raft": ("tests/conformance/raft",),
}
_FLIPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_SKIPPED_FILES = {"__init__.py", "errors.py", "ports.py", "statistics.py"}
_SKIPPED_FUNCTIONS = {"__repr__", "describe", "_log", "_info", "_log_start"}
_LOGGING = {"_log", "_info", "log", "debug", "info", "warning", "error"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where something can be changed, and what would stand there then."""

    path: Path
    number: int  # in its file
    node: ast.expr | ast.stmt
    kind: str
    new: str


def draw(count: int, seed: int, root: Path = ROOT) -> list[Mutation]:
    """Draw `count` of all generic mutations; the same ones for the same seed."""
    places = list(find_all(root))
    drawn = Random(seed).sample(places, min(count, len(places)))
    return [_mutation(root, place) for place in drawn]


def find_all(root: Path = ROOT) -> Iterator[Place]:
    """Walk all places of the core, in the order of the sources."""
    for package in PACKAGES:
        for path in sorted((root / "miniet" / package).glob("*.py")):
            if path.name not in _SKIPPED_FILES:
                found = _found(ast.parse(path.read_text()).body)
                for number, change in enumerate(found):
                    yield Place(path, number, *change)


def _mutation(root: Path, place: Place) -> Mutation:
    node, path = place.node, place.path
    text = path.read_text()
    lines = text.splitlines(keepends=True)
    before = "".join(lines[: node.lineno - 1])
    first = lines[node.lineno - 1].encode()[: node.col_offset].decode()
    last = lines[node.end_lineno - 1].encode()[node.end_col_offset :].decode()
    after = "".join(lines[node.end_lineno :])
    old = " ".join((ast.get_source_segment(text, node) or "").split())
    package = path.parent.name
    return Mutation(
        name=f"{package}/{path.stem}-{place.number}",
        breaks=f"line {node.lineno}: {place.kind}: {old} -> {place.new}",
        file=str(path.relative_to(root)),
        # The whole file: nothing shorter is sure to stand there once.
        old=text,
        new=f"{before}{first}{place.new}{last}{after}",
        tests=_tests_of(root, package, path.stem),
    )


def _tests_of(root: Path, package: str, stem: str) -> tuple[str, ...]:
    """The module's own tests first, as they fail soonest; pytest runs each once."""
    own = f"tests/unit/{package}/test_{stem}.py"
    first = (own,) if (root / own).exists() else ()
    return (*first, f"tests/unit/{package}", *_FURTHER_TESTS.get(package, ()))


def _found(body: Iterable[ast.AST]) -> Iterator[tuple[ast.expr | ast.stmt, str, str]]:
    """Walk (node, kind of change, text in its place)."""
    for node in body:
        if _is_left_alone(node):
            continue
        if isinstance(node, ast.stmt):
            yield from _of_statement(node)
        elif isinstance(node, ast.expr):
            yield from _of_expression(node)
        yield from _found(_children(node))


def _is_left_alone(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name in _SKIPPED_FUNCTIONS or node.name.startswith("_check")
    if isinstance(node, ast.Expr):
        call = node.value
        if isinstance(call, ast.Constant):
            return True  # a docstring
        return (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in _LOGGING
        )
    return isinstance(node, ast.Assert | ast.Raise | ast.Import | ast.ImportFrom)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Walk what stands below a node, without annotations and f-strings."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases"):
            continue
        for child in value if isinstance(value, list) else (value,):
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield child


def _of_statement(node: ast.stmt) -> Iterator[tuple[ast.expr | ast.stmt, str, str]]:
    if isinstance(node, ast.If | ast.While):
        yield node.test, "negate", f"not ({ast.unparse(node.test)})"
    is_effect = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    if is_effect or isinstance(node, ast.AugAssign | ast.Delete | ast.Break):
        yield node, "drop", "pass"


def _of_expression(node: ast.expr) -> Iterator[tuple[ast.expr, str, str]]:
    if isinstance(node, ast.Compare):
        for position, operator in enumerate(node.ops):
            flipped = copy.deepcopy(node)
            flipped.ops[position] = _FLIPPED[type(operator)]()
            yield node, "flip", f"({ast.unparse(flipped)})"
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        yield node, "off by one", str(node.value + 1)
    elif isinstance(node, ast.IfExp):
        yield node.test, "negate", f"(not ({ast.unparse(node.test)}))"
