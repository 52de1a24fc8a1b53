"""Large stiff problems with a structured Jacobian: the Brusselators on a line and on a square."""

import numpy as np

import odekit
from odekit.testset import PROBLEMS


class Brusselator:
    """Time and error of the implicit methods that take a band or a pattern, and of the stabilised explicit ones."""

    params = [("BRUSS1D", "BRUSS2D"), ("bdf", "kvaerno5", "rock2", "rock4")]
    param_names = ["problem", "method"]
    number = 1
    timeout = 300

    def setup(self, problem, method):
        """Compile, and analyse the pattern."""
        self.problem = PROBLEMS[problem]
        self.y0 = np.array(self.problem.y0)
        if problem == "BRUSS1D":
            self.structure = {"lband": self.problem.lband, "uband": self.problem.uband}
        else:
            self.structure = {"jac_sparsity": self.problem.pattern(self.y0.size)}
        self.error = self.problem.error(self.solve(method).y[:, -1])

    def solve(self, method):
        """One solution at a tolerance of 1e-6."""
        return odekit.solve_ivp(
            self.problem.fun, self.problem.t_span, self.y0, method, args=self.problem.args, rtol=1e-6, atol=1e-6,
            t_eval=[self.problem.t_span[1]], tstops=self.problem.jumps, **self.structure,
        )  # fmt: skip

    def time_solve(self, problem, method):
        self.solve(method)

    def track_error(self, problem, method):
        return self.error

    track_error.unit = "relative error at the end"
