"""Memory that begins at a line of the cache: vectors that lie across two lines take twice as long."""

import math

import numpy as np

#: Numbers in a line of the cache, which is also the longest vector: 64 bytes.
LINE = 8


def aligned(*shape):
    """Memory for float64 numbers, whatever stands in it. Rows of whole lines, see `rounded_up`, begin at lines, too.

    Parameters
    ----------
    *shape : int

    Returns
    -------
    ndarray
    """
    size = math.prod(shape)
    memory = np.empty(size + LINE)
    start = -memory.ctypes.data // memory.itemsize % LINE
    return memory[start : start + size].reshape(shape)


def rounded_up(n, multiple):
    """The next multiple of `multiple`."""
    return -(-n // multiple) * multiple
