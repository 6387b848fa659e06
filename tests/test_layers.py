"""Who may import whom, and how long files and functions may be: read from the source, nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("symgraph", "backends", "tutorials", "benchmarks")

#: The rooms of the core, each knowing only those before it; what stands in one row does not know the others in it.
ORDER: tuple[tuple[str, ...], ...] = (
    ("_version",), ("errors",), ("config",), ("graph",), ("scalar",), ("scalar_ops",), ("tensor",), ("shared",),
    ("random",), ("scan",), ("ifelse", "opfromgraph"), ("vectorize",), ("derivatives",), ("rewrites",), ("plan",),
    ("backend",), ("compile",), ("printing", "testing"), ("__main__",),
)
RANK = {room: rank for rank, row in enumerate(ORDER) for room in row}
#: Rooms that use the core from outside and are known to nothing in it.
APART = {
    "datasets": {"errors"}, "sandbox": {"random"}, "scan_module": {"graph", "scan"}, "theano_paths": set(),
    "array_api": {"config", "graph", "tensor"},
}
BACKENDS_MAY_KNOW = {"errors", "config", "graph", "scalar", "tensor", "shared", "random", "plan", "backend"}
#: What programs outside may import: the package itself and these of its modules.
PUBLIC = {"tensor", "random", "array_api", "datasets", "testing", "printing", "config", "errors"}

LONGEST_FILE = 600
LONGEST_FUNCTION = 60


def files() -> list[Path]:
    return sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def is_module(name: str) -> bool:
    place = ROOT.joinpath(*name.split("."))
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """The module that each import in a file names, wherever it stands, and its line."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{relative(path)}:{node.lineno}: imports are absolute"
            assert node.module is not None
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield (full if is_module(full) else node.module), node.lineno


def room_of(module: str) -> str:
    """The room of a module of the package; the package itself is the room ``""``."""
    return module.partition(".")[2].partition(".")[0]


def room_of_file(path: Path) -> str:
    return path.relative_to(ROOT / "symgraph").with_suffix("").parts[0]


def inside(*folders: str) -> list[Path]:
    return [p for p in files() if relative(p).split("/")[0] in folders]


def core_files() -> list[Path]:
    return [p for p in inside("symgraph") if p != ROOT / "symgraph/__init__.py"]


@pytest.mark.parametrize("path", core_files(), ids=relative)
def test_a_room_knows_only_those_before_it(path: Path) -> None:
    room = room_of_file(path)
    assert room in RANK or room in APART, f"{relative(path)}: the room {room!r} is not in the table"
    wrong = []
    for module, line in imports(path):
        if module.split(".")[0] != "symgraph":
            continue
        other = room_of(module)
        allowed = other == room or (other in APART[room] if room in APART else RANK.get(other, 99) < RANK[room])
        if not allowed:
            wrong.append(f"{relative(path)}:{line} imports {module}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", inside("symgraph"), ids=relative)
def test_the_core_imports_no_backend_and_no_device_library(path: Path) -> None:
    wrong = [f"{relative(path)}:{line} imports {module}" for module, line in imports(path)
             if module.split(".")[0] in ("backends", "cupy", "tutorials", "benchmarks", "tests")]
    assert not wrong, "\n".join(wrong)


def imported_by_text(path: Path) -> list[str]:
    """What a file imports by a string: the constant parts of the argument of `import_module`, the rest as a star."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            (text, *_) = node.args
            parts = text.values if isinstance(text, ast.JoinedStr) else [text]
            found.append("".join(str(p.value) if isinstance(p, ast.Constant) else "*" for p in parts))
    return found


def test_only_one_file_names_the_backends() -> None:
    found = {relative(p): names for p in inside("symgraph") if (names := imported_by_text(p))}
    assert found.pop("symgraph/backend.py") == ["backends.*"]
    # Scalar functions of SciPy, and what Theano's paths name, are found by the rows of tables, "module:name".
    assert found == {"symgraph/scalar.py": ["*"], "symgraph/theano_paths.py": ["*", "symgraph.tensor.variable", "*"]}


@pytest.mark.parametrize("path", inside("backends"), ids=relative)
def test_backends_know_the_core_but_not_the_compiler(path: Path) -> None:
    wrong = [f"{relative(path)}:{line} imports {module}" for module, line in imports(path)
             if module.split(".")[0] == "symgraph" and room_of(module) not in BACKENDS_MAY_KNOW]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", inside("backends"), ids=relative)
def test_backends_do_not_know_each_other(path: Path) -> None:
    own = path.relative_to(ROOT / "backends").parts[0]
    shared_modules = {p.stem for p in (ROOT / "backends").glob("*.py")}
    wrong = [f"{relative(path)}:{line} imports {module}" for module, line in imports(path)
             if module.startswith("backends.") and room_of(module) not in {own, *shared_modules}]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", inside("tutorials", "benchmarks"), ids=relative)
def test_programs_import_only_what_is_public(path: Path) -> None:
    """No module that is not public, and no name with an underscore."""
    wrong = [f"{relative(path)}:{line} imports {module}" for module, line in imports(path)
             if module.startswith("symgraph.") and (room_of(module) not in PUBLIC or "._" in module)]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "symgraph":
            wrong += [f"{relative(path)}:{node.lineno} imports {node.module}.{alias.name}"
                      for alias in node.names if alias.name.startswith("_")]
    assert not wrong, "\n".join(wrong)


def test_importing_the_package_does_not_load_what_is_slow_or_optional() -> None:
    """Those are imported inside functions, where they are used."""
    late = {"networkx", "scipy", "matplotlib", "tqdm", "pooch", "sklearn", "cupy"}
    wrong = []
    for path in core_files():
        wrong += [f"{relative(path)}:{line} imports {name}" for name, line in _imports_at_import(tree(path).body)
                  if name.split(".")[0] in late]
    assert not wrong, "\n".join(wrong)


def _imports_at_import(body: list[ast.stmt]) -> Iterator[tuple[str, int]]:
    """What is imported when the module is: also under ``if`` and ``try``, but not in functions."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.lineno
        elif isinstance(node, ast.If):
            checking = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
            yield from _imports_at_import(node.orelse if checking else [*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            handlers = [s for handler in node.handlers for s in handler.body]
            yield from _imports_at_import([*node.body, *handlers, *node.orelse, *node.finalbody])
        elif isinstance(node, (ast.With, ast.ClassDef, ast.For, ast.While)):
            yield from _imports_at_import(node.body)


def test_files_are_not_too_long() -> None:
    long = {relative(p): n for p in files() if (n := len(p.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE}
    assert not long


def test_functions_are_not_too_long() -> None:
    """The code of a function; its documentation does not count."""
    long = {}
    for path in files():
        for node in ast.walk(tree(path)):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                first = node.body[1] if ast.get_docstring(node, clean=False) and len(node.body) > 1 else node.body[0]
                length = (node.end_lineno or 0) - first.lineno + 1
                if length > LONGEST_FUNCTION:
                    long[f"{relative(path)}:{node.lineno} {node.name}"] = length
    assert not long
