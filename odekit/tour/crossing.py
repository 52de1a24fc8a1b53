"""y -> -y learned with one more dimension, and not without: trajectories of a differential equation cannot cross.

    NeuralODE: y' = f(y),   AugmentedODE: (y, a)' = f(y, a) with a(0) = 0

After Dupont, Doucet and Teh, "Augmented neural ODEs" (NeurIPS 2019, arXiv:1904.01681). A flow on the line keeps the order of its
points, so that the best it can do is to bring them all to 0, a mean squared error of mean y^2; with a second component the points
walk around each other.
"""

import numpy as np

from .. import nn, plot

TITLE = "Points that change places: a neural ODE with a further dimension, and without"


def run(folder, pictures=True, steps=400):
    """Train both models, save the augmented one, draw, say what was found; returns the names of the files."""
    y0, t = np.linspace(-1.0, 1.0, 21)[:, None], np.array([0.0, 1.0])
    models = {
        "without": nn.NeuralODE(nn.MLP([1, 16, 1], rng=0), rtol=1e-4, atol=1e-4),
        "with a further dimension": nn.AugmentedODE(nn.MLP([2, 16, 2], rng=0), extra=1, rtol=1e-4, atol=1e-4),
    }
    print(f"   y -> -y at 21 points of [-1, 1]; a network with a layer of 16, {steps} Adam steps")
    print(f"   no flow on the line can have an error below {np.mean(y0**2):.3f}, that of bringing all to 0")
    for name, model in models.items():
        history = nn.fit(model, y0, t, np.stack([y0, -y0]), optimizer=nn.Adam(2e-2), steps=steps)
        # the start counts among the outputs, where every model is exact
        print(f"   {name}: mean squared error {2 * history.loss[-1]:.1e}")
    models["with a further dimension"].save(folder / "crossing.h5", overwrite=True)
    if not pictures:
        return ["crossing.h5"]
    draw(models, y0, folder / "crossing.png")
    return ["crossing.h5", "crossing.png"]


def draw(models, y0, path):
    """Trajectories of both models over time, and in the plane of the augmented one."""
    times = np.linspace(0.0, 1.0, 101)
    with plot.style():
        axes = plot.new_axes(1, 3, size=(9.0, 3.0))
        for ax, (name, model) in zip(axes, models.items(), strict=False):
            ax.plot(times, model.solve(y0, times)[..., 0], color=plot.COLORS[0], linewidth=0.8)
            ax.plot(1 + 0 * y0, -y0, ".", color="black", markersize=3)
            ax.set(xlabel="time $t$", ylabel="$y$", title=name)
        paths = model.solve(y0, times, augmented=True)
        axes[2].plot(paths[..., 0], paths[..., 1], color=plot.COLORS[1], linewidth=0.8)
        axes[2].set(xlabel="$y$", ylabel="further component", title="in the plane")
        plot.save(axes[0], path)
