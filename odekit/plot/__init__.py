"""Pictures of trajectories and ensembles, steps, vector fields, conserved quantities and trainings.

Every function draws into `ax` (a new figure by default), names the axes and returns `ax`, so that calls can be combined and
anything can be changed afterwards. matplotlib is imported when the first picture is drawn.

Examples
--------
>>> import odekit
>>> sol = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 6), [1.0, 0.0], rtol=1e-6)
>>> ax = odekit.plot.phase(sol, 0, 1)
>>> ax.get_xlabel(), ax.get_ylabel()
('$y_{0}$', '$y_{1}$')
"""

from .batches import nfe
from .ensembles import ensemble, parameter_map
from .fields import vector_field
from .figure import COLORS, new_axes, save, style
from .methods import stability_region, work_precision
from .networks import density, training
from .solutions import band, energy_error, phase, step_sizes, trajectory

__all__ = [
    "COLORS",
    "band",
    "density",
    "energy_error",
    "ensemble",
    "new_axes",
    "nfe",
    "parameter_map",
    "phase",
    "save",
    "stability_region",
    "step_sizes",
    "style",
    "training",
    "trajectory",
    "vector_field",
    "work_precision",
]
