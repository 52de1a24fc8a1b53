"""The table and the pictures of `work_precision`."""

import itertools

from cases import NAMES, case
from measure import WANTED, geometric_mean, time_at

from odekit import plot

LOOP, CALL = "odekit", "odekit.solve_ivp"
COLORS = dict(
    zip(
        (LOOP, "numbalsoda", "SciPy", "scikit-sundae", "pydiffsol", "diffrax", "heyoka"), plot.COLORS, strict=True
    )
)  # fmt: skip
MARKERS = "os^vD<>PX"
LARGEST_ERROR = 1.0  # of what is drawn


def best_times(methods, leave_out=()):
    """Seconds of the fastest of several methods at the wanted errors, and its name, or None where none gets there."""
    times = []
    for wanted in WANTED:
        found = [(time_at(runs, wanted), name) for name, runs in methods.items() if name not in leave_out]
        times.append(min(((t, name) for t, name in found if t == t), default=None))
    return times


def ratios(ours, theirs):
    """Ours over theirs at the wanted errors; None where one of them does not get there."""
    return [a[0] / b[0] if a and b else None for a, b in zip(ours, theirs, strict=True)]


def _cell(values):
    return f"{values:.2g}" if values is not None and values == values else "–"


def _row(name, loop, call):
    """A row of a table of ratios: compiled loop, whole call in brackets."""
    means = [geometric_mean([v for v in values if v]) for values in (loop, call)]
    cells = [f"{_cell(a)} ({_cell(b)})" for a, b in zip([*loop, means[0]], [*call, means[1]], strict=True)]
    return f"| {name} | " + " | ".join(cells) + " |"


def tables(results):
    """Markdown: per peer the ratios on every problem, where odekit loses, and the times of odekit's methods."""
    head = (
        "| | " + " | ".join(f"{wanted:.0e}" for wanted in WANTED) + " | mean |\n|---" + "|---" * (len(WANTED) + 1) + "|"
    )
    problems = {name: results["problems"][name]["runs"] for name in NAMES if name in results["problems"]}
    ours = {}
    for name, runs in problems.items():
        whole = best_times(runs.get(CALL, {}))
        ours[name] = (best_times(runs[LOOP]) if LOOP in runs else whole), whole
    lines, losses = [], []
    for peer in list(COLORS)[1:]:
        rows, pooled = [], ([], [])
        for name, runs in problems.items():
            if not runs.get(peer):
                continue
            theirs = best_times(runs[peer])
            both = [ratios(mine, theirs) for mine in ours[name]]
            rows.append(_row(name, *both))
            for pool, values in zip(pooled, both, strict=True):
                pool.extend(v for v in values if v)
            losses += [
                f"{name} at {wanted:.0e}: {peer} {b[1]} takes {b[0] * 1e3:.3g} ms, odekit {a[1]} {a[0] * 1e3:.3g} ms"
                for wanted, a, b, r in zip(WANTED, ours[name][0], theirs, both[0], strict=True)
                if r and r > 1
            ]
        if rows:
            mean = f"Geometric mean over all: {geometric_mean(pooled[0]):.2f} ({geometric_mean(pooled[1]):.2f})."
            lines += [f"### against {peer}", "", head, *rows, "", mean, ""]
    lines += ["## Where odekit loses", ""]
    lines += [f"- {loss}" for loss in losses] or ["Nowhere at these errors."]
    lines += ["", "## `auto` against the best method of odekit", "", head]
    pooled = []
    for name, runs in problems.items():
        methods = runs.get(LOOP) or runs[CALL]
        values = ratios(best_times({"auto": methods["auto"]}), best_times(methods))
        pooled += [v for v in values if v]
        lines.append(
            f"| {name} | " + " | ".join(_cell(v) for v in [*values, geometric_mean([v for v in values if v])]) + " |"
        )
    lines += [
        "",
        f"Geometric mean: {geometric_mean(pooled):.2f}.",
        "",
        "## The fastest method of odekit, milliseconds",
        "",
    ]
    lines += [head.replace(" mean |", "").removesuffix("|---|") + "|"]
    for name in problems:
        cells = [f"{t[1]} {t[0] * 1e3:.3g}" if t else "–" for t in ours[name][0]]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return lines


def draw(results, names, path):
    """One picture: a diagram per problem, a colour per package, a marker per method."""
    columns = 3
    with plot.style():
        axes = plot.new_axes(
            -(-len(names) // columns), columns, size=(11.0, 3.2 * -(-len(names) // columns)), squeeze=False
        )
        for ax, name in itertools.zip_longest(axes.flat, names):
            if name is None:
                ax.set_axis_off()
                continue
            for package, methods in results["problems"][name]["runs"].items():
                if package == CALL and LOOP in results["problems"][name]["runs"]:
                    continue
                color = COLORS[LOOP if package == CALL else package]
                for marker, (method, runs) in zip(MARKERS, methods.items(), strict=False):
                    shown = [(error, seconds) for _, seconds, error in runs if error <= LARGEST_ERROR]
                    curve = {f"{package} {method}": tuple(zip(*shown, strict=True)) or ((), ())}
                    plot.work_precision(curve, ax=ax, color=color, marker=marker, markersize=3, linewidth=0.8)
            ax.set_title(name)
            if ax.get_legend() is not None:
                ax.get_legend().remove()
        # one legend for all, below: inside the axes it would hide curves
        lines = {line.get_label(): line for ax in axes.flat for line in ax.get_lines()}
        figure = axes.flat[0].figure
        figure.legend(lines.values(), lines.keys(), loc="outside lower center", fontsize=7, ncols=6)
        plot.save(axes.flat[0], path, dpi=130)


def write(results, out):
    """Write ``work_precision.md`` and its pictures into a folder."""
    known = [name for name in NAMES if name in results["problems"]]
    groups = {"stiff": [n for n in known if case(n).stiff], "nonstiff": [n for n in known if not case(n).stiff]}
    about, dates = results["machine"], sorted({results["problems"][name]["date"] for name in known})
    versions = ", ".join(f"{package} {version}" for package, version in about["versions"].items())
    lines = [
        "# Work and precision",
        "",
        "Written by `asv_benchmarks/peers/work_precision.py`; the runs are in [work_precision.json](work_precision.json).",
        "",
        f"{' to '.join(dict.fromkeys((dates[0], dates[-1])))}, {about['processor']}, {about['cores']} cores, "
        f"Python {about['python']}, {versions}.",
        "",
        "Each solver ran over relative tolerances from 1e-2 to 1e-13, warm, on one thread, in one process with all the others, "
        "best of several. The error is the largest relative error of a component at the end. Times at an error are "
        "interpolated between neighbouring runs, both logarithmic. **The tables give odekit's time divided by the peer's, the "
        "best method of each: below 1 odekit is faster.** First the compiled loop (what a caller from compiled code pays), in "
        "brackets a whole `solve_ivp` from Python. Peers are called from Python in the way that costs them least.",
        "",
        "Right-hand sides:",
        "",
        *[f"- {name}: {sentence}" for name, sentence in results["right_hand_sides"].items()],
        "",
        *([f"Not installed, and left out: {', '.join(results['missing'])}.", ""] if results["missing"] else []),
    ]
    for group, names in groups.items():
        if names:
            draw(results, names, out / "images" / f"work-precision-{group}.png")
            lines += [f"![Time against error, {group} problems](images/work-precision-{group}.png)", ""]
    lines += ["## Ratios at equal error", "", *tables(results), ""]
    (out / "work_precision.md").write_text("\n".join(lines))
