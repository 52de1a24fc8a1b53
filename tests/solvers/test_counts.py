"""Jacobians and factorisations side by side with SciPy's methods of the same name at the same tolerance."""

import pytest
from numba import njit
from scipy.integrate import solve_ivp

import odekit
from odekit.testset import PROBLEMS


@pytest.mark.parametrize("rtol", [1e-4, 1e-6])
@pytest.mark.parametrize("name", ["ROBER", "HIRES", "OREGO", "VDPOL"])
def test_no_more_jacobians_and_factorisations_than_scipy(name, rtol):
    problem = PROBLEMS[name]
    fun = njit(problem.fun)
    options = {"rtol": rtol, "atol": rtol * (1e-8 if name == "ROBER" else 1e-3)}
    for ours, theirs in (("radau5", "Radau"), ("bdf", "BDF")):
        sol = odekit.solve_ivp(problem.fun, problem.t_span, problem.y0, ours, args=problem.args, **options)
        peer = solve_ivp(lambda t, y: fun(t, y, *problem.args), problem.t_span, problem.y0, theirs, **options)
        assert sol.njev <= peer.njev, ours
        assert sol.nlu <= peer.nlu, ours
        # nor is that bought with accuracy: the errors are of the same size
        assert problem.error(sol.y[:, -1]) < 5 * problem.error(peer.y[:, -1]), ours
