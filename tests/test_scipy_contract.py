"""SciPy's own tests of `solve_ivp`, run with odekit's in its place.

The test module lies inside the scipy wheel; a private copy of it is loaded, so that SciPy itself is not touched.
"""

import importlib.util
import inspect

import pytest

import odekit

# one of SciPy's functions hands scalars to np.hstack, which Numba does not compile
pytestmark = pytest.mark.filterwarnings("ignore::odekit.OdekitPerformanceWarning")

_NAME = "scipy.integrate._ivp.tests.test_ivp"
_spec = importlib.util.find_spec(_NAME)
if _spec is None:
    pytest.skip("this scipy was installed without its tests", allow_module_level=True)

_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
_module.solve_ivp = odekit.solve_ivp

#: Tests that ask for something of SciPy's internals: they do not call `solve_ivp`, or hand it SciPy's classes.
INTERNALS = {
    "test_classes": "steps SciPy's solver classes by hand",
    "test_no_integration_class": "steps SciPy's solver classes by hand",
    "test_ConstantDenseOutput": "SciPy's class of that name",
    "test_OdeSolution": "SciPy's class of that name, built from SciPy's dense-output objects",
    "test_num_jac": "SciPy's function num_jac",
    "test_num_jac_sparse": "SciPy's function num_jac",
    "test_inital_maxstep": "SciPy's function select_initial_step",
}

for _test, _function in inspect.getmembers(_module, inspect.isfunction):
    if _test.startswith("test_") and _test not in INTERNALS:
        globals()[_test] = _function


@pytest.fixture
def num_parallel_threads():
    """Of pytest-run-parallel, which SciPy's tests know."""
    return 1


def test_the_list_of_exceptions_is_current():
    """Every test named above exists and does not go through `solve_ivp` alone."""
    for name in INTERNALS:
        assert hasattr(_module, name), name
