"""The sources of a tree as modules with their imports; nothing is executed."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name: `target` is a dotted module, or a name in one."""

    target: str
    line: int
    is_for_typing: bool  # below `if TYPE_CHECKING:`
    is_in_function: bool


@dataclass(frozen=True, slots=True)
class Module:
    """One source file."""

    name: str  # dotted; that of the package for an `__init__.py`
    path: Path
    tree: ast.Module
    line_count: int
    imports: tuple[Import, ...]

    @property
    def package(self) -> str:
        """The part of miniet it belongs to: `raft`; for a file at the root its stem.

        The root's own `__init__.py` is `__init__`.
        """
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else "__init__"

    def at(self, line: int) -> str:
        """A place in the form that editors and terminals open."""
        path = self.path
        return f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path}:{line}"


@cache
def read_tree(root: Path = ROOT) -> dict[str, Module]:
    """Read all modules of `root/miniet` by name, generated code left out."""
    paths = sorted(root.glob("miniet/**/*.py"))
    names = {path: _name(path.relative_to(root)) for path in paths}
    known = set(names.values())
    return {
        name: _read(name, path, known)
        for path, name in names.items()
        if not name.startswith("miniet.pb.")
    }


def _name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read(name: str, path: Path, known: set[str]) -> Module:
    text = path.read_text()
    tree = ast.parse(text, str(path))
    base = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imports = tuple(_imports(tree, base, known, False, False))
    return Module(name, path, tree, len(text.splitlines()), imports)


def _imports(
    node: ast.AST, base: str, known: set[str], for_typing: bool, in_function: bool
) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            for target in _targets(child, base, known):
                yield Import(target, child.lineno, for_typing, in_function)
            continue
        typing = for_typing or (
            isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        )
        function = in_function or isinstance(
            child, ast.FunctionDef | ast.AsyncFunctionDef
        )
        yield from _imports(child, base, known, typing, function)


def _targets(
    node: ast.Import | ast.ImportFrom, base: str, known: set[str]
) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    source = node.module or ""
    if node.level:
        above = base.split(".")[: len(base.split(".")) - node.level + 1]
        source = ".".join([*above, *([source] if source else [])])
    for alias in node.names:
        # `from miniet import protowire` means the module; `from miniet.protowire
        # import varint` means it, too, for our own, and is kept in full for others.
        full = f"{source}.{alias.name}"
        is_ours = source.split(".")[0] == "miniet"
        yield full if full in known or not is_ours else source
