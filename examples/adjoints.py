"""Gradients of a loss on a solution: a parameter fit by them, and what each adjoint stores for them.

x' = a x - b x y,  y' = c x y - d y  (Lotka and Volterra); which (a, b, c, d) belong to some noisy observations?
"""

import warnings

import numpy as np
from scipy.optimize import minimize

import odekit
from odekit import adjoint


def predator_prey(t, u, rates):
    x, y = u
    return [rates[0] * x - rates[1] * x * y, rates[2] * x * y - rates[3] * y]


# observations
true, start = np.array([1.1, 0.4, 0.1, 0.4]), np.array([10.0, 5.0])
t = np.linspace(0.0, 20.0, 30)
exact = odekit.solve_ivp(predator_prey, (0, 20), start, "dop853", t_eval=t, args=(true,), rtol=1e-10, atol=1e-10).y
data = exact + np.random.default_rng(0).normal(0.0, 0.1, exact.shape)


def loss_and_gradient(x, how="auto"):
    """Squared error, and its derivatives with respect to (a, b, c, d) and the start."""
    loss = 0.0

    def cotangent(y):
        nonlocal loss
        loss = np.sum((y - data) ** 2)
        return 2 * (y - data)

    g = adjoint.gradient(predator_prey, t, x[4:], cotangent, "tsit5", (x[:4],), rtol=1e-8, atol=1e-8, adjoint=how)
    return loss, np.concatenate((g.args[0], g.y0)), g.counts


# the fit, from rates and a start that are a few per cent wrong
guess = np.concatenate((true * [1.05, 0.95, 1.05, 0.95], start * [0.9, 1.1]))
fit = minimize(
    lambda x: loss_and_gradient(x)[:2], guess, jac=True, method="L-BFGS-B", bounds=[(0.7 * x, 1.4 * x) for x in guess]
)
print(f"squared error {loss_and_gradient(guess)[0]:.1f} before, {fit.fun:.3f} after {fit.nfev} gradients")
print("rates", fit.x[:4].round(3), "start", fit.x[4:].round(2))

# each adjoint's gradient there, against the exact one
_, reference, _ = loss_and_gradient(guess)
for name in ("discrete", "reversible", "forward", "interpolating", "backsolve"):
    _, g, counts = loss_and_gradient(guess, name)
    print(
        f"{name:14} differs by {np.abs(g - reference).max() / np.abs(reference).max():.0e}, stores {counts['states']} states"
    )

# numbers stored, against the number of steps
adjoints = {
    "discrete": adjoint.DiscreteAdjoint(memory=0),
    "checkpoints=8": adjoint.DiscreteAdjoint(checkpoints=8),
    "interpolating": adjoint.InterpolatingAdjoint(),
    "reversible": adjoint.ReversibleAdjoint(),
    "backsolve": adjoint.BacksolveAdjoint(),
}
with odekit.plot.style(), warnings.catch_warnings():
    warnings.simplefilter("ignore", adjoint.AdjointDriftWarning)  # over the longer spans backsolve is off, and says so
    ax = odekit.plot.new_axes()
    for name, how in adjoints.items():
        steps, stored = [], []
        for end in (2.0, 5.0, 10.0, 20.0, 40.0):
            g = adjoint.gradient(
                predator_prey, [0.0, end], start, np.array([[0.0, 1.0], [0.0, 0.0]]), "tsit5", (true,), rtol=1e-7, atol=1e-7, adjoint=how
            )  # fmt: skip
            steps.append(g.counts["naccept"])
            stored.append(g.counts["states"])
        ax.loglog(steps, stored, "o-", label=name)
    ax.set(xlabel="steps", ylabel="stored states")
    ax.legend()
    odekit.plot.save(ax, "adjoint-memory.png")
