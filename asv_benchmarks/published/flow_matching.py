"""Flow matching (Lipman, Chen, Ben-Hamu, Nickel, Le, ICLR 2023): a first fit of a flow without solving it.

A point x of the data and one z of the normal distribution are joined by a straight line, which is passed in the time of the flow; the
field is fitted to the velocity (z - x) / t1. Its mean over all lines through a point is a field whose flow turns one density into
the other. A step costs one evaluation instead of those of a solve; the likelihood is then maximised from there.
"""

import numpy as np


class Straight:
    """The field of a flow, fitted to straight lines from new samples, at `times` times with `lanes` lines each.

    The times are squares of even ones: near the data, where edges are sharp, they are denser.
    """

    def __init__(self, flow, sampler, times=8, lanes=64):
        self.field, self.t1, self.sampler, self.shape = flow.field, flow.t1, sampler, (times, lanes)

    params = property(lambda self: self.field.params)

    def draw(self, rng):
        """New lines, and times spread evenly."""
        times, lanes = self.shape
        self.x = self.sampler(rng, times * lanes).reshape(times, lanes, -1)
        self.z = rng.standard_normal(self.x.shape)
        self.s = ((np.arange(times) + rng.random()) / times) ** 2

    def loss_and_grad(self):
        """Mean square of the difference of velocities."""
        grad, loss = np.zeros(self.params.size), 0.0
        for x, z, s in zip(self.x, self.z, self.s, strict=True):
            point, t = (1.0 - s) * x + s * z, s * self.t1
            r = self.field(point, t) - (z - x) / self.t1
            loss += np.sum(r * r) / self.x.size
            grad += self.field.vjp(point, 2.0 * r / self.x.size, t)[2]
        return loss, grad

    def samples(self):
        """So many lines in each step."""
        return self.shape[0] * self.shape[1]

    def select(self, rows):
        """There are no data to choose from."""
        return ()
