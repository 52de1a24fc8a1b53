"""diffrax: JAX, compiled by XLA."""

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

NAME = "diffrax"
RHS = "the same formulas traced by JAX, float64; the whole integration is one compiled function, called warm"
MAX_STEPS = 100_000
SOLVERS = {
    "Tsit5": diffrax.Tsit5, "Dopri8": diffrax.Dopri8, "Kvaerno3": diffrax.Kvaerno3, "Kvaerno5": diffrax.Kvaerno5,
}  # fmt: skip
FUNCTIONS = {"sqrt": jnp.sqrt, "sin": jnp.sin, "cos": jnp.cos}


def methods(case):
    """Names of the methods for a case."""
    if case.large:
        return ()
    return ("Kvaerno3", "Kvaerno5") if case.stiff else ("Tsit5", "Dopri8")


def make(case, method):
    """See `adapters`."""
    term = diffrax.ODETerm(lambda t, y, _: jnp.stack([jnp.asarray(v) for v in case.traced(t, y, FUNCTIONS)]))
    t0, t1 = case.t_span

    @jax.jit
    def integrate(y0, rtol, atol):
        solution = diffrax.diffeqsolve(
            term, SOLVERS[method](), t0, t1, None, y0, saveat=diffrax.SaveAt(t1=True), max_steps=MAX_STEPS,
            stepsize_controller=diffrax.PIDController(rtol=rtol, atol=atol), throw=False,
            adjoint=diffrax.ForwardMode(),
        )  # fmt: skip
        return solution.ys[0], solution.result == diffrax.RESULTS.successful

    y0 = jnp.array(case.y0)

    def prepare(rtol, atol):
        def run():
            y, success = integrate(y0, rtol, atol)
            y = np.asarray(y)
            return y if success else None

        return run

    return prepare
