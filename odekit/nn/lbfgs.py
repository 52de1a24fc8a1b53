"""L-BFGS by SciPy, one report per iteration."""


class _Enough(Exception):
    """The caller has asked for the end."""


def minimise(evaluate, params, settings, steps, report):
    """Minimise a loss.

    Parameters
    ----------
    evaluate : callable
        ``evaluate(params) -> loss, grad``.
    params : ndarray, (n_params,)
        Start.
    settings : odekit.nn.LBFGS
    steps : int
        Most iterations.
    report : callable
        ``report(params, loss)`` after the start and after each iteration; True ends the search.
    """
    from scipy.optimize import minimize

    def after(intermediate_result):
        if report(intermediate_result.x, float(intermediate_result.fun)):
            raise _Enough

    try:
        if report(params, float(evaluate(params)[0])):
            return
        minimize(
            evaluate,
            params,
            jac=True,
            method="L-BFGS-B",
            callback=after,
            options={
                "maxcor": settings.memory,
                "gtol": settings.gtol,
                "ftol": settings.ftol,
                "maxiter": steps,
                "maxfun": 100 * steps,
            },
        )
    except _Enough:
        pass
