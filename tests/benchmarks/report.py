"""What was measured, as a page with tables and pictures: `python report.py bench/results/X.json`.

A figure by itself says more about the machine than about the filter. So CPU time and throughput are told
as ratios to what each contender is compared with, within a round; the median of the rounds, and the least
and the greatest of them.
"""

import datetime
import json
import pathlib
import statistics
import sys

PAGE = pathlib.Path("docs/performance.md")
RESULTS = pathlib.Path("bench/results")
PICTURES = pathlib.Path("docs/performance")

# What there is a picture of, and what it shows.
FIGURES = {
    "cpu": "CPU time for each request",
    "rate": "Requests a second",
    "p50": "Latency of half of the requests at saturation",
    "p99": "Latency of 99 of 100 requests at saturation",
    "memory": "Memory of the proxy",
}


def main():
    path = pathlib.Path(sys.argv[1])
    publish(json.loads(path.read_text()), path)


def file_of(name=""):
    """A file of this moment, for what is measured."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    return RESULTS / f"{name}{datetime.datetime.now(datetime.UTC):%Y-%m-%d-%H%M%S}.json"


def keep(result, path):
    """Writes all that was measured so far."""
    path.write_text(json.dumps(result, indent=1) + "\n")


def fill(place, text):
    """Puts figures into the page, in the place of this name: the words around it are written by hand."""
    begin, end = f"<!-- {place}: begin -->", f"<!-- {place}: end -->"
    before, found, rest = PAGE.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    assert found and closed, f"{PAGE} has no place for {place}"
    PAGE.write_text(f"{before}{begin}\n{text}{end}{after}")


def text(result):
    """The tables."""
    parts = [
        f"{result['machine']}; {result['versions']['envoy']}; Voussoir {result['versions']['voussoir']}, "
        f"a module of {result['module_bytes']:,} bytes; {result['rounds']} rounds of "
        f"{result['seconds']} s for each contender in turn.\n"
    ]
    for base in dict.fromkeys(result["bases"].values()):
        members = [name for name, other in result["bases"].items() if other == base]
        parts.append(f"| Contender | CPU of {base} | CPU | Requests/s | p50 | p99 | Memory |")
        parts.append("|---|---|---|---|---|---|---|")
        parts += [row(result, name, base) for name in members]
        parts.append("")
    parts.append(
        "CPU: of the proxy's worker (and of the service that it asks, where there is one; of all of "
        "Keystone's processes), for each request; first as the ratio within a round, from the least to "
        "the most. Latency is that at saturation, with as many requests under way as there are connections."
    )
    return "\n".join(parts) + "\n"


def row(result, name, base):
    def middle(figure):
        return statistics.median(sample[figure] for sample in result["samples"][name])

    low, median, high = spread(result, name, base, "cpu")
    return (
        f"| {name} | {ratio(median)} ({ratio(low)} to {ratio(high)}) | {middle('cpu'):,.1f} µs "
        f"| {middle('rate'):,.0f} | {middle('p50'):.2f} ms | {middle('p99'):.2f} ms "
        f"| {result['resident_bytes'][name] >> 20} MiB |"
    )


def ratio(number):
    return f"{number:.2f}" if number >= 0.1 else f"{number:.2g}"


def spread(result, name, base, figure):
    """The least, the median and the greatest ratio of a figure within a round."""
    if figure == "memory":
        ratios = [result["resident_bytes"][name] / result["resident_bytes"][base]]
    else:
        rounds = zip(result["samples"][name], result["samples"][base], strict=True)
        ratios = sorted(mine[figure] / other[figure] for mine, other in rounds)
    return ratios[0], statistics.median(ratios), ratios[-1]


def publish(result, path):
    """Puts the tables and the pictures into the page."""
    PICTURES.mkdir(exist_ok=True)
    base = next(iter(result["bases"].values()))
    names = [name for name, other in result["bases"].items() if other == base]
    links = []
    for figure, title in FIGURES.items():
        file = PICTURES / f"{figure}.svg"
        bars = [(name, *spread(result, name, base, figure)) for name in names]
        file.write_text(picture(f"{title}, as a ratio to {base}", bars))
        links.append(f"![{title}](performance/{file.name})\n")
    source = f"Of `{path}`, by `tests/benchmarks/report.py`.\n"
    fill("figures", "\n".join([source, text(result), *links]))


def picture(title, bars):
    """Bars with their spread, as SVG."""
    left, width, step = 270, 420, 26
    most = max(high for *_, high in bars)
    height = 56 + step * len(bars)

    def x(value):
        return left + width * value / most

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 70} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="100%" height="100%" fill="#fff"/><text x="8" y="22" font-size="14">{title}</text>',
    ]
    for place, (name, low, median, high) in enumerate(bars):
        y = 40 + step * place
        colour = "#2b6cb0" if name.startswith("Voussoir") else "#a0aec0"
        lines += [
            f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{name}</text>',
            f'<rect x="{left}" y="{y}" width="{x(median) - left:.1f}" height="17" fill="{colour}"/>',
            f'<path d="M{x(low):.1f} {y + 8.5}H{x(high):.1f}" stroke="#1a202c"/>',
            f'<text x="{x(high) + 6:.1f}" y="{y + 13}">{median:.2f}</text>',
        ]
    one = x(1)
    lines.append(f'<path d="M{one:.1f} 34V{height - 12}" stroke="#c53030" stroke-dasharray="3"/></svg>')
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
