"""scikit-sundae: SUNDIALS' CVODE."""

from numba import njit
from sksundae.cvode import CVODE

NAME = "scikit-sundae"
RHS = "the same function compiled by Numba, called back through Python (scikit-sundae takes no address); the Jacobian likewise"


def methods(case):
    """Names of the methods for a case."""
    if case.bandwidths:
        return ("BDF band",)
    if case.sparsity is not None:
        return ("BDF sparse", "BDF gmres")
    return ("BDF",) if case.stiff else ("Adams",)


def make(case, method):
    """See `adapters`."""
    field = case.in_place()
    options = {"method": method.split()[0], "max_num_steps": 200_000}
    if case.bandwidths:
        options |= {"linsolver": "band", "lband": case.bandwidths[0], "uband": case.bandwidths[1]}
    elif method == "BDF sparse":
        options |= {"linsolver": "sparse", "sparsity": case.sparsity}
    elif method == "BDF gmres":
        options |= {"linsolver": "gmres", "krylov_dim": 20}
    elif case.stiff and case.jac is not None:
        jac, args = njit(case.jac), case.args

        @njit
        def fill(t, y, dy, matrix):
            matrix[:, :] = jac(t, y, *args)

        options["jacfn"] = fill

    def prepare(rtol, atol):
        solver = CVODE(field, rtol=rtol, atol=atol, **options)

        def run():
            solver.init_step(case.t_span[0], case.y0)
            solution = solver.step(case.t_span[1])
            return solution.y if solution.success else None

        return run

    return prepare
