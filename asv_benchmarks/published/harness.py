"""What the published results share: the command line, the runs over seeds, and their place in docs/published_results.json."""

import argparse
import dataclasses
import datetime
import json
import math
import pathlib
import platform
import statistics
import sys
import time

import odekit

DOCS = pathlib.Path(__file__).parents[2] / "docs"


@dataclasses.dataclass(frozen=True)
class Figure:
    """A number that a run gives.

    Parameters
    ----------
    name : str
        Its key in what the run returns.
    published : float or None
        What the paper or its code reports; None: nothing.
    bar : float or None
        The mean over the seeds has to be at most so large; None: nothing is asked, as of baselines.
    at_least : bool
        Whether it has to be at least so large instead.
    """

    name: str
    published: float | None = None
    bar: float | None = None
    at_least: bool = False

    def met(self, mean):
        """Whether a mean is good enough; None where nothing is asked."""
        if self.bar is None:
            return None
        return bool(mean >= self.bar if self.at_least else mean <= self.bar)


def spread(values):
    """Mean and standard deviation of a sample; the deviation is NaN for a single value."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else math.nan


def machine():
    """Where it ran."""
    name = ""
    try:
        with open("/proc/cpuinfo") as lines:
            name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "")
    except OSError:
        pass
    return f"{name or platform.processor() or platform.machine()}, one thread, Python {platform.python_version()}"


def main(run, figures, *, title, source, settings=(), notes=(), arguments=None, name=None):
    """Run an experiment for several seeds, print its figures beside the published ones and, if wanted, keep them.

    Parameters
    ----------
    run : callable
        ``run(seed, options)`` returns a dict of numbers by the names of the figures.
    figures : sequence of Figure
    title, source : str
        Of the table.
    settings : sequence of (str, type, default, help)
        Further options of the command line.
    notes : sequence of str
        What a reader has to know: differences from the published protocol, reasons of misses.
    arguments : list of str, optional
        Instead of the command line.
    name : str, optional
        Key of the results; by default the name of the script.

    Returns
    -------
    dict of list
        The figures, one value per seed.
    """
    module = sys.modules[run.__module__]
    parser = argparse.ArgumentParser(description=(module.__doc__ or title).splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds, from 0")
    parser.add_argument("--keep", action="store_true", help="write the figures into docs/published_results.*")
    for option, kind, default, text in settings:
        parser.add_argument(f"--{option}", type=kind, default=default, help=text)
    options = parser.parse_args(arguments)
    values, seconds = {figure.name: [] for figure in figures}, []
    for seed in range(options.seeds):
        start = time.process_time()
        found = run(seed, options)
        seconds.append(time.process_time() - start)
        for key, value in found.items():
            values[key].append(float(value))
        line = ", ".join(f"{key} {value:.3g}" for key, value in found.items())
        print(f"seed {seed}: {line}; {seconds[-1]:.0f} s", flush=True)
    for figure in figures:
        mean, deviation = spread(values[figure.name])
        published = "" if figure.published is None else f", published {figure.published:.3g}"
        verdict = {True: ", reached", False: ", MISSED", None: ""}[figure.met(mean)]
        print(f"{figure.name}: {mean:.3g} ± {deviation:.2g}{published}{verdict}")
    if options.keep:
        entry = {
            "title": title,
            "source": source,
            "command": " ".join((pathlib.Path(module.__file__).name, *_changed(options, settings))),
            "figures": [{**dataclasses.asdict(figure), "values": values[figure.name]} for figure in figures],
            "settings": {
                option: getattr(options, option.replace("-", "_")) for option, kind, *_ in settings if kind is not str
            },
            "seconds": seconds,
            "notes": list(notes),
            "date": datetime.date.today().isoformat(),
            "machine": machine(),
            "versions": {"odekit": odekit.__version__},
        }
        keep(name or pathlib.Path(module.__file__).stem, entry)
    return values


def _changed(options, settings):
    """What of the command line differs from the defaults; paths of this machine are not told."""
    for option, _, default, _ in settings:
        value = getattr(options, option)
        if value != default and option != "picture":
            yield f"--{option} {'PATH' if isinstance(value, str) and '.' in value else value}"


def keep(name, entry, docs=DOCS):
    """Put the results of an experiment into the JSON file, and write the page anew."""
    path = docs / "published_results.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    results[name] = entry
    path.write_text(json.dumps(dict(sorted(results.items())), indent=1, ensure_ascii=False) + "\n")
    (docs / "published_results.md").write_text(page(results))


def page(results):
    """The page of all results, in Markdown."""
    lines = [
        "# Published results",
        "",
        "Results of papers on neural differential equations, made again by odekit: one command each, `python "
        "asv_benchmarks/published/NAME.py`, on one core. Written by these commands with `--keep`; the single runs are in "
        "[published_results.json](published_results.json). Every figure is a mean over seeds ± standard deviation. *Reached* "
        "means that the mean is at least as good as what was asked for; of baselines nothing is asked.",
        "",
    ]
    for entry in results.values():
        total = sum(entry["seconds"])
        lines += [
            f"## {entry['title']}",
            "",
            f"{entry['source']} Command `{entry['command']}`: {len(entry['seconds'])} seeds, {total / 60:.1f} minutes of one core; "
            f"{entry['date']}, {entry['machine']}.",
            "",
            "| | odekit | published | asked for | |",
            "|---|---|---|---|---|",
        ]
        lines += [_row(figure) for figure in entry["figures"]]
        for pictures in (False, True):
            group = [note for note in entry["notes"] if note.startswith("![") == pictures]
            lines += ["", *(group if pictures else [f"- {note}" for note in group])] if group else []
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _row(recorded):
    values = recorded["values"]
    figure = Figure(*(recorded[field.name] for field in dataclasses.fields(Figure)))
    mean, deviation = spread(values)
    asked = "–" if figure.bar is None else f"{'≥' if figure.at_least else '≤'} {figure.bar:.3g}"
    published = "–" if figure.published is None else f"{figure.published:.3g}"
    verdict = {True: "reached", False: "**missed**", None: ""}[figure.met(mean)]
    return f"| {figure.name} | {mean:.3g} ± {deviation:.2g} | {published} | {asked} | {verdict} |"
