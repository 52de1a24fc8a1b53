"""A trajectory goes to a file and comes back, with all that is needed to know how it was computed.

x'' = -x - c x'
"""

import numpy as np

import odekit


def oscillator(t, y, damping):
    return [y[1], -y[0] - damping * y[1]]


sol = odekit.solve_ivp(oscillator, (0, 60), [1.0, 0.0], args=(0.05,), rtol=1e-8, atol=1e-10)
odekit.storage.save("oscillator.h5", sol, overwrite=True)

again = odekit.storage.load("oscillator.h5")
print("the same numbers:", np.array_equal(again.y, sol.y), "- parameters:", again.args)
about = odekit.storage.metadata("oscillator.h5")
for name in ("method", "rtol", "atol", "nfev", "rhs_name", "numba", "numpy"):
    print(f"{name}: {about[name]}")
print(about["rhs_source"])

try:
    import xarray

    print(xarray.open_dataset("oscillator.h5", engine="h5netcdf"))
except ImportError:
    print('with pip install "odekit[xarray]" the file opens as a labelled data set')

with odekit.plot.style():
    ax = odekit.plot.trajectory(again, ax=odekit.plot.new_axes(size=(6.4, 3.2)), labels=["$x$", "$x'$"])
    odekit.plot.save(ax, "oscillator.png")
