"""Which pair of methods ``method="auto"`` takes: by tolerance, dimension and structure of the Jacobian."""

import functools

#: From this relative tolerance down the explicit method is of order 7. On the Lorenz, Arenstorf and Pleiades problems vern7
#: is never slower than tsit5 at equal error, and from here on clearly faster; above, tsit5 has its dense output for nothing
#: and compiles in half the time.
TIGHT = 1e-6
LOOSE_EXPLICIT, TIGHT_EXPLICIT = "tsit5", "vern7"

#: The implicit partner. At equal error radau is the fastest of rosenbrock23, rodas5p, kvaerno5, bdf and radau on ROBER,
#: HIRES, VDPOL and OREGO from 1e-2 to 1e-11. Beyond a dimension of 100 the factors of full matrices dominate, of which bdf
#: needs one real one where radau needs a complex one too: on a Brusselator with 200 and 400 unknowns it takes a third of the
#: time at equal error, except for the tightest tolerances, where its order is too low.
IMPLICIT, IMPLICIT_LARGE = "radau", "bdf"
LARGE = 100
LARGE_TIGHT = 1e-8

#: Beyond this dimension ``auto`` stays explicit where the Jacobian has no structure: the implicit method would need matrices
#: of n by n numbers.
LARGEST_AUTO_DIMENSION = 5000


def pair(n, rtol, structured=False, matrix_free=False):
    """Names of the methods that ``auto`` takes.

    Parameters
    ----------
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
    tuple of str
        The explicit one and the implicit one, or one of them alone.
    """
    if matrix_free:  # nothing bounds the eigenvalues, so that nothing would lead back to the explicit method
        return (IMPLICIT_LARGE,)
    explicit = TIGHT_EXPLICIT if rtol <= TIGHT else LOOSE_EXPLICIT
    implicit = IMPLICIT_LARGE if n > LARGE and rtol > LARGE_TIGHT else IMPLICIT
    return (explicit, implicit) if structured or n <= LARGEST_AUTO_DIMENSION else (explicit,)


@functools.lru_cache(maxsize=256)
def sentence(name, methods, n, rtol, structure=""):
    """Why these methods were taken, in a sentence.

    Parameters
    ----------
    name : str
        What was asked for, ``"auto"`` or a method.
    methods : sequence of Method
        One, or the explicit and the implicit one of an automatic pair.
    n : int
    rtol : float
    structure : str
        By which argument the structure of the Jacobian is given, if it has one.

    Returns
    -------
    str
    """
    if name != "auto":
        return f"{name}, as asked for"
    tolerance = f"rtol = {rtol:.3g} is {'at most' if rtol <= TIGHT else 'above'} {TIGHT:.0e}"
    first = methods[0].name
    if len(methods) == 1 and methods[0].implicit:
        return f"{first} alone: linear_solver = 'gmres' is for stiff systems"
    if len(methods) == 1:
        return (
            f"{first} alone: {tolerance}; n = {n} is too large for the full matrices of an implicit method; "
            "for diffusion on a grid, rock4 and rock2 need none"
        )
    size = f"n = {n} is {'above' if n > LARGE else 'at most'} {LARGE}"
    given = f"; the Jacobian has a structure: {structure}" if structure else ""
    return f"{first} first, {methods[1].name} where it is stiff: {tolerance}; {size}{given}"
