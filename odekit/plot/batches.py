"""Pictures of batches whose trajectories took steps of their own."""

import numpy as np

from . import checks
from .figure import COLORS, axes


def nfe(found, i=0, j=1, ax=None, **points):
    """Evaluations of the field that each trajectory took, over its initial state: which inputs are hard.

    Parameters
    ----------
    found : odekit.nn.Trajectories
        From `odekit.nn.NeuralODE.trajectories`, or anything with `y` (T, B, d) and `nfev` (B,).
    i, j : int
        Components of the initial state on the axes. With one component, the evaluations are on the second axis; with more,
        they are colours.
    ax : matplotlib.axes.Axes, optional
    **points
        For ``ax.scatter``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If `found` is something else, or has no such components.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> model = odekit.nn.NeuralODE(odekit.nn.MLP([2, 16, 2], rng=0), step_control="per_sample")
    >>> found = model.trajectories(np.random.default_rng(0).normal(size=(200, 2)), [0.0, 5.0])
    >>> ax = odekit.plot.nfe(found)
    >>> ax.get_ylabel()
    '$y_{1}(0)$'
    """
    checks.having("found", found, "what odekit.nn.NeuralODE.trajectories returns", "y", "nfev", ndim=3)
    if np.shape(found.nfev) != found.y.shape[1:2]:
        raise ValueError(
            f"found must have y (T, B, d) and nfev (B,), but their shapes are {found.y.shape} and {np.shape(found.nfev)}"
        )
    start = found.y[0]
    for name, component in (("i", i), ("j", j)) if start.shape[1] > 1 else ():
        checks.component(name, component, start.shape[1])
    ax = axes(ax)
    ax.set_xlabel(f"$y_{{{i}}}(0)$")
    if start.shape[1] == 1:
        ax.scatter(start[:, 0], found.nfev, **{"s": 12.0, "color": COLORS[0], **points})
        ax.set_ylabel("evaluations")
        return ax
    dots = ax.scatter(start[:, i], start[:, j], **{"c": found.nfev, "s": 12.0, "cmap": "viridis", **points})
    ax.figure.colorbar(dots, ax=ax, label="evaluations")
    ax.set_ylabel(f"$y_{{{j}}}(0)$")
    return ax
