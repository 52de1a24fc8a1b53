import os
import subprocess
import sys

import pytest

from odekit import _jit

SCRIPT = """
import sys
import numpy as np
from numba.core import event
from odekit.nn import MLP, ConcatSquash, DerivativeModel, NeuralODE, fit

compiled = []

class Listener(event.Listener):
    def on_start(self, e):
        compiled.append(e.data["dispatcher"])
    def on_end(self, e):
        pass

with event.install_listener("numba:compile", Listener()):
    for field in (MLP([2, 4, 2], rng=0), MLP([2, 7, 5, 2], rng=0, time_dependent=True)):
        NeuralODE(field).loss_and_grad(np.ones((4, 2)), np.linspace(0, 1, 3), np.zeros((3, 4, 2)))
    print("compiler's modules:", "numba.np.arraymath" in sys.modules or "scipy.linalg" in sys.modules)
    ConcatSquash([2, 4, 2], rng=0).vjp(np.ones((4, 2)), np.ones((4, 2)))
    fit(DerivativeModel(MLP([2, 4, 2], rng=0)), np.ones((4, 2)), np.ones((4, 2)), steps=2, batch_size=2)
print("compiled:", len(compiled))
"""


@pytest.mark.skipif(_jit.JIT_DISABLED, reason="nothing is compiled")
def test_second_process_compiles_nothing(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    counts, outputs = [], []
    for _ in range(2):
        result = subprocess.run(
            [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env=environment
        )
        outputs.append(result.stdout)
        counts.append(int(result.stdout.split("compiled:")[1]))
    assert counts[0] > 0
    assert counts[1] == 0
    assert "compiler's modules: False" in outputs[1]  # nor does it import what only the compiler needs
