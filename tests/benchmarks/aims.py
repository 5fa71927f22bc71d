"""What was aimed at before anything was built, and what of it is reached."""

import statistics

from contenders import BASE, CACHED_VALIDATION, VALIDATION

EMPTY, CALLS = "empty wasm filter", "wasm filter, the calls alone"
WARM, NEW = "Voussoir, warm token, two headers", "Voussoir, new tokens, two headers"
SIGNED = "Voussoir, SigV4, two headers"
ANSWERS = "Voussoir answers validations"

# Contender, what it is compared with, the most that its CPU time may be of that.
MOST = [
    (WARM, BASE, 0.85),
    (NEW, BASE, 1.0),
    (WARM, EMPTY, 1.15),
    (CALLS, EMPTY, None),
    (WARM, CALLS, None),
    (SIGNED, BASE, 1.15),
    (ANSWERS, VALIDATION, 1 / 1000),
    (ANSWERS, CACHED_VALIDATION, 1 / 100),
]

HEAD = [
    "What was aimed at, as the median of the ratios within a round, and as the ratio of the rounds that "
    "were disturbed the least (the lowest quartile of each):\n",
    "| CPU for each request | of | Aim | Reached | undisturbed |",
    "|---|---|---|---|---|",
]


def rows(result):
    """A row for each aim whose contenders were measured."""
    samples = result["samples"]
    for name, base, most in MOST:
        if name in samples and base in samples:
            mine, other = ([sample["cpu"] for sample in samples[which]] for which in (name, base))
            reached = statistics.median(a / b for a, b in zip(mine, other, strict=True))
            undisturbed = quartile(mine) / quartile(other)
            aim = "" if most is None else f"at most {most:.3g}"
            yield f"| {name} | {base} | {aim} | {reached:.3g} | {undisturbed:.3g} |"


def quartile(figures):
    """A quarter of all are less."""
    return sorted(figures)[len(figures) // 4]
