"""Flow matching (Lipman, Chen, Ben-Hamu, Nickel, Le, ICLR 2023): a first fit of a flow without solving it.

A point x of the data and one z of the normal distribution are joined by a straight line, which is passed in the time of the flow; the
field is fitted to the velocity (z - x) / t1. Its mean over all lines through a point is a field whose flow turns one density into
the other. A step costs one evaluation instead of those of a solve; the likelihood is then maximised from there.
"""

import numpy as np

from odekit import nn


class Straight:
    """The field of a flow, fitted to straight lines from new samples, at a point of each line.

    The times of the points are squares of even ones: near the data, where edges are sharp, they are denser.
    """

    def __init__(self, flow, sampler, lines=512):
        self.model, self.t1, self.sampler, self.lines = nn.DerivativeModel(flow.field), flow.t1, sampler, lines

    params = property(lambda self: self.model.params)

    def draw(self, rng):
        """New lines, and times, each in its own part of the interval."""
        x = self.sampler(rng, self.lines)
        z = rng.standard_normal(x.shape)
        s = ((np.arange(self.lines) + rng.random(self.lines)) / self.lines)[:, None] ** 2
        self.point, self.velocity, self.t = (1.0 - s) * x + s * z, (z - x) / self.t1, s[:, 0] * self.t1

    def loss_and_grad(self):
        """Mean square of the difference of velocities."""
        return self.model.loss_and_grad(self.point, self.velocity, self.t)

    def samples(self):
        """So many lines in each step."""
        return self.lines

    def select(self, rows):
        """There are no data to choose from."""
        return ()
