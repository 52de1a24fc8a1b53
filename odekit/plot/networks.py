"""Pictures of trained networks: how the training went, the density that a flow has learned."""

import numpy as np

from .._numbers import count, finite_array
from . import checks
from .figure import COLORS, axes


def training(history, ax=None, smooth=1, **line):
    """Curves of a training: loss, losses of the validation, and on a second axis learning rate and length of the gradient.

    Parameters
    ----------
    history : odekit.nn.History
    ax : matplotlib.axes.Axes, optional
    smooth : int
        The loss is a running mean over so many steps: losses of small batches are noisy.
    **line
        For ``ax.plot``, the loss.

    Returns
    -------
    matplotlib.axes.Axes
        Of the losses. What is drawn on the second axis is divided by its largest value.

    Raises
    ------
    ValueError
        If `smooth` is not an integer from 1 to the number of steps.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> x = np.random.default_rng(0).uniform(-1, 1, (64, 2))
    >>> model = odekit.nn.HNN(odekit.nn.MLP([2, 16, 1], rng=0))
    >>> history = odekit.nn.fit(model, x, x[:, ::-1] * [1, -1], steps=50)
    >>> odekit.plot.training(history).get_ylabel()
    'loss'
    """
    checks.having("history", history, "what odekit.nn.fit returns", "step", "loss", "validation", "lr", "grad_norm")
    n = history.loss.size
    if isinstance(smooth, bool) or not isinstance(smooth, (int, np.integer)) or not 1 <= smooth <= max(1, n):
        raise ValueError(f"smooth must be an integer from 1 to {max(1, n)}, the number of steps, but it is {smooth!r}")
    ax, loss = axes(ax), history.loss
    if smooth > 1:
        loss = np.convolve(loss, np.full(smooth, 1.0 / smooth), mode="valid")
    ax.plot(history.step[smooth - 1 :], loss, **{"color": COLORS[0], "label": "loss", **line})
    if len(history.validation):
        ax.plot(*history.validation.T, color=COLORS[1], marker=".", label="validation")
        best = history.validation[:, 0] == history.best_step
        ax.plot(*history.validation[best].T, color=COLORS[1], marker="o", linestyle="none", label="best")
    # losses may be negative: logarithms of densities
    if n and min(history.loss.min(), *history.validation[:, 1], np.inf) > 0.0:
        ax.set_yscale("log")
    ax.set_xlabel("step")
    ax.set_ylabel("loss")
    others = {"learning rate": (history.lr, COLORS[2]), "gradient": (history.grad_norm, COLORS[5])}
    others = {name: (values, color) for name, (values, color) in others.items() if values.size and values.max() > 0.0}
    handles = ax.get_lines()[:]
    if others:
        second = ax.twinx()
        second.set_zorder(ax.get_zorder() - 1)  # behind the loss
        ax.patch.set_visible(False)
        for name, (values, color) in others.items():
            handles += second.plot(history.step, values / values.max(), color=color, linewidth=0.7, label=name)
        second.set_yscale("log")
        second.set_ylabel("learning rate and gradient, relative to the largest")
    ax.legend(handles=handles)
    return ax


def density(model, xlim, ylim, ax=None, context=None, samples=None, points=200, **image):
    """Density of two variables as an image, or a histogram of samples in the same colours.

    Parameters
    ----------
    model : CNF, or callable
        Something with ``log_density(x)``, or ``density(x)`` itself, for x (n, 2).
    xlim, ylim : (float, float)
    ax : matplotlib.axes.Axes, optional
    context : array_like, (m,), optional
        Of a conditional density.
    samples : array_like, (n, 2), optional
        Draw their histogram instead, to be set beside the density.
    points : int
        Along each side; a quarter of that for a histogram.
    **image
        For ``ax.imshow``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the model has another number of variables than two.

    Examples
    --------
    >>> import odekit
    >>> flow = odekit.nn.CNF(odekit.nn.ConcatSquash([2, 8, 2], rng=0), rtol=1e-3, atol=1e-3)
    >>> ax = odekit.plot.density(flow, (-3, 3), (-3, 3), points=20)
    >>> [float(x) for x in ax.get_xlim()]
    [-3.0, 3.0]
    """
    if getattr(model, "dim", 2) != 2:
        raise ValueError(f"density draws two variables, but the model has {model.dim}")
    xlim, ylim, points = checks.limits("xlim", xlim), checks.limits("ylim", ylim), count("points", points)
    if samples is None and not callable(model):
        checks.having(
            "model", model, "a model with log_density, such as odekit.nn.CNF, or a function of points", "log_density"
        )
    if samples is not None:
        samples = finite_array("samples", samples)
        if samples.ndim != 2 or samples.shape[1] != 2:
            raise ValueError(f"samples must have shape (N, 2), but their shape is {samples.shape}")
    ax = axes(ax)
    if samples is not None:
        bins = max(2, points // 4)
        values = np.histogram2d(*samples.T, bins=bins, range=(xlim, ylim), density=True)[0].T
    else:
        # at the centres of the pixels
        x, y = (low + (high - low) * (np.arange(points) + 0.5) / points for low, high in (xlim, ylim))
        grid = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        more = () if context is None else (context,)
        values = np.exp(model.log_density(grid, *more)) if hasattr(model, "log_density") else model(grid, *more)
        values = np.reshape(values, (points, points))
    style = {"cmap": "viridis", "vmin": 0.0, "aspect": "equal"}
    ax.imshow(values, origin="lower", extent=(*xlim, *ylim), **{**style, **image})
    ax.set_xlabel("$x_{1}$")
    ax.set_ylabel("$x_{2}$")
    return ax
