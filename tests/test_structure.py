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
DOCUMENTED_BASES = {"gevent.event.Event"}
"""Classes of a dependency that its documentation allows to derive from."""

UNDOCUMENTED = {
    "gevent": "async_ handle_system_error killone set_hub",
    "locust": (
        "start= fire= ui_extra_args_dict default_args_dict csv_prefix html_file sig_term_handler "
        "target_user_count target_user_classes_count user_greenlets update_state spawning_greenlet node_id "
        "STATE_INIT STATE_SPAWNING STATE_RUNNING STATE_CLEANUP STATE_STOPPING STATE_STOPPED STATE_MISSING "
        "LOCUST_STATE_RUNNING LOCUST_STATE_STOPPING get_next_task template_args /swarm /user /stats/requests "
        "bucket_response_time num_reqs_per_sec num_fail_per_sec num_none_requests use_response_times_cache "
        "response_times_cache"
    ),
    "rich": "rich.cells renderable renderables",
    "typer": "typer.core get_parameter_source opts",
    "websockets": (
        "open_tcp_connection create_connection_kwargs process_redirect recv_messages drain_waiters parser_exc "
        "connection_lost_waiter handshake_exc send_data send_context process_event parser handler_tasks speedups "
        "keepalive_task set_connection_exc response_rcvd connect_http_proxy connect_socks_proxy parse_proxy "
        "apply_mask send_in_progress serialize CONT TEXT DATA_OPCODES OPEN USER_AGENT"
    ),
}
"""Names that are used in compat modules only, such as may be tempting; with ``=`` those that must not be assigned."""

MAX_LINES = 300
MAX_TOP_FOLDERS = 8


def folder_of(name: str) -> str:
    """The folder of a file, dotted: ``load.ws``."""
    return ".".join(name.split("/")[:-1])


def is_compat(name: str) -> bool:
    """Whether the file may use undocumented names of a dependency."""
    return name.endswith(("/compat.py", "_compat.py"))


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
    assert len(order) <= MAX_TOP_FOLDERS
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
        "wsload.load.engine.engine",
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
        if is_compat(name):
            continue
        for node in ast.walk(tree):
            used: set[str] = set()
            if isinstance(node, ast.Attribute):
                used = {node.attr} - defined
            elif isinstance(node, ast.Import):
                used = {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("wsload"):
                used = {str(node.module), *(alias.name for alias in node.names)}
            foreign += [
                f"{name}: {each}"
                for each in used - DOCUMENTED
                if each.startswith("_") and not each.startswith("__")
            ]
    assert foreign == []


def used_by(node: ast.AST) -> Iterator[tuple[str, str]]:
    """(dependency, or "" where it may be any's; name) for what a node of a syntax tree uses."""
    match node:
        case ast.Attribute(attr=name, ctx=ast.Store(), value=owner):
            yield "", name
            if ast.unparse(owner) != "self":
                yield "", f"{name}="
        case ast.Attribute(attr=name) | ast.FunctionDef(name=name) | ast.Constant(value=str(name)):
            yield "", name
        case ast.ImportFrom(module=str(module)):
            yield "", module
            yield from ((module.split(".")[0], alias.name) for alias in node.names)
        case ast.Import():
            yield from (("", alias.name) for alias in node.names)


def test_names_that_may_tempt_are_used_by_compat_modules_only() -> None:
    tempting = {
        (dependency, name) for dependency in UNDOCUMENTED for name in UNDOCUMENTED[dependency].split()
    }
    anywhere = {("", name) for _, name in tempting if not name.isupper()}  # constants: only where imported
    found = {
        name: {each for node in ast.walk(tree) for each in used_by(node)} & (tempting | anywhere)
        for name, tree in TREES.items()
    }
    assert {name: used for name, used in found.items() if used and not is_compat(name)} == {}


def test_methods_of_a_dependency_are_replaced_and_overridden_by_compat_modules_only() -> None:
    found = []
    for name, tree in TREES.items():
        if is_compat(name):
            continue
        lines = (PACKAGE / name).read_text(encoding="utf-8").splitlines()
        theirs = {}
        for node in ast.walk(tree):
            match node:
                case ast.Import():
                    theirs.update(
                        {(each.asname or each.name).split(".")[0]: each.name for each in node.names}
                    )
                case ast.ImportFrom():
                    theirs.update({each.asname or each.name: str(node.module) for each in node.names})
        for node in ast.walk(tree):
            match node:
                case ast.ClassDef(bases=bases):
                    found += [
                        f"{name}: {node.name} derives from {base}"
                        for base in map(ast.unparse, bases)
                        if theirs.get(base.split(".")[0], "").split(".")[0] in DOORS
                        and base not in DOCUMENTED_BASES
                    ]
                case ast.Assign(targets=[ast.Attribute(value=owner)]) if ast.unparse(owner) != "self":
                    if "[method-assign" in lines[node.lineno - 1]:
                        found.append(f"{name}: {ast.unparse(node.targets[0])} is replaced")
    assert found == []


def test_each_compat_module_says_where_its_canaries_are_and_they_know_all_it_has() -> None:
    unknown = []
    for name, tree in TREES.items():
        if not is_compat(name):
            continue
        places = re.findall(r"tests/[\w/]+\.py", ast.get_docstring(tree) or "")
        canaries = "".join((ROOT / place).read_text(encoding="utf-8") for place in places)
        has = [
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and not node.name.startswith("_")
        ]
        unknown += [f"{name}: {each}" for each in has if not re.search(rf"\b{each}\b", canaries)]
    assert unknown == []


def test_a_file_is_one_room() -> None:
    lengths = {name: len((PACKAGE / name).read_text(encoding="utf-8").splitlines()) for name in TREES}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


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
