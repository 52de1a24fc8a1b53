"""Hudson's Bay lynx and hare, 1900 to 1920: a neural ODE learns the cycle and forecasts what it has not seen.

    z' = f(z; theta),   z = standardised logarithms of the two populations,   f a network 2-16-2

Thirteen years (1900 to 1912) are for training, eight (1913 to 1920) are held out. The network is trained on all windows of 3
years, then of 6, then on all years, with the exact gradient of the integration. Weight decay is chosen on 1910 to 1912, by
networks that have seen 1900 to 1909 only; no setting was chosen on the held-out years. Several networks from different random
weights show how much of the forecast is chance; their median is the forecast.
"""

import numpy as np

from .. import nn, plot
from .lynx_hare_data import HARE, LYNX, YEARS

TITLE = "Lynx and hare of Hudson's Bay: a neural ODE fitted to 13 years, asked for the next 8"
TRAIN, VALIDATE = 13, 10  # years of training; years of training while the weight decay is chosen
DECAYS = (1e-4, 1e-3, 1e-2)
WINDOWS = (3, 6, 12)
NAMES = ("lynx", "hare")


def run(folder, pictures=True, steps=500, networks=6):
    """Choose the weight decay, train, forecast, save, draw, say what was found; returns the names of the files."""
    log = np.log(np.stack([LYNX, HARE], axis=1))
    validation = {}
    for decay in DECAYS:
        runs = [train(log[:VALIDATE], decay, steps, seed) for seed in range(max(1, networks // 2))]
        forecasts = np.median([predict(model, log[:VALIDATE], YEARS[:TRAIN])[VALIDATE:] for model, _ in runs], axis=0)
        validation[decay] = rms(forecasts - log[VALIDATE:TRAIN])
    decay = min(validation, key=validation.get)

    models, losses = zip(*(train(log[:TRAIN], decay, steps, seed) for seed in range(networks)), strict=True)
    runs = np.array([predict(model, log[:TRAIN], YEARS) for model in models])
    median, future = np.median(runs, axis=0), log[TRAIN:]
    naive = {"the last value (1912) kept": log[TRAIN - 1], "the value of ten years before": log[TRAIN - 10 : -10]}

    print(
        f"   z' = f(z), a network 2-16-2 ({models[0].params.size} weights), z = standardised logarithms; {networks} networks,"
    )
    print(f"   {steps} Adam steps each on windows of 3, 6 and 12 years; weight decay {decay:g}, chosen on 1910-1912")
    print("   errors are root mean squares of natural logarithms (0.5 is a factor of 1.65)")
    print(f"   fit 1900-1912: {rms((median - log)[:TRAIN]):.3f}")
    ours = rms(median[TRAIN:] - future)
    print(f"   forecast 1913-1920: {ours:.3f}")
    for name, guess in naive.items():
        error = rms(guess - future)
        print(f"   naive, {name}: {error:.3f}, {'worse' if error > ours else 'better'} than the forecast")

    best = int(np.argmin(losses))
    models[best].save(folder / "lynx-hare.h5", overwrite=True)
    if not pictures:
        return ["lynx-hare.h5"]
    years = np.linspace(YEARS[0], YEARS[-1], 401)
    curves = np.array([predict(model, log[:TRAIN], years) for model in models])
    draw_fit(years, curves, folder / "lynx-hare.png")
    draw_field(models[best], curves[best], log, folder / "lynx-hare-field.png")
    return ["lynx-hare.h5", "lynx-hare.png", "lynx-hare-field.png"]


def train(log, decay, steps, seed):
    """A neural ODE fitted to consecutive years (n, 2), and its last loss."""
    z = (log - log.mean(axis=0)) / log.std(axis=0)
    model = nn.NeuralODE(nn.MLP([2, 16, 2], activation="softplus", rng=seed), rtol=1e-4, atol=1e-4)
    for length in WINDOWS:
        length = min(length, len(z) - 1)
        starts = len(z) - length
        target = np.stack([z[k : k + starts] for k in range(length + 1)])  # (time, window, species)
        t = np.arange(length + 1.0)
        history = nn.fit(model, z[:starts], t, target, optimizer=nn.Adam(1e-2, weight_decay=decay), steps=steps)
    return model, history.loss[-1]


def predict(model, log, years):
    """Logarithms of the populations in `years`, from the first of the training years `log` on."""
    mean, scale = log.mean(axis=0), log.std(axis=0)
    return model.solve((log[0] - mean) / scale, years - years[0]) * scale + mean


def rms(error):
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(error))))


def draw_fit(years, curves, path):
    """Both populations over the years: data, the networks' median and range, the same ten years before."""
    with plot.style():
        axes = plot.new_axes(2, 1, size=(6.4, 5.0), sharex=True)
        for i, (ax, data) in enumerate(zip(axes, (LYNX, HARE), strict=True)):
            plot.band(years, np.exp(curves[:, :, i].T), ax=ax, quantiles=(0, 1), label="neural ODE: median and range")
            ax.plot(YEARS[TRAIN:], data[TRAIN - 10 : -10], ":", color=plot.COLORS[1], label="naive: ten years before")
            _data(ax, YEARS, data)
            ax.axvline(YEARS[TRAIN - 1] + 0.5, color="0.6", linewidth=0.8, linestyle="--", zorder=0)
            ax.set_ylabel(f"{NAMES[i]} (thousands of pelts)")
            ax.set_ylim(bottom=0)
        axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
        axes[1].set_xlabel("year")
        axes[1].set_xticks(range(1900, 1921, 4))
        plot.save(axes[0], path)


def draw_field(model, curve, log, path):
    """The field that a network has learned, in the plane of the two populations, with its trajectory and the data."""
    mean, scale = log[:TRAIN].mean(axis=0), log[:TRAIN].std(axis=0)

    def field(t, y):
        return model.field((y * np.log(10) - mean) / scale) * scale / np.log(10)

    with plot.style():
        ax = plot.new_axes(size=(5.2, 4.6))
        plot.vector_field(field, (0.45, 1.95), (0.75, 2.0), ax=ax)
        ax.plot(*curve.T / np.log(10), color=plot.COLORS[0], linewidth=2, label="neural ODE, 1900-1920")
        _data(ax, *log.T / np.log(10))
        ax.set_xlabel(r"$\log_{10}$ lynx (thousands of pelts)")
        ax.set_ylabel(r"$\log_{10}$ hare (thousands of pelts)")
        ax.figure.legend(loc="outside upper center", ncols=3, handletextpad=0.5, columnspacing=1.2)
        plot.save(ax, path)


def _data(ax, x, y):
    """Filled points for the training years, hollow ones for those held out."""
    style = {"marker": "o", "linestyle": "none", "color": plot.COLORS[6], "markersize": 4.5, "zorder": 3}
    ax.plot(x[:TRAIN], y[:TRAIN], label="data, trained on", **style)
    ax.plot(x[TRAIN:], y[TRAIN:], label="data, held out", markerfacecolor="white", **style)
