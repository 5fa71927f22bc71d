"""A file of vectors: written by a script, or compared with what the script would write."""

import importlib.metadata
import json
import sys


def run(script, output, make, package, indent=None):
    """The whole of such a script, whose one argument may be `--check`.

    `script` is its documentation, `make` makes what stands in the file `output`, and `package` is whose
    word is written down, with the version that has to be there: `keystone 30`.
    """
    arguments = sys.argv[1:]
    if arguments not in ([], ["--check"]):
        sys.exit(script)
    name, version = package.split()
    if importlib.metadata.version(name).partition(".")[0] != version:
        sys.exit(f"{sys.argv[0]}: {package} is needed, see tests/requirements.txt")
    content = make()
    text = json.dumps(content, indent=indent, allow_nan=False) if indent else by_lines(content)
    if not arguments:
        output.write_text(text + "\n")
    elif output.read_text() != text + "\n":
        sys.exit(f"{sys.argv[0]}: {output.name} is not what this script writes")


def by_lines(content):
    """JSON with one entry of a list a line."""
    lines = []
    for name, value in content.items():
        if isinstance(value, list):
            value = "[\n  " + ",\n  ".join(json.dumps(one) for one in value) + "\n ]"
        else:
            value = json.dumps(value)
        lines.append(f" {json.dumps(name)}: {value}")
    return "{\n" + ",\n".join(lines) + "\n}"
