"""The rules of the house as tables, and a function each that finds the breaches.

Every function takes the modules of a tree and yields one line per breach:
`file:line: what is wrong (the rule)`.
"""

import ast
import sys
from collections.abc import Iterator, Mapping

from tests.architecture.sources import ROOT, Import, Module

Modules = Mapping[str, Module]

LEAVES = {"errors", "clock", "releases", "version", "protowire", "compiled"}
CORE = {"raft", "mvcc", "lease", "watch"}
COMPONENTS = CORE | {"wal", "backend", "engine"}
COMMANDS = {"__init__", "__main__", "cli", "pytest_plugin"}

# Rules 1 and 2: what a package may import of miniet besides itself. A dotted name
# allows one module. A package that is not here may import nothing.
MAY_IMPORT: dict[str, set[str]] = {
    **{leaf: set() for leaf in LEAVES},
    "pb": set(),
    "raft": LEAVES,
    "mvcc": LEAVES,
    "lease": LEAVES,
    "watch": LEAVES | {"mvcc"},
    "wal": LEAVES | {"raft.messages", "raft.codec"},
    "backend": LEAVES,
    "engine": LEAVES | CORE,
    "memory": LEAVES,
    "predict": LEAVES | {"memory.components", "memory.counts"},
    "report": LEAVES | {"memory", "predict"},
    "client": LEAVES | {"memory", "pb"},
    "lab": LEAVES | {"client", "memory", "predict", "report"},
    "wire": LEAVES,
    "server": LEAVES | COMPONENTS | {"memory", "pb", "wire"},
}
# Decoding an entry's data: the message dies inside the function.
ALSO_MAY_IMPORT = {"engine.requests": {"pb"}}

# Rule 3, and who may use which library at all. A dotted name is one module.
ONLY_IN: dict[str, set[str]] = {
    "asyncio": {"server"} | COMMANDS,
    "grpc": {"server", "client"} | COMMANDS,
    "uvloop": {"server"} | COMMANDS,
    "hpack": {"wire"},
    "h11": {"server"},
    "prometheus_client": {"server", "client"},
    "google": {"pb", "server", "client"},
    "lmdb": {"backend"},
    "crc32c": {"wal", "backend", "mvcc.hash"},
    "sortedcontainers": COMPONENTS,
    "click": COMMANDS,
    "rich": {"report", "lab"} | COMMANDS,
    "matplotlib": {"report.plot"},
    "pytest": {"pytest_plugin"},
}

# Rule 3 for the standard library: the core and the engine neither reach out nor wait.
NEVER_IN_CORE = {
    "concurrent", "fcntl", "glob", "io", "logging", "mmap", "multiprocessing", "os",
    "pathlib", "random", "secrets", "select", "selectors", "shutil", "signal",
    "socket", "ssl", "subprocess", "sys", "tempfile", "threading", "time", "uuid",
}  # fmt: skip
# The type of an injected generator; calling the module is what is forbidden.
ALLOWED_IN_CORE = {"random.Random"}
ENGINE_MAY = {"logging"}

# What setup.py compiles; it is read, not run, as everything here.
_SETUP = {
    ast.unparse(node.targets[0]): ast.literal_eval(node.value)
    for node in ast.parse((ROOT / "setup.py").read_text()).body
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple)
}
COMPILED_PACKAGES: tuple[str, ...] = _SETUP["_PACKAGES"]
COMPILED_MODULES: tuple[str, ...] = _SETUP["_MODULES"]

MODULE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60


def foreign_imports(modules: Modules) -> Iterator[str]:
    """Rules 1 and 2: packages import only to the right and down."""
    for module, found in _all_imports(modules):
        if found.target.split(".")[0] != "miniet" or module.package in COMMANDS:
            continue
        target = found.target.removeprefix("miniet").removeprefix(".")
        if target.split(".")[0] == module.package:
            continue
        own = module.name.removeprefix("miniet.")
        allowed = MAY_IMPORT.get(module.package, set())
        if not _covers(allowed | ALSO_MAY_IMPORT.get(own, set()), target):
            names = ", ".join(sorted(allowed)) or "itself"
            yield (
                f"{module.at(found.line)}: {module.package} imports {found.target} "
                f"(layers, rules 1 and 2: only {names})"
            )


def forbidden_libraries(modules: Modules) -> Iterator[str]:
    """Rule 3: each library and each way of reaching out has its package."""
    for module, found in _all_imports(modules):
        library = found.target.split(".")[0]
        own = module.name.removeprefix("miniet.")
        if library in ONLY_IN:
            users = ONLY_IN[library]
            if module.package not in users and own not in users:
                yield (
                    f"{module.at(found.line)}: {module.package} imports {library} "
                    f"(layers, rule 3: only in {', '.join(sorted(users))})"
                )
        elif library not in sys.stdlib_module_names | {"miniet"}:
            yield (
                f"{module.at(found.line)}: {library} is not in the table of libraries "
                "(layers, rule 3: say in ONLY_IN who may use it)"
            )
        elif _reaches_out(module.package, found.target):
            yield (
                f"{module.at(found.line)}: {module.package} imports {found.target} "
                "(layers, rule 3: the core is pure)"
            )


def opened_files(modules: Modules) -> Iterator[str]:
    """Rule 3: no file is opened in the core or the engine."""
    for module in modules.values():
        if module.package not in CORE | {"engine"}:
            continue
        for call in _calls(module, "open"):
            yield (
                f"{module.at(call.lineno)}: {module.package} opens a file "
                "(layers, rule 3: files are opened at the edges)"
            )


