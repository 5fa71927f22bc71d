"""Where the programs are that the tests run."""

import os
import pathlib
import shutil
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]


def target():
    """Where builds and installed parts are."""
    return ROOT / os.environ.get("CARGO_TARGET_DIR", "target")


def program(name):
    """A program of the virtual environment that the tests run in, of target/tools, or on PATH."""
    places = [pathlib.Path(sys.executable).parent, *sorted(target().glob("tools/*/bin"))]
    path = shutil.which(name, path=os.pathsep.join(map(str, places))) or shutil.which(name)
    assert path, f"{name} is not there: `scripts/test integration` installs it"
    return path


def node_modules():
    """What of npm is installed for the tests."""
    path = target() / "javascript/node_modules"
    assert path.exists(), f"{path} is not there: `scripts/test integration` installs it"
    return path
