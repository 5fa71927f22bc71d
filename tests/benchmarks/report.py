"""What was measured, as a page with tables and pictures: `python report.py bench/results/X.json`.

A figure by itself says more about the machine than about the filter. So CPU time and throughput are told
as ratios to what each contender is compared with, within a round; the median of the rounds, and the
quartiles, between which the middle half of them lies.
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


def tell(place, result, text, *, publishes, path=None):
    """The end of the benchmark of this name: what it came to is kept and shown, and published if that is
    wanted."""
    path = path or file_of(f"{place}-")
    keep(result, path)
    print(f"{text}\nAll that was measured is in {path}.", flush=True)
    if publishes:
        source = f"Of `{path}`, by `tests/benchmarks/{place}.py`.\n"
        fill(place, f"{source}\n{text}")


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
        f"{result['machine']}; {made_of(result)}; a module of {result['module_bytes']:,} bytes; "
        f"{result['rounds']} rounds of {result['seconds']} s for each contender in turn.\n"
    ]
    for base in dict.fromkeys(result["bases"].values()):
        members = [name for name, other in result["bases"].items() if other == base]
        parts.append(f"| Contender | CPU of {base} | CPU | Requests/s | p50 | p99 | Memory |")
        parts.append("|---|---|---|---|---|---|---|")
        parts += [row(result, name, base) for name in members]
        parts.append("")
    parts.append(
        "CPU: of the proxy's worker (and of the service that it asks, where there is one; of all "
        "processes of Keystone and of the application), for each request; first as the ratio within a "
        "round: the median, and between which ratios the middle half of all rounds lies. Latency is that at "
        "saturation, with as many requests under way as there are connections."
    )
    if result.get("added_to"):
        parts += ["", *added(result)]
    parts += ["", *aimed(result)]
    return "\n".join(parts) + "\n"


def made_of(result):
    """What was measured, and with what."""
    names = {"voussoir": "Voussoir", "linux": "Linux", "python": "Python", "keystone": "Keystone"}
    versions = dict(result["versions"])
    envoy = versions.pop("envoy")
    # wrk says its own name.
    others = [versions.pop("wrk")]
    others += [f"{names.get(name, name)} {version}" for name, version in versions.items()]
    return f"{envoy}; {', '.join(others)}"


def added(result):
    """What a token adds where an application is behind who checks it, or with it in one process."""
    reference = next(name for name in result["added_to"] if name.startswith("Voussoir"))
    lines = [
        "What a warm token adds to the CPU time of a request, to that of who checks it and of the "
        "application together:\n",
        "| Who checks the token | CPU that it adds | times what Voussoir, all headers, adds |",
        "|---|---|---|",
    ]
    for name in result["added_to"]:
        low, median, high = spread_of(differences(result, name, "cpu"))
        least, times, most = spread_of(times_as_much(result, name, reference))
        alone = ""
        if "worker" in result["samples"][name][0]["parts"]:
            worker = statistics.median(differences(result, name, "worker"))
            alone = f", {worker:.1f} µs of it to the proxy's worker"
        lines.append(
            f"| {name} | {median:.1f} µs ({low:.1f} to {high:.1f}){alone} "
            f"| {times:.1f} ({least:.1f} to {most:.1f}) |"
        )
    return [*lines, "", "The time of memcached itself does not count."]


def aimed(result):
    """What was aimed at, and what of it is reached, of what was measured."""
    lines = [
        "What was aimed at, and what is reached: as the median of the ratios within a round, and as the ratio "
        "of rounds that were disturbed little, of which each had a quarter that were disturbed less:\n",
        "| CPU for each request | of | Aim | Median | Undisturbed |",
        "|---|---|---|---|---|",
    ]
    for name, base, most in result["aims"]:
        samples = [result["samples"].get(which) for which in (name, base)]
        if None in samples:
            continue
        mine, other = ([sample["cpu"] for sample in some] for some in samples)
        median = statistics.median(a / b for a, b in zip(mine, other, strict=True))
        undisturbed = spread_of(mine)[0] / spread_of(other)[0]
        aim = f"at most {most:.3g}" if most else ""
        lines.append(f"| {name} | {base} | {aim} | {ratio(median)} | {ratio(undisturbed)} |")
    return lines


def differences(result, name, part):
    """How much more one takes than what it is compared with, in each round."""

    def figure(sample):
        return sample["cpu"] if part == "cpu" else sample["parts"][part]

    without = result["samples"][result["added_to"][name]]
    rounds = zip(result["samples"][name], without, strict=True)
    return [figure(mine) - figure(other) for mine, other in rounds]


def times_as_much(result, name, reference):
    """How many times as much one adds as the other does, in each round."""
    theirs = differences(result, reference, "cpu")
    rounds = zip(differences(result, name, "cpu"), theirs, strict=True)
    return [mine / other for mine, other in rounds]


def spread_of(figures):
    """The median, between the lower and the upper quartile."""
    ranked = sorted(figures)
    beyond = len(ranked) // 4
    return ranked[beyond], statistics.median(ranked), ranked[-1 - beyond]


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
    """The median ratio of a figure within a round, between its quartiles."""
    if figure == "memory":
        return spread_of([result["resident_bytes"][name] / result["resident_bytes"][base]])
    rounds = zip(result["samples"][name], result["samples"][base], strict=True)
    return spread_of([mine[figure] / other[figure] for mine, other in rounds])


def publish(result, path):
    """Puts the tables and the pictures into the page."""
    base = next(iter(result["bases"].values()))
    names = [name for name, other in result["bases"].items() if other == base]
    links = []
    for figure, title in FIGURES.items():
        bars = [(name, *spread(result, name, base, figure)) for name in names]
        links.append(draw(figure, f"{title}, as a ratio to {base}", bars))
    signed = [name for name, other in result["bases"].items() if other == f"no filter, {body_of(name)}"]
    if bars := [(name, *spread(result, name, result["bases"][name], "cpu")) for name in signed]:
        links.append(draw("bodies", "CPU time for a signed body, as a ratio to no filter", bars))
    if others := result.get("added_to"):
        reference = next(name for name in others if name.startswith("Voussoir"))
        bars = [(name, *spread_of(times_as_much(result, name, reference))) for name in others]
        links.append(draw("added", "CPU time that a token adds, as a ratio to Voussoir", bars))
    source = f"Of `{path}`, by `tests/benchmarks/report.py`.\n"
    fill("figures", "\n".join([source, text(result), *links]))


def body_of(name):
    """What a signed request has, by the name of its contender."""
    return name.removeprefix("Voussoir, SigV4, ")


def draw(name, title, bars):
    """Makes a picture, and the link to it."""
    PICTURES.mkdir(exist_ok=True)
    file = PICTURES / f"{name}.svg"
    file.write_text(picture(title, bars))
    return f"![{title}](performance/{file.name})\n"


def picture(title, bars):
    """Bars with their spread, as SVG."""
    left, width, step = 330, 420, 26
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
