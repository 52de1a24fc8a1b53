"""Batches of the training data, in an order that can be written down and gone on with."""

import json

import numpy as np


class Batches:
    """Rows of one batch after the other, without end; every epoch goes once through all rows in random order.

    Parameters
    ----------
    total : int
        Number of samples.
    size : int or None
        Samples per batch; None: all of them, without an order.
    rng : numpy.random.Generator
    """

    def __init__(self, total, size, rng):
        self.total, self.size, self.rng = total, size, rng
        self.order, self.at = np.empty(0, dtype=np.int64), 0

    def next_size(self):
        """Rows of the next batch."""
        if self.size is None:
            return self.total
        return min(self.size, self.order.size - self.at if self.at < self.order.size else self.total)

    def next(self):
        """Rows of the next batch, sorted; None for all."""
        if self.size is None:
            return None
        if self.at >= self.order.size:
            self.order, self.at = self.rng.permutation(self.total), 0
        rows = np.sort(self.order[self.at : self.at + self.size])
        self.at += self.size
        return rows

    def position(self):
        """Where the data are: the state of the generator as text, the place in the epoch, its order."""
        return json.dumps(self.rng.bit_generator.state), self.at, self.order

    def go_to(self, text, at, order):
        """Go to a position that `position` gave.

        Raises
        ------
        ValueError
            If it belongs to another kind of generator or other data.
        """
        state = json.loads(text)
        mine = self.rng.bit_generator.state["bit_generator"]
        if not isinstance(state, dict) or state.get("bit_generator") != mine:
            raise ValueError(f"the order of the batches came from another generator than {mine}")
        if order.size not in (0, self.total):
            raise ValueError(f"it was made with {order.size} samples, but the data have {self.total}")
        self.rng.bit_generator.state = state
        self.order, self.at = order.astype(np.int64), int(at)
