"""The ways between the packages, and the surface that is promised."""

import ast
from collections.abc import Collection, Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import fleetmeter
import fleetmeter_exporter

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "fleetmeter": ROOT / "state" / "fleetmeter",
    "fleetmeter_exporter": ROOT / "exporter" / "fleetmeter_exporter",
    "fleetmeter_app": ROOT / "app" / "fleetmeter_app",
    "fleetmeter_board": ROOT / "board" / "fleetmeter_board",
}
WINGS: dict[str, set[str]] = {
    # ground
    "excerpt": set(),
    "errors": {"excerpt"},
    "keywords": set(),
    "_version": set(),
    "lua": set(),
    "escaping": set(),
    "secret_file": {"errors"},
    # what stands in the store, and how it is reached
    "schema": {"errors", "excerpt"},
    "connection": {"errors", "secret_file", "schema"},
    "settings": {"errors", "excerpt", "schema", "connection"},
    "embedded": {"errors", "connection"},
    # what is recorded, and how it is handed over
    "values": {"schema"},
    "writer": {"errors", "excerpt", "schema", "connection", "values", "lua"},
    # how it is read
    "reader": {"errors", "schema", "connection"},
    # what views of a fleet show of it
    "watching": {"errors", "settings", "schema", "connection", "reader"},
    # what stands in for prometheus_client's classes
    "patching": {"schema", "values"},
    # what a process lives through; it needs the reader only to say goodbye for another process
    "process": {
        "errors",
        "excerpt",
        "keywords",
        "_version",
        "settings",
        "schema",
        "connection",
        "values",
        "writer",
        "patching",
        "reader",
    },
    "launch": {"__init__"},
    # what people call
    "attribution": {"errors", "process"},
    "pricing": {"errors", "keywords"},
    "llm": {"errors", "excerpt", "keywords", "attribution", "pricing", "process"},
    "instrumentation": {"errors", "keywords", "attribution", "process", "llm", "pricing"},
    "testing": set(),
    "multiprocess": {"errors", "settings", "schema", "writer", "process"},
    "cli": {
        "errors",
        "excerpt",
        "_version",
        "escaping",
        "settings",
        "lua",
        "schema",
        "connection",
        "values",
        "reader",
        "watching",
        "writer",
        "embedded",
        "pricing",
    },
    "__init__": {"errors", "_version", "process", "instrumentation"},
}
"""The wings of the library, and what each may import beside itself: the plan of ARCHITECTURE.md as data."""

ROOMS: dict[str, set[str]] = {
    # ground
    "errors": set(),
    "tables": {"errors"},
    # what knows no I/O
    "wire": {"errors"},
    # what models may call
    "tools": {"errors", "tables", "wire"},
    # what stands on a request's way, and how it speaks with the store
    "store": set(),
    "guarding": {"errors", "store", "tables"},
    "caching": {"errors", "guarding", "store", "tables"},
    "seams": {"caching", "guarding"},
    # the whole configuration: each of the rooms above reads its own table of it
    "config": {"caching", "errors", "guarding", "tables", "tools"},
    "routing": {"config", "errors"},
    # what calls upstreams, and what is recorded of it
    "transport": {"config", "errors", "seams"},
    "accounting": {"transport", "wire"},
    # what answers clients
    "serving": {
        *("accounting", "caching", "config", "errors", "guarding", "routing", "seams", "tools", "transport", "wire"),
    },
    "main": {"caching", "config", "errors", "guarding", "routing", "seams", "serving"},
    "command": {"main"},
    "cache_gauges": set(),
    # what stands beside the gateway
    "upstream": {"config", "errors", "tables"},
    "demo": {"config", "errors", "guarding", "routing", "upstream"},
    "lua": set(),
    "__init__": set(),
}
"""The rooms of the app, and what each may import beside itself."""

MAY_IMPORT = {
    "fleetmeter": {"fleetmeter"},
    "fleetmeter_exporter": {"fleetmeter", "fleetmeter_exporter"},
    "fleetmeter_app": {"fleetmeter", "fleetmeter_exporter", "fleetmeter_app"},
    "fleetmeter_board": set(PACKAGES),
}


