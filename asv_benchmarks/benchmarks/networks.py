"""Neural fields: trajectories and exact gradients of a batch."""

import functools

import numpy as np

from odekit import adjoint, nn

BATCH, TIMES = 64, np.linspace(0.0, 1.0, 10)


@functools.cache
def task(**options):
    """A 2-64-64-2 network, start values and targets."""
    options = options or {"method": "tsit5", "rtol": 1e-4, "atol": 1e-4}
    model = nn.NeuralODE(nn.MLP([2, 64, 64, 2], rng=0), **options)
    rng = np.random.default_rng(0)
    return model, rng.normal(size=(BATCH, 2)), rng.normal(size=(TIMES.size, BATCH, 2))


def time_solve():
    model, y0, _ = task()
    model.solve(y0, TIMES)


def time_loss_and_grad():
    model, y0, target = task()
    model.loss_and_grad(y0, TIMES, target)


class Precision:
    """Loss and gradient of a large batch in double and in single precision."""

    params = ["float64", "float32"]
    param_names = ["dtype"]

    def setup(self, dtype):
        """The same task for both."""
        rng = np.random.default_rng(0)
        self.model = nn.NeuralODE(nn.MLP([2, 64, 64, 2], rng=0, dtype=dtype), "dopri5")
        self.y0, self.target = rng.normal(size=(512, 2)), rng.normal(size=(TIMES.size, 512, 2))
        self.time_loss_and_grad(dtype)

    def time_loss_and_grad(self, dtype):
        self.model.loss_and_grad(self.y0, TIMES, self.target)


def peakmem_loss_and_grad():
    model, y0, target = task()
    model.loss_and_grad(y0, TIMES, target)


class Gradient:
    """Loss and gradient by each adjoint: time, stored states, difference from the exact gradient."""

    params = ["discrete", "checkpoints=4", "reversible", "interpolating", "backsolve", "implicit"]
    param_names = ["adjoint"]

    def setup(self, name):
        """The same task for all."""
        how = {"checkpoints=4": adjoint.DiscreteAdjoint(checkpoints=4)}.get(name, name)
        method = "kvaerno5" if name == "implicit" else "tsit5"
        self.model, self.y0, self.target = task(method=method, rtol=1e-6, atol=1e-6, adjoint=how)
        self.cotangent = self.target / self.target.size
        self.model.gradient(self.y0, TIMES, self.cotangent)

    def time_gradient(self, name):
        self.model.gradient(self.y0, TIMES, self.cotangent)

    def track_stored_states(self, name):
        return self.model.gradient(self.y0, TIMES, self.cotangent).counts["states"]

    def track_difference(self, name):
        exact = task(method="vern9", rtol=1e-12, atol=1e-12)[0].gradient(self.y0, TIMES, self.cotangent).params
        return np.abs(self.model.gradient(self.y0, TIMES, self.cotangent).params - exact).max() / np.abs(exact).max()


class Implicit:
    """Solution and exact gradient by implicit methods, 2-16-16-2 at 1e-6, 20 output times; see docs/adjoints.md."""

    params = [["kvaerno5", "radau", "gauss4", "rosenbrock23", "rodas5p"], [1, 16, 128]]
    param_names = ["method", "trajectories"]

    def setup(self, method, trajectories):
        """The same field for all."""
        step = 0.05 if method == "gauss4" else None
        self.model = nn.NeuralODE(nn.MLP([2, 16, 16, 2], rng=0), method, 1e-6, 1e-6, first_step=step)
        rng, self.t = np.random.default_rng(0), np.linspace(0, 1, 20)
        self.y0, self.cotangent = rng.normal(size=(trajectories, 2)), rng.normal(size=(20, trajectories, 2))
        self.gradient = self.model.gradient(self.y0, self.t, self.cotangent)

    def time_solve(self, method, trajectories):
        self.model.solve(self.y0, self.t)

    def time_gradient(self, method, trajectories):
        self.model.gradient(self.y0, self.t, self.cotangent)

    def track_difference(self, method, trajectories):
        exact = nn.NeuralODE(self.model.field, "vern9", 1e-12, 1e-12).gradient(self.y0, self.t, self.cotangent).params
        return np.abs(self.gradient.params - exact).max() / np.abs(exact).max()


class RosenbrockFields:
    """The exact gradient through rodas5p, whose steps need second derivatives of the field, 16 trajectories."""

    fields = {
        "MLP": lambda: nn.MLP([4, 16, 4], rng=0),
        "ConcatSquash": lambda: nn.ConcatSquash([4, 16, 4], rng=0),
        "AntisymmetricField": lambda: nn.AntisymmetricField(4, rng=0),
        "HNN": lambda: nn.HNN(nn.MLP([4, 16, 1], rng=0)),
    }
    params = list(fields)
    param_names = ["field"]

    def setup(self, name):
        """A field of four equations."""
        self.model = nn.NeuralODE(self.fields[name](), "rodas5p", 1e-6, 1e-6)
        rng = np.random.default_rng(0)
        self.data = 0.5 * rng.normal(size=(16, 4)), TIMES, rng.normal(size=(TIMES.size, 16, 4))
        self.model.loss_and_grad(*self.data)

    def time_loss_and_grad(self, name):
        self.model.loss_and_grad(*self.data)


class Sizes:
    """Loss and gradient, dopri5 at 1e-6, 20 output times, 2-H-H-2 tanh; see peers/gradients.py."""

    params = ["32, 16", "64, 64", "512, 64"]
    param_names = ["lanes, width"]

    def setup(self, size):
        """Model, start values and targets."""
        lanes, width = map(int, size.split(", "))
        rng = np.random.default_rng(0)
        self.model = nn.NeuralODE(nn.MLP([2, width, width, 2], rng=0), "dopri5", 1e-6, 1e-6)
        self.data = rng.normal(size=(lanes, 2)), np.linspace(0, 1, 20), rng.normal(size=(20, lanes, 2))
        self.model.loss_and_grad(*self.data)

    def time_loss_and_grad(self, size):
        self.model.loss_and_grad(*self.data)


class StepControl:
    """A batch with a few fast samples: shared steps against steps of their own."""

    params = ["shared", "per_sample"]
    param_names = ["step_control"]

    def setup(self, step_control):
        """A field that turns faster and faster outwards; one sample in fifty is far out."""
        field = nn.MLP([2, 64, 64, 2], rng=0)
        field.params = 3.0 * field.params
        self.model = nn.NeuralODE(field, "tsit5", 1e-6, 1e-6, step_control=step_control)
        rng = np.random.default_rng(0)
        y0 = rng.normal(size=(512, 2)) * np.where(rng.uniform(size=(512, 1)) < 0.02, 20.0, 0.1)
        self.data = y0, TIMES, np.zeros((TIMES.size, 512, 2))
        self.model.loss_and_grad(*self.data)

    def time_loss_and_grad(self, step_control):
        self.model.loss_and_grad(*self.data)


def track_gradient_error():
    """Against a central difference along one direction; with fixed steps, or the difference would see them change."""
    model, y0, target = task(method="rk4", first_step=0.05)
    params, grad = model.params.copy(), model.loss_and_grad(y0, TIMES, target)[1]
    direction, h = np.random.default_rng(1).normal(size=params.size), 1e-5
    losses = []
    for sign in (1, -1):
        model.params = params + sign * h * direction
        losses.append(model.loss_and_grad(y0, TIMES, target)[0])
    model.params = params
    expected = (losses[0] - losses[1]) / (2 * h)
    return abs(grad @ direction - expected) / abs(expected)


track_gradient_error.unit = "relative error"