def imports_in_functions(modules: Modules) -> Iterator[str]:
    """Rule 1: imports stand at the top; only an optional dependency may not."""
    for module, found in _all_imports(modules):
        if found.is_in_function and found.target.split(".")[0] != "matplotlib":
            yield (
                f"{module.at(found.line)}: {found.target} is imported in a function "
                "(layers, rule 1: imports stand at the top)"
            )


def import_cycles(modules: Modules) -> Iterator[str]:
    """Rule 1: no module imports itself by way of others."""
    done: set[str] = set()
    for start in modules:
        yield from _cycles(modules, start, [], done)


def _cycles(
    modules: Modules, name: str, path: list[str], done: set[str]
) -> Iterator[str]:
    if name in done or name not in modules:
        return
    for found in modules[name].imports:
        if found.is_for_typing:
            continue
        if found.target in [*path, name]:
            ring = [*path, name][[*path, name].index(found.target) :]
            yield (
                f"{modules[name].at(found.line)}: "
                f"{' -> '.join([*ring, found.target])} (layers, rule 1: no cycles)"
            )
        else:
            yield from _cycles(modules, found.target, [*path, name], done)
    done.add(name)


def prints(modules: Modules) -> Iterator[str]:
    """Only the command line prints."""
    for module in modules.values():
        if module.package in COMMANDS:
            continue
        for call in _calls(module, "print"):
            yield (
                f"{module.at(call.lineno)}: {module.package} prints "
                "(only the command line does)"
            )


def unslotted_records(modules: Modules) -> Iterator[str]:
    """Memory boundary: what components keep is booked to the file that makes it.

    A NamedTuple is booked to no file, and a dataclass without slots brings a
    dictionary along.
    """
    for module in modules.values():
        if module.package not in COMPONENTS:
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and _is_unslotted(node):
                yield (
                    f"{module.at(node.lineno)}: {node.name} is a NamedTuple or a "
                    "dataclass without slots (memory boundary)"
                )


def long_modules(modules: Modules) -> Iterator[str]:
    """A module above the limit needs a reason in its package's docstring.

    The reason is a line that names the file and says "lines": `raft.py` has more
    than 500 lines because ...
    """
    for module in modules.values():
        if module.line_count <= MODULE_LINES_MAX:
            continue
        package = modules.get(".".join(module.name.split(".")[:2]))
        note = (ast.get_docstring(package.tree) if package else None) or ""
        file = module.path.name
        if not any(file in line and "lines" in line for line in note.splitlines()):
            yield (
                f"{module.at(1)}: {module.line_count} lines (sizes: over "
                f"{MODULE_LINES_MAX} only with a reason in the package's docstring)"
            )


def long_functions(modules: Modules) -> Iterator[str]:
    """No function is above the limit, its docstring not counted."""
    for module in modules.values():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            count = _lines(node)
            if ast.get_docstring(node) is not None:
                count -= _lines(node.body[0])
            if count > FUNCTION_LINES_MAX:
                yield (
                    f"{module.at(node.lineno)}: {node.name} has {count} lines "
                    f"(sizes: at most {FUNCTION_LINES_MAX})"
                )


def waits_in_handlers(modules: Modules) -> Iterator[str]:
    """Compiled: nothing waits, or yields, while it handles an error.

    mypyc 2.4 would leave the error as the one that its thread is handling, for good:
    every later one is shown with it, and what its frames hold is not let go.
    """
    compiled = {name.removesuffix(".py").replace("/", ".") for name in COMPILED_MODULES}
    for module in modules.values():
        if module.package not in COMPILED_PACKAGES and module.name not in compiled:
            continue
        for node in ast.walk(module.tree):
            if isinstance(node, ast.AsyncWith):
                lines = [node.lineno]
            elif isinstance(node, ast.Try):
                last = [*node.handlers, *node.finalbody]
                lines = [line for part in last for line in _waits(part)]
            else:
                continue
            for line in lines:
                yield (
                    f"{module.at(line)}: waits while it may handle an error "
                    "(compiled, the error is never let go)"
                )


def _all_imports(modules: Modules) -> Iterator[tuple[Module, Import]]:
    return ((module, found) for module in modules.values() for found in module.imports)


def _covers(allowed: set[str], target: str) -> bool:
    """Whether `target`, or a package above it, is allowed."""
    parts = target.split(".")
    return any(".".join(parts[:n]) in allowed for n in range(1, len(parts) + 1))


def _reaches_out(package: str, target: str) -> bool:
    if target in ALLOWED_IN_CORE:
        return False
    library = target.split(".")[0]
    if package == "engine":
        return library in NEVER_IN_CORE - ENGINE_MAY
    return package in CORE and library in NEVER_IN_CORE


def _calls(module: Module, function: str) -> Iterator[ast.Call]:
    for node in ast.walk(module.tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == function
        ):
            yield node


def _waits(part: ast.AST) -> Iterator[int]:
    waits = ast.Await | ast.Yield | ast.YieldFrom | ast.AsyncFor
    for node in ast.walk(part):
        if isinstance(node, waits):
            yield node.lineno


def _is_unslotted(node: ast.ClassDef) -> bool:
    if any(ast.unparse(base).endswith("NamedTuple") for base in node.bases):
        return True
    for decorator in node.decorator_list:
        text = ast.unparse(decorator)
        if text.split("(")[0].endswith("dataclass") and "slots=True" not in text:
            return True
    return False


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1
