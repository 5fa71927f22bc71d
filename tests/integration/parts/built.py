"""What was built, and where it is."""

import os
import pathlib

import pytest

from parts.programs import target


def built(variable, path, how):
    """A file that a build makes: where the variable says, or under cargo's target directory."""
    file = pathlib.Path(os.environ.get(variable) or target() / path).resolve()
    if not file.exists():
        pytest.fail(f"{file} is not there: run `{how}`, or set {variable}", pytrace=False)
    return file
