"""How large the module is: `scripts/bench-sizes` runs this with what it has built."""

import argparse
import pathlib

import machine
import report


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench-sizes", description=__doc__.partition("\n")[0])
    parser.add_argument("modules", nargs="+", metavar="NAME=BUILT=SHIPPED")
    parser.add_argument(
        "--publish", action="store_true", help="writes docs/performance.md of the results, too"
    )
    arguments = parser.parse_args()
    modules = {}
    for module in arguments.modules:
        name, *files = module.split("=")
        built, shipped = (pathlib.Path(file).stat().st_size for file in files)
        modules[name] = {"built": built, "shipped": shipped}
    result = {
        "versions": {
            "voussoir": machine.first_line("git", "describe", "--always", "--dirty"),
            "rustc": machine.first_line("rustc", "--version"),
        },
        "bytes": modules,
    }
    report.tell("sizes", result, text(result), publishes=arguments.publish)


def text(result):
    """What it came to."""
    lines = [
        f"Voussoir {result['versions']['voussoir']}; {result['versions']['rustc']}.\n",
        "| | `scripts/build` | `scripts/release` | against SIMD |",
        "|---|---|---|---|",
    ]
    shipped = result["bytes"]["SIMD"]["shipped"]
    for name, sizes in result["bytes"].items():
        built, mine = sizes["built"], sizes["shipped"]
        lines.append(f"| {name} | {built:,} bytes | {mine / 1024:,.0f} KiB | {mine / shipped:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
