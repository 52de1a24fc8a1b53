"""Memory that begins at a line of the cache."""

import numpy as np
import pytest

from odekit import nn
from odekit._memory import LINE, aligned, rounded_up
from odekit.adjoint.scheme import scheme
from odekit.adjoint.sweeps import Sweeps
from odekit.adjoint.tape import SCRATCH, SLOT_SIZE, TAPE

BYTES = 8 * LINE


@pytest.mark.parametrize("shape", [(1,), (7,), (3, 16), (2, 5, 8)])
def test_memory_begins_at_a_line_whatever_its_size(shape):
    memory = [aligned(*shape) for _ in range(20)]
    assert all(m.ctypes.data % BYTES == 0 and m.shape == shape and m.flags.c_contiguous for m in memory)
    assert all(row.ctypes.data % BYTES == 0 for row in aligned(5, rounded_up(13, LINE)))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("model", [nn.MLP, nn.ConcatSquash, nn.HNN])
def test_the_tapes_of_networks_begin_at_lines(model, dtype):
    sizes = [2, 11, 1] if model is nn.HNN else [2, 11, 2]
    field = nn.HNN(nn.MLP(sizes, dtype=dtype)) if model is nn.HNN else model(sizes, dtype=dtype)
    sweeps = Sweeps(field, scheme("dopri5"), 70, budget=10**6)
    numbers = BYTES // np.dtype(dtype).itemsize
    for p in sweeps.p:
        assert p.ctypes.data % BYTES == 0
        assert p[TAPE] % numbers == p[SLOT_SIZE] % numbers == p[SCRATCH] % numbers == 0
