"""`python -m release [TAG]`: the whole check; what it built is in dist/ at the end."""

import re
import shutil
import sys
import tempfile
from pathlib import Path

from release.building import ROOT, build, digest, run
from release.contents import check_sdist, check_version, check_wheel
from release.trial import attempt, bill_of_materials


def say(line: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(tag: str) -> int:
    """Build, compare, look through, try; ends with a reason at the first thing that is not as it should be."""
    version = re.findall(r'__version__ = "(.*)"', (ROOT / "state" / "fleetmeter" / "_version.py").read_text())[0]
    say(check_version(version, tag))
    with tempfile.TemporaryDirectory(prefix="release-") as name:
        folder = Path(name)
        first, second = build(folder / "first", 0o022), build(folder / "second", 0o077)
        assert first.keys() == second.keys()
        for file in first:
            if digest(first[file]) != digest(second[file]):
                raise SystemExit(f"release-check: {file} differs between two builds of the same files")
        say(f"two builds are equal: {', '.join(first)}")
        say(run(sys.executable, "-m", "twine", "check", "--strict", *first.values()).strip())
        (sdist,) = (path for file, path in first.items() if file.endswith(".tar.gz"))
        (wheel,) = (path for file, path in first.items() if file.endswith(".whl"))
        say(check_wheel(wheel))
        say(check_sdist(sdist))
        for line in attempt(folder / "tried", wheel, version):
            say(line)
        say(bill_of_materials(folder / "bill", wheel, folder / f"fleetmeter-{version}.cdx.json"))
        dist = ROOT / "dist"
        shutil.rmtree(dist, ignore_errors=True)
        dist.mkdir()
        for path in (sdist, wheel, folder / f"fleetmeter-{version}.cdx.json"):
            shutil.copy(path, dist)
    say("in dist/: what would be published, and its bill of materials (*.cdx.json)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
