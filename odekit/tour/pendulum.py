"""A pendulum learned from noisy observations: a Hamiltonian network beside a plain one.

    q' = dH/dp,  p' = -dH/dq,   H = 3 (1 - cos q) + p^2

Both networks get the same noisy states (standard deviation 0.1) with their time derivatives, as in Greydanus, Dzamba and
Yosinski (NeurIPS 2019). The plain one learns the derivatives; the Hamiltonian one learns a scalar H whose derivatives they are,
so that its flow keeps *its* energy whatever it has learned. Both are then integrated from new starts, all in one batch, and
judged by the true energy.
"""

import numpy as np

from .. import nn, plot, solve_ivp

TITLE = "A learned pendulum: Hamiltonian against plain network"
NOISE = 0.1


def pendulum(t, y):
    """The true field."""
    return [2 * y[1], -3 * np.sin(y[0])]


def energy(x):
    """True energy of states (..., 2)."""
    return 3 * (1 - np.cos(x[..., 0])) + x[..., 1] ** 2


def run(folder, pictures=True, steps=2000, starts=64, end=50.0):
    """Make data, train, roll out, save, draw, say what was found; returns the names of the files."""
    rng = np.random.default_rng(0)
    x, dxdt = observations(rng, trajectories=50)
    hamiltonian = nn.HNN(nn.MLP([2, 64, 64, 1], init="orthogonal", final_bias=False, rng=0))
    plain = nn.DerivativeModel(nn.MLP([2, 64, 64, 2], init="orthogonal", final_bias=False, rng=0))
    optimizer = nn.Adam(1e-3, weight_decay=1e-4)
    for model in (hamiltonian, plain):
        nn.fit(model, x, dxdt, optimizer=optimizer, steps=steps, batch_size=500, rng=0)

    y0, t = initial_states(rng, starts), np.linspace(0.0, end, 2001)
    fields = {"Hamiltonian network": hamiltonian, "plain network": plain.field}
    rollouts = {
        name: nn.NeuralODE(field, "dop853", rtol=1e-8, atol=1e-8).solve(y0, t) for name, field in fields.items()
    }
    errors = {name: np.abs(energy(ys) - energy(y0)) for name, ys in rollouts.items()}

    grid = np.stack(np.meshgrid(*[np.linspace(-2.4, 2.4, 49)] * 2), axis=-1).reshape(-1, 2)
    grid = grid[energy(grid) < 5]
    true = np.stack(pendulum(0.0, grid.T), axis=1)
    print(
        f"   H = 3 (1 - cos q) + p^2; {len(x)} states with noise {NOISE}, networks with two layers of 64, {steps} Adam steps"
    )
    print(
        f"   {starts} new starts rolled out together by dop853 to t = {end:g}; the true energy of the states is compared"
    )
    for name, field in fields.items():
        off = np.sqrt(np.mean((field(grid) - true) ** 2))
        mean, last = errors[name].mean(), np.median(errors[name][-1])
        print(
            f"   {name}: energy error {mean:.3f} on average, {last:.3f} at the end (median); field off by {off:.3f} (rms)"
        )

    hamiltonian.save(folder / "pendulum-hamiltonian.h5", overwrite=True)
    plain.save(folder / "pendulum-plain.h5", overwrite=True)
    files = ["pendulum-hamiltonian.h5", "pendulum-plain.h5"]
    if not pictures:
        return files
    draw_energy(t, errors, folder / "pendulum-energy.png")
    draw_phase(rollouts, folder / "pendulum-phase.png")
    return [*files, "pendulum-energy.png", "pendulum-phase.png"]


def initial_states(rng, n):
    """Random directions at distances 1.3 to 2.3 from rest, (n, 2)."""
    y = rng.uniform(-1, 1, (n, 2))
    return y / np.linalg.norm(y, axis=1, keepdims=True) * rng.uniform(1.3, 2.3, (n, 1))


def observations(rng, trajectories):
    """Noisy states along true trajectories, 45 each, and the exact derivatives there."""
    times, states = np.linspace(0, 3, 45), []
    for y0 in initial_states(rng, trajectories):
        states.append(solve_ivp(pendulum, (0, 3), y0, "dop853", t_eval=times, rtol=1e-10, atol=1e-10).y.T)
    states = np.concatenate(states)
    return states + NOISE * rng.standard_normal(states.shape), np.stack(pendulum(0.0, states.T), axis=1)


def draw_energy(t, errors, path):
    """Energy error of all rollouts over time."""
    with plot.style():
        ax = plot.new_axes(size=(6.4, 3.6))
        for k, (name, error) in enumerate(errors.items()):
            plot.band(t[1:], error[1:], ax=ax, color=plot.COLORS[k], label=name)
        ax.set_yscale("log")
        ax.set_xlabel("time $t$")
        ax.set_ylabel("energy error $|H(t) - H(0)|$")
        ax.figure.legend(
            loc="outside upper center", ncols=2, title=f"median and 10 to 90 % of {errors[name].shape[1]} starts"
        )
        plot.save(ax, path)


def draw_phase(rollouts, path):
    """Three of the rollouts, of low, middle and high energy, over the level lines of the true energy."""
    q, p = np.meshgrid(np.linspace(-3.3, 3.3, 200), np.linspace(-2.9, 2.9, 200))
    levels = energy(np.stack([q, p], axis=-1))
    with plot.style():
        axes = plot.new_axes(1, 2, size=(8.0, 3.9), sharey=True)
        for k, (ax, (name, ys)) in enumerate(zip(axes, rollouts.items(), strict=True)):
            ax.contour(q, p, levels, levels=np.arange(0.5, 9, 1.0), colors="0.75", linewidths=0.7)
            order = np.argsort(energy(ys[0]))
            for i in order[[0, len(order) // 2, -1]]:
                ax.plot(*ys[:, i].T, color=plot.COLORS[k], linewidth=0.5)
                ax.plot(*ys[0, i], "o", color="black", markersize=4, zorder=3)
            ax.set_title(name)
            ax.set_xlabel("angle $q$ (rad)")
        axes[0].set_ylabel("momentum $p$")
        plot.save(axes[0], path)
