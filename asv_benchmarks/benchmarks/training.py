"""Training steps: how long one takes, and what it costs beyond its kernels; memory."""

import numpy as np

from odekit import nn

STEPS = 50
RNG = np.random.default_rng(0)


def flow(**options):
    """A flow of a published size."""
    return nn.CNF(nn.ConcatSquash([2, 64, 64, 64, 2], rng=0), 0.5, method="bosh3", rtol=1e-3, atol=1e-3, **options)


def models():
    """Name to model and data; small ones, where a loop in Python would show, and one of a published size."""
    x = RNG.uniform(-1, 1, (2000, 2))
    dx = x[:, ::-1] * [1.0, -1.0]
    t = np.linspace(0.0, 1.0, 5)
    target = RNG.normal(size=(5, 32, 2))
    return {
        "plain 2-16-2, 32 samples": (nn.DerivativeModel(nn.MLP([2, 16, 2], rng=0)), (x, dx), 32),
        "HNN 2-32-1, 64 samples": (nn.HNN(nn.MLP([2, 32, 1], rng=0)), (x, dx), 64),
        "HNN 2-200-200-1, 750 samples": (nn.HNN(nn.MLP([2, 200, 200, 1], rng=0)), (x[:750], dx[:750]), None),
        "LNN 2-32-1, 64 samples": (nn.LNN(nn.MLP([2, 32, 1], rng=0)), (x, -x[:, :1]), 64),
        "neural ODE 2-16-2, 32 trajectories": (
            nn.NeuralODE(nn.MLP([2, 16, 2], rng=0), rtol=1e-4, atol=1e-4),
            (x[:32], t, target),
            None,
        ),
        "neural ODE 2-16-2 with KineticEnergy, 32 trajectories": (
            nn.NeuralODE(nn.MLP([2, 16, 2], rng=0), rtol=1e-4, atol=1e-4, regularisers=[nn.KineticEnergy(0.01)]),
            (x[:32], t, target),
            None,
        ),
        "CNF 2-64-64-64-2, 128 samples": (flow(), (x[:128],), None),
        "CNF 2-64-64-64-2 by one direction with energies, 32 samples": (
            flow(probes=1, kinetic=0.01, jacobian=0.01),
            (x,),
            32,
        ),
    }


class Training:
    """Steps of Adam."""

    params = list(models())
    param_names = ["model"]

    def setup(self, name):
        """A model, and everything compiled."""
        self.model, self.data, self.batch = models()[name]
        self.optimizer = nn.Adam(1e-6)  # the parameters stay where they are, and so does the work
        self.fit(2)

    def fit(self, steps):
        """Train."""
        return nn.fit(self.model, *self.data, optimizer=self.optimizer, steps=steps, batch_size=self.batch, rng=0)

    def time_steps(self, name):
        """Of `STEPS` steps."""
        self.fit(STEPS)

    def time_loss_and_grad(self, name):
        """One call from Python: what a step costs without the loop."""
        rows = np.arange(self.batch or self.model.samples(*self.data))
        self.model.loss_and_grad(*self.model.select(rows, *self.data))

    def peakmem_steps(self, name):
        """With the process around it."""
        self.fit(STEPS)
