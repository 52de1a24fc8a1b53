"""Large stiff problems: the Brusselator with diffusion, on a line (banded) and on a square (sparse)."""

import pathlib

import numpy as np

from .problem import Problem


def _reference(name):
    """A reference solution from the text file beside this module, one number a line."""
    return tuple(np.loadtxt(pathlib.Path(__file__).with_name(name)).tolist())


# On a line ------------------------------------------------------------------------------------------------------------


def _line(t, y, a, b, alpha):
    """u_t = a + u^2 v - (b + 1) u + alpha u_xx, v_t = b u - u^2 v + alpha v_xx; y = (u_1, v_1, u_2, v_2, ...)."""
    n = y.size
    diffusion = alpha * (n // 2 + 1) ** 2
    dy = np.empty_like(y)
    for i in range(0, n, 2):
        u, v = y[i], y[i + 1]
        left_u, left_v = (a, b / a) if i == 0 else (y[i - 2], y[i - 1])
        right_u, right_v = (a, b / a) if i == n - 2 else (y[i + 2], y[i + 3])
        reaction = u * u * v
        dy[i] = a + reaction - (b + 1.0) * u + diffusion * (left_u - 2.0 * u + right_u)
        dy[i + 1] = b * u - reaction + diffusion * (left_v - 2.0 * v + right_v)
    return dy


def _line_jac(t, y, a, b, alpha):
    """Packed: row ``2 + i - j``, column j holds the derivative of component i by component j."""
    n = y.size
    diffusion = alpha * (n // 2 + 1) ** 2
    packed = np.zeros((5, n))
    packed[0, 2:] = packed[4, : n - 2] = diffusion
    for i in range(0, n, 2):
        u, v = y[i], y[i + 1]
        packed[2, i] = 2.0 * u * v - (b + 1.0) - 2.0 * diffusion
        packed[1, i + 1] = u * u
        packed[3, i] = b - 2.0 * u * v
        packed[2, i + 1] = -u * u - 2.0 * diffusion
    return packed


def _line_pattern(n):
    import scipy.sparse

    even = (np.arange(n) % 2 == 0).astype(float)
    diagonals = [np.ones(n - 2), even[:-1], np.ones(n), even[:-1], np.ones(n - 2)]
    return scipy.sparse.diags(diagonals, [-2, -1, 0, 1, 2], format="csc")


_POINTS = 500
_x = np.arange(1, _POINTS + 1) / (_POINTS + 1)

BRUSS1D = Problem(
    "BRUSS1D",
    _line,
    _line_jac,
    (0.0, 10.0),
    tuple(np.stack([1.0 + np.sin(2.0 * np.pi * _x), np.full(_POINTS, 3.0)], axis=1).ravel().tolist()),
    (1.0, 3.0, 1 / 50),
    _reference("brusselator_line.txt"),
    12,
    "Brusselator with diffusion on 500 points of a line, u = a and v = b / a at both ends (Hairer and Wanner, Solving "
    "ODEs II, equation IV.1.6' and BRUSS in IV.10; a driver of theirs starts with half the sine); reference: vern9 and "
    "dop853 at a tolerance of 1e-13 agree to 2e-14, Radau of SciPy at 1e-10 agrees to 2e-13",
    lband=2,
    uband=2,
    pattern=_line_pattern,
)


# On a square ----------------------------------------------------------------------------------------------------------


def _square(t, y, a, b, alpha, source):
    """u_t = b + u^2 v - (a + 1) u + alpha Laplace u + f, v_t = a u - u^2 v + alpha Laplace v, periodic.

    ``f = source`` in a disc from t = 1.1 on. The state is u, then v; on the grid of m by m points x runs first.
    """
    m = round(np.sqrt(y.size // 2))
    spacing = 1.0 / (m - 1)
    diffusion = alpha / spacing**2
    dy = np.empty_like(y)
    grid, slope = y.reshape((2, m, m)), dy.reshape((2, m, m))
    for j in range(m):
        above, below = j + 1 if j < m - 1 else 0, j - 1 if j > 0 else m - 1
        for s in range(2):  # neighbours in the row: no closed ring in the inner loop, which stays a plain one
            for i in range(1, m - 1):
                slope[s, j, i] = grid[s, j, i + 1] + grid[s, j, i - 1]
            slope[s, j, 0] = grid[s, j, 1] + grid[s, j, m - 1]
            slope[s, j, m - 1] = grid[s, j, 0] + grid[s, j, m - 2]
        for i in range(m):
            u, v = grid[0, j, i], grid[1, j, i]
            near_u = slope[0, j, i] + grid[0, above, i] + grid[0, below, i]
            near_v = slope[1, j, i] + grid[1, above, i] + grid[1, below, i]
            reaction = u * u * v
            slope[0, j, i] = b + reaction - (a + 1.0) * u + diffusion * (near_u - 4.0 * u)
            slope[1, j, i] = a * u - reaction + diffusion * (near_v - 4.0 * v)
    if t >= 1.1:
        for j in range(m):
            beside = (j * spacing - 0.6) ** 2
            if beside <= 0.01:
                for i in range(m):
                    if (i * spacing - 0.3) ** 2 + beside <= 0.01:
                        slope[0, j, i] += source
    return dy


def _square_laplace(m):
    import scipy.sparse

    ring = scipy.sparse.diags([1.0, 1.0, -2.0, 1.0, 1.0], [1 - m, -1, 0, 1, m - 1], shape=(m, m))
    return scipy.sparse.kronsum(ring, ring)


def _square_jac(t, y, a, b, alpha, source):
    """A SciPy sparse matrix, so not for Numba."""
    import scipy.sparse

    half = y.size // 2
    m = round(np.sqrt(half))
    diffusion = alpha * (m - 1) ** 2 * _square_laplace(m)
    u, v = y[:half], y[half:]
    upper, square = scipy.sparse.diags(2.0 * u * v), scipy.sparse.diags(u * u)
    one = scipy.sparse.identity(half)
    return scipy.sparse.bmat(
        [[diffusion + upper - (a + 1.0) * one, square], [a * one - upper, diffusion - square]], format="csc"
    )


def _square_pattern(n):
    import scipy.sparse

    near = abs(_square_laplace(round(np.sqrt(n // 2)))).sign()
    one = scipy.sparse.identity(n // 2)
    return scipy.sparse.bmat([[near, one], [one, near]], format="csc")


_SIDE = 32
_x = np.linspace(0.0, 1.0, _SIDE)
_bump = (_x * (1.0 - _x)) ** 1.5

BRUSS2D = Problem(
    "BRUSS2D",
    _square,
    _square_jac,
    (0.0, 11.5),
    (*np.repeat(22.0 * _bump, _SIDE).tolist(), *np.tile(27.0 * _bump, _SIDE).tolist()),
    (3.4, 1.0, 10.0, 5.0),
    _reference("brusselator_square.txt"),
    12,
    "Brusselator with diffusion on a square of 32 by 32 points (Hairer and Wanner, Solving ODEs II, IV.10, there with "
    "alpha = 0.1), with the diffusion of 10 and the grid of linspace(0, 1, 32), closed to a torus, of the SciML "
    "benchmarks (SciMLBenchmarks.jl StiffODE/Bruss.jmd); reference: vern9 and dop853 at "
    "a tolerance of 1e-13, started anew at the jump, agree to 2e-13, Radau of SciPy at 1e-9 agrees to 4e-11",
    pattern=_square_pattern,
    jumps=(1.1,),
)