def modules(package: str) -> dict[str, Path]:
    """The files of a package, by the dotted name of their module."""
    folder = PACKAGES[package].parent
    names = {path: ".".join(path.relative_to(folder).with_suffix("").parts) for path in PACKAGES[package].rglob("*.py")}
    return {name.removesuffix(".__init__"): path for path, name in names.items()}


def imported(path: Path, known: Collection[str]) -> Iterator[str]:
    """The modules among those known that a file imports: in functions and under `TYPE_CHECKING`, too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield from (name for name in (inner if inner in known else str(node.module),) if name in known)


def wing_of(module: str) -> str:
    """The wing of the library that a module belongs to; `__init__` for the package itself."""
    return (*module.split("."), "__init__")[1]


def imports(package: Path) -> Iterator[tuple[str, str]]:
    """File and top-level name of each import of a package."""
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield path.name, alias.name.partition(".")[0]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: imports are absolute"
                yield path.name, str(node.module).partition(".")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_one_way(package: str) -> None:
    """The board may import all, the app exporter and library, the exporter the library, the library none of them."""
    ours = {(file, name) for file, name in imports(PACKAGES[package]) if name in PACKAGES}
    assert ours, "the packages import themselves, so an empty set means that nothing was read"
    assert not {(file, name) for file, name in ours if name not in MAY_IMPORT[package]}


@cache
def directions() -> dict[str, set[str]]:
    """By wing of the library: the other wings that it imports."""
    found: dict[str, set[str]] = {wing: set() for wing in WINGS}
    library = modules("fleetmeter")
    for module, path in library.items():
        found[wing_of(module)].update(map(wing_of, imported(path, library)))
    return {wing: targets - {wing} for wing, targets in found.items()}


def test_the_plan_names_every_wing() -> None:
    """The table has each folder and each module at the top of the library, and no other."""
    assert {wing_of(module) for module in modules("fleetmeter")} == WINGS.keys()


@pytest.mark.parametrize("wing", WINGS)
def test_each_wing_imports_what_the_plan_says(wing: str) -> None:
    """No import goes against the plan's directions."""
    assert directions()[wing] <= WINGS[wing]


def test_each_room_of_the_app_imports_what_the_plan_says() -> None:
    """The table has each folder and each module at the top of the app, and no import goes beyond it."""
    app = modules("fleetmeter_app")
    found: dict[str, set[str]] = {}
    for module, path in app.items():
        room = wing_of(module)
        found.setdefault(room, set()).update(target for target in map(wing_of, imported(path, app)) if target != room)
    assert found.keys() | {"lua"} == ROOMS.keys()
    assert {room: targets - ROOMS[room] for room, targets in found.items() if targets - ROOMS[room]} == {}


@pytest.mark.parametrize("plan", [WINGS, ROOMS], ids=["wings", "rooms"])
def test_the_plan_has_no_circle(plan: dict[str, set[str]]) -> None:
    """Wings and rooms can be put in an order in which each imports only earlier ones."""
    assert len(list(TopologicalSorter(plan).static_order())) == len(plan)


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_have_no_circle(package: str) -> None:
    """Inside the wings, too, there is such an order."""
    known = modules(package)
    graph = {module: set(imported(path, known)) - {module} for module, path in known.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(known)


@pytest.mark.parametrize("folder", ["state", "exporter", "app", "board"])
def test_component_folders_are_no_packages(folder: str) -> None:
    """A component folder holds its import package and no module: it would be importable a second time."""
    assert not list((ROOT / folder).glob("*.py"))


@pytest.mark.parametrize("module", [fleetmeter, fleetmeter_exporter])
def test_all_is_what_there_is(module: object) -> None:
    """Every promised name exists, once."""
    names: list[str] = vars(module)["__all__"]
    assert len(names) == len(set(names))
    assert [name for name in names if not hasattr(module, name)] == []


def test_keys_are_built_in_one_module() -> None:
    """Only keys.py writes the hash tag, so that no other place can build or split a key."""
    holders = {
        path.name for package in PACKAGES.values() for path in package.rglob("*.py") if "{fm:" in path.read_text()
    }
    assert holders == {"keys.py"}
