"""The list of methods: name, family, what the driver and the front door must know of each."""

import dataclasses
from collections.abc import Callable

from . import (
    bdf,
    choice,
    esdirk,
    explicit,
    gauss,
    radau,
    radau_stages,
    radau_workspace,
    rosenbrock,
    stabilised,
    symplectic,
    tao,
    taylor,
)
from .hermite import DEGREE_OF_HERMITE, hermite
from .rosenbrock_tables import ROSENBROCK
from .stabilised_tables import STABILISED
from .tables import ESDIRK, EXPLICIT


@dataclasses.dataclass(frozen=True, eq=False)
class Method:
    """One integration method.

    Attributes
    ----------
    name : str
    order : int
    error_order : int
        Of the error estimate, for the size of the first step; 0: the method takes fixed steps.
    implicit : bool
        Whether it needs a Jacobian.
    degree : int
        Of the dense-output polynomial.
    stability_size : float
        Reach of the stability region along the negative real axis (infinite for the implicit ones).
    make_step, make_dense : callable
        Return the core functions, see `odekit.solvers.state`.
    workspace : callable
        ``workspace(n)``: floats of workspace, besides the matrices of an implicit method.
    complex_matrices : int
        How many complex matrices it factorises.
    separable : bool
        Whether it needs a separable system.
    hamiltonian : bool
        Whether it needs a system of positions and momenta.
    time_derivative : bool
        Whether it needs the derivative of the field with respect to t, besides the Jacobian.
    expansion : bool
        Whether it needs the Taylor coefficients of the solution, which follow from the formula of the field.
    inexact : bool
        Whether its linear systems may be solved by iteration, to a tolerance.
    costly_dense : bool
        Whether its dense output asks for evaluations of its own.
    settings : tuple of (int, int)
        Places in ``iw`` that belong to the method, and what stands there before its first step.
    kernels : callable
        Returns a dictionary: places in ``fn``, and addresses of further kernels that the stepper calls, or of its coefficients.
    """

    name: str
    order: int
    error_order: int
    implicit: bool
    degree: int
    stability_size: float
    make_step: Callable
    make_dense: Callable
    workspace: Callable
    complex_matrices: int = 0
    separable: bool = False
    hamiltonian: bool = False
    time_derivative: bool = False
    expansion: bool = False
    inexact: bool = False
    costly_dense: bool = False
    settings: tuple = ()
    kernels: Callable = dict


def _explicit(table):
    floats = explicit.workspace(table, 1)
    return Method(
        table.name,
        table.order,
        table.embedded_order,
        False,
        3 if table.dense is None else len(table.dense[0]),
        table.stability_size,
        lambda: explicit.step(table),
        lambda: explicit.dense(table),
        lambda n: floats * n,
        costly_dense=bool(table.extra_c),
    )


def _esdirk(table):
    return Method(
        table.name,
        table.order,
        table.embedded_order,
        True,
        esdirk.degree(table),
        float("inf"),
        lambda: esdirk.step(table),
        lambda: esdirk.dense(table),
        lambda n: esdirk.workspace(table, n),
        inexact=True,
    )


def _rosenbrock(table, mass=False):
    return Method(
        table.name,
        table.order,
        table.embedded_order,
        True,
        len(table.dense[0]),
        float("inf"),
        lambda: rosenbrock.step(table, mass),
        lambda: rosenbrock.dense(table),
        lambda n: rosenbrock.workspace(table, n),
        time_derivative=True,
    )


def _bdf():
    return Method(
        "bdf",
        bdf.ORDER,
        bdf.ERROR_ORDER,
        True,
        bdf.DEGREE,
        float("inf"),
        lambda: bdf.step,
        lambda: bdf.dense,
        bdf.workspace,
        inexact=True,
    )


def _radau(name, fewest, most, mass=False):
    return Method(
        name,
        2 * fewest - 1,
        fewest,
        True,
        most,
        float("inf"),
        lambda: radau.step,
        lambda: radau.dense,
        radau_workspace.workspace,
        complex_matrices=most // 2,
        settings=((radau_workspace.MIN_STAGES, fewest), (radau_workspace.MAX_STAGES, most)),
        kernels=lambda: radau_stages.addresses(fewest, most, mass),
    )


