"""The ways between the packages, and the surface that is promised."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fleetmeter
import fleetmeter_exporter

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "fleetmeter": ROOT / "state" / "fleetmeter",
    "fleetmeter_exporter": ROOT / "exporter" / "fleetmeter_exporter",
    "fleetmeter_app": ROOT / "app" / "fleetmeter_app",
}
MAY_IMPORT = {
    "fleetmeter": {"fleetmeter"},
    "fleetmeter_exporter": {"fleetmeter", "fleetmeter_exporter"},
    "fleetmeter_app": set(PACKAGES),
}


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
    """The app may import exporter and library, the exporter the library, the library neither of them."""
    ours = {(file, name) for file, name in imports(PACKAGES[package]) if name in PACKAGES}
    assert ours, "the packages import themselves, so an empty set means that nothing was read"
    assert not {(file, name) for file, name in ours if name not in MAY_IMPORT[package]}


@pytest.mark.parametrize("folder", ["state", "exporter", "app"])
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
