"""The structure's rules: imports go down, no circles, one door to each dependency, small documented files.

What a folder may import stands in its own ``__init__.py``, in a line ``May import: measure, results.``
Names are folders below ``wsload/``, with a dot for a folder inside another; naming a folder includes what
is inside it. Every folder may import itself, and the ground files beside ``wsload/__init__.py``.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "wsload"
TREES = {
    path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}
FACE = {"__init__.py", "__main__.py"}
"""The package's own front and its command: they only pass on."""

DOORS = {
    "hdrh": ("measure/compat.py",),
    "orjson": ("protocols/chat/conversation/messages.py", "results/"),
    "locust": ("load/", "protocols/", "server/embedded.py"),
    "gevent": ("load/",),
    "uvloop": ("load/engine/", "server/"),
    "websockets": ("load/ws/", "server/"),
    "typer": ("commands/cli/",),
}
"""Who may import which third party."""

DOCUMENTED = {"_exit"}
"""Names with a leading underscore that a library's documentation has all the same."""

MOST_LINES = 300
MOST_TOP_FOLDERS = 8


def folder_of(name: str) -> str:
    """The folder of a file, dotted: ``load.ws``."""
    return ".".join(name.split("/")[:-1])


def rules() -> dict[str, tuple[str, ...]]:
    """What each folder may import besides itself, by its own word."""
    found = {}
    for name, tree in TREES.items():
        if not name.endswith("/__init__.py"):
            continue
        text = " ".join((ast.get_docstring(tree) or "").split())
        said = re.search(r"May import: ([\w., ]+?)\. Never here: \S", text)
        assert said, f"{name} does not say 'May import: …. Never here: …'"
        found[folder_of(name)] = () if said[1] == "nothing" else tuple(said[1].split(", "))
    return found


def files() -> Iterator[tuple[str, str]]:
    """(file, file that it imports) for all imports inside the package, anywhere in a file."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "wsload":
                assert not node.level, "a relative import"
                for alias in node.names:
                    yield name, _file(f"{node.module}.{alias.name}") or _file(str(node.module)) or "?"
            elif isinstance(node, ast.Import):
                yield from (
                    (name, _file(each.name) or "?") for each in node.names if each.name.startswith("wsload.")
                )


def _file(module: str) -> str | None:
    place = "/".join(module.split(".")[1:])
    return next((file for file in (f"{place}.py", f"{place}/__init__.py") if file.lstrip("/") in TREES), None)


def third_parties() -> Iterator[tuple[str, str]]:
    """(file, top-level module it imports)."""
    for name, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                yield from ((name, alias.name.split(".")[0]) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield name, node.module.split(".")[0]


def test_each_folder_keeps_to_what_it_says_it_imports() -> None:
    allowed = rules()
    assert allowed.keys() == {folder_of(name) for name in TREES if "/" in name}, "a folder without rules"
    imports = [(here, there) for here, there in files() if here not in FACE and "/" in there]
    assert len(imports) > 50
    broken = []
    for here, there in imports:
        mine, theirs = folder_of(here), folder_of(there)
        if mine != theirs and not any(
            theirs == each or theirs.startswith(f"{each}.") for each in allowed[mine]
        ):
            broken.append(f"{here} imports {there}")
    assert broken == []


def test_what_folders_say_goes_down_only() -> None:
    """Taken at their word, the top-level folders have an order."""
    order: dict[str, set[str]] = {}
    for folder, others in rules().items():
        top = folder.split(".")[0]
        order.setdefault(top, set()).update({each.split(".")[0] for each in others} - {top})
    assert len(order) <= MOST_TOP_FOLDERS
    _acyclic(order)


def test_no_circles_between_files_or_folders() -> None:
    between_files: dict[str, set[str]] = {}
    between_folders: dict[str, set[str]] = {}
    for here, there in files():
        if here in FACE:
            continue
        between_files.setdefault(here, set()).add(there)
        if folder_of(here) != folder_of(there):
            between_folders.setdefault(folder_of(here), set()).add(folder_of(there))
    _acyclic(between_files)
    _acyclic(between_folders)


def _acyclic(graph: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_the_ground_files_import_nothing_of_the_package() -> None:
    ground = {name for name in TREES if "/" not in name} - FACE
    assert [each for each in files() if each[0] in ground and each[1] not in ground] == []


def test_third_parties_come_in_by_their_doors() -> None:
    intruders = [
        (name, module) for name, module in third_parties() if not name.startswith(DOORS.get(module, ("",)))
    ]
    assert intruders == []


@pytest.mark.parametrize(
    "module",
    [
        "wsload",
        "wsload.commands.cli",
        "wsload.load.engine.loop",
        "wsload.load.ws.connection",
        "wsload.protocols.chat.probe.process",
        "wsload.server.run",
    ],
)
def test_neither_locust_nor_gevent_is_loaded_by(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'locust', 'gevent'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_undocumented_names_of_dependencies_are_used_by_compat_modules_only() -> None:
    """A name with a leading underscore that nothing here defines is somebody else's."""
    defined = set()
    for node in (node for tree in TREES.values() for node in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            defined.add(node.id if isinstance(node, ast.Name) else node.attr)
    foreign = []
    for name, tree in TREES.items():
        if name.endswith("compat.py"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                used = [node.attr]
            elif isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("wsload"):
                used = [alias.name for alias in node.names]
            else:
                continue
            foreign += [
                f"{name}: {each}"
                for each in used
                if each.startswith("_") and not each.startswith("__") and each not in defined | DOCUMENTED
            ]
    assert foreign == []


def test_a_file_is_one_room() -> None:
    lengths = {name: len((PACKAGE / name).read_text(encoding="utf-8").splitlines()) for name in TREES}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def undocumented() -> Iterator[str]:
    """Public modules, classes and functions without a docstring."""
    for name, tree in TREES.items():
        if not ast.get_docstring(tree):
            yield name
        for node in tree.body:
            named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            overload = named and any(ast.unparse(each) == "overload" for each in node.decorator_list)
            if named and not overload and not node.name.startswith("_") and not ast.get_docstring(node):
                yield f"{name}: {node.name}"


def test_what_is_public_says_what_it_is() -> None:
    assert list(undocumented()) == []