def _stabilised(table):
    return Method(
        table.name,
        table.order,
        table.embedded_order,
        False,
        DEGREE_OF_HERMITE,
        0.0,
        lambda: stabilised.step(table),
        lambda: hermite,
        lambda n: stabilised.workspace(table, n),
        kernels=lambda: stabilised.addresses(table),
    )


def _splitting(table):
    return Method(
        table.name,
        table.order,
        0,
        False,
        DEGREE_OF_HERMITE,
        0.0,
        lambda: symplectic.step(table),
        lambda: hermite,
        symplectic.workspace,
        separable=True,
    )


def _tao(name):
    return Method(
        name,
        tao.COMPOSITIONS[name].order,
        0,
        False,
        DEGREE_OF_HERMITE,
        0.0,
        lambda: tao.step(name),
        lambda: hermite,
        tao.workspace,
        hamiltonian=True,
    )


def _gauss(name):
    return Method(
        name,
        2 * len(gauss.NODES[name]),
        0,
        False,
        DEGREE_OF_HERMITE,
        float("inf"),
        lambda: gauss.step(name),
        lambda: hermite,
        lambda n: gauss.workspace(name, n),
    )


def _taylor(order):
    return Method(
        f"taylor{order}",
        order,
        order - 1,
        False,
        order,
        taylor.STABILITY_SIZES[order],
        lambda: taylor.step,
        lambda: taylor.dense,
        lambda n: taylor.workspace(order, n),
        expansion=True,
        settings=((taylor.ORDER, order),),
    )


_RADAU = {"radau": (3, 7), "radau5": (3, 3), "radau9": (5, 5), "radau13": (7, 7)}  # fewest and most stages

#: Every method by its name. A new one is one line here; the tests that run all methods read this dictionary.
METHODS = {
    **{name: _explicit(table) for name, table in EXPLICIT.items()},
    **{name: _esdirk(table) for name, table in ESDIRK.items()},
    **{name: _rosenbrock(table) for name, table in ROSENBROCK.items()},
    **{name: _radau(name, *stages) for name, stages in _RADAU.items()},
    "bdf": _bdf(),
    **{name: _stabilised(table) for name, table in STABILISED.items()},
    **{name: _splitting(table) for name, table in symplectic.SPLITTINGS.items()},
    **{name: _tao(name) for name in tao.COMPOSITIONS},
    **{name: _gauss(name) for name in gauss.NODES},
    **{f"taylor{order}": _taylor(order) for order in taylor.ORDERS},
}

#: The methods for ``M dy/dt = f``, with a mass matrix M that may be singular, by their names.
WITH_MASS = {
    **{name: _radau(name, *stages, mass=True) for name, stages in _RADAU.items()},
    "rodas5p": _rosenbrock(ROSENBROCK["rodas5p"], mass=True),
}

#: SciPy's names.
ALIASES = {"rk23": "bosh3", "rk45": "dopri5", "lsoda": "auto"}


def resolve(name, n=1, rtol=1e-3, structured=False, matrix_free=False):
    """Methods behind a name.

    Parameters
    ----------
    name : str
        A key of `METHODS`, ``"auto"``, ``"taylor"``, or one of SciPy's names or solver classes; case is ignored.
    n : int
        Dimension of the state.
    rtol : float
        The smallest relative tolerance of a component.
    structured : bool
        Whether the Jacobian has a structure that spares memory and time.
    matrix_free : bool
        Whether there is to be no matrix at all.

    Returns
    -------
    name : str
        The canonical name.
    methods : tuple of Method
        One, or the explicit and the implicit one of an automatic pair.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    key = name
    if isinstance(name, type) and name.__module__.startswith("scipy.integrate."):
        key = name.__name__  # code written for SciPy may pass its classes, such as scipy.integrate.RK45
    key = ALIASES.get(key.lower(), key.lower()) if isinstance(key, str) else ""
    if key == "taylor":
        key = f"taylor{taylor.order_for(rtol)}"
    if key == "auto":
        return key, tuple(METHODS[m] for m in choice.pair(n, rtol, structured, matrix_free))
    if key not in METHODS:
        known = ", ".join(["auto", *METHODS, "taylor"])
        raise ValueError(
            f"method={name!r} is unknown; expected one of {known} (or SciPy's RK23, RK45, DOP853, Radau, BDF, LSODA)"
        )
    return key, (METHODS[key],)
