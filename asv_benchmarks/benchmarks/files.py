"""Trajectories on disk."""

import functools
import os
import tempfile

import odekit
from odekit import storage


@functools.cache
def trajectory():
    """Some ten thousand steps of an oscillator, and a folder for it."""
    sol = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 1e4), [1.0, 0.0], "dopri5", rtol=1e-6, max_steps=10**6)
    folder = tempfile.TemporaryDirectory()
    path = os.path.join(folder.name, "trajectory.h5")
    storage.save(path, sol)
    return sol, folder, path


def time_save():
    sol, folder, _ = trajectory()
    storage.save(os.path.join(folder.name, "again.h5"), sol, overwrite=True)


def time_load():
    storage.load(trajectory()[2])


def time_stream():
    """What `trajectory` computes, written while it is computed."""
    with tempfile.TemporaryDirectory() as folder:
        odekit.solve_ivp(
            lambda t, y: [y[1], -y[0]],
            (0, 1e4),
            [1.0, 0.0],
            "dopri5",
            rtol=1e-6,
            max_steps=10**6,
            store=os.path.join(folder, "t"),
        )


def track_size():
    """Bytes per stored number."""
    sol, _, path = trajectory()
    return os.path.getsize(path) / (sol.t.size + sol.y.size)


track_size.unit = "bytes per number"
