"""Every table: order conditions by rooted trees, dense output, stability; and that a typing error shows."""

import contextlib
import dataclasses
import functools
from fractions import Fraction

import numpy as np
import pytest
from numpy.polynomial import Polynomial

from odekit.solvers.tables import ESDIRK, EXPLICIT

TABLES = [*EXPLICIT.values(), *ESDIRK.values()]
TOLERANCE = 1e-13
N_TREES = [1, 1, 2, 4, 9, 20, 48, 115, 286, 719]  # rooted trees with 1, 2, ... vertices (OEIS A000081)

# ---------------------------------------------------------------------------------------------------------------------
# rooted trees: a tree is the sorted tuple of the subtrees at its root


def with_one_leaf_more(tree):
    yield tuple(sorted((*tree, ())))
    for i, child in enumerate(tree):
        for grown in with_one_leaf_more(child):
            yield tuple(sorted((*tree[:i], grown, *tree[i + 1 :])))


@functools.cache
def trees(order):
    if order == 1:
        return ((),)
    return tuple(sorted({grown for tree in trees(order - 1) for grown in with_one_leaf_more(tree)}))


def size(tree):
    return 1 + sum(map(size, tree))


def density(tree):
    return size(tree) * np.prod([density(child) for child in tree])


@functools.cache
def recipe(order):
    """Trees of this order as (branch, rest): a tree is another one with one more branch at its root.

    Both are numbers in the list of all trees, smaller ones first; with the densities.
    """
    number = {tree: k for k, tree in enumerate(tree for o in range(1, order + 1) for tree in trees(o))}
    pairs = [(number[tree[0]], number[tree[1:]]) for tree in trees(order)] if order > 1 else []
    return np.array(pairs, dtype=int).reshape(-1, 2), np.array([density(tree) for tree in trees(order)], dtype=float)


def elementary_weights(A, up_to):
    """One array per order, one row Phi(tree) per tree: the order condition is ``b . Phi = 1 / density``.

    In extended precision: it is the coefficients that are tested, not the rounding of these sums.
    """
    blocks, A = [np.ones((1, len(A)), dtype=np.longdouble)], np.array(A, dtype=np.longdouble)
    for order in range(2, up_to + 1):
        known = np.concatenate(blocks)
        pairs, _ = recipe(order)
        blocks.append((known @ A.T)[pairs[:, 0]] * known[pairs[:, 1]])
    return blocks


def all_stages(table):
    """A with the extra stages of the dense output."""
    A = np.array(table.A)
    if not getattr(table, "extra_c", ()):
        return A
    return np.vstack([np.pad(A, ((0, 0), (0, len(table.extra_c)))), table.extra_A])


def defect(blocks, weights, order, solution=True):
    """Largest violation of the order conditions of exactly this order, relative to the size of the terms.

    With ``solution=False``: of the conditions that an error estimate of the next order fulfils (the sums are zero).
    """
    phi, weights = blocks[order - 1], np.array(weights, dtype=np.longdouble)
    target = 1 / recipe(order)[1] if solution else 0.0
    return np.max(np.abs(phi @ weights - target) / np.maximum(1.0, np.abs(phi) @ np.abs(weights)))


def dense_defect(table):
    """The same for ``b_i(theta)``, coefficient by coefficient: ``sum_i b_i(theta) Phi_i = theta^order / density``."""
    dense, worst = np.array(table.dense, dtype=np.longdouble), 0.0
    for order, phi in enumerate(elementary_weights(all_stages(table), table.dense_order), 1):
        target = np.zeros((len(phi), dense.shape[1]))
        target[:, order - 1] = 1 / recipe(order)[1]
        worst = max(worst, np.max(np.abs(phi @ dense - target) / np.maximum(1.0, np.abs(phi) @ np.abs(dense))))
    return worst


def error_estimates(table):
    """Pairs (weights, order): the estimate vanishes up to that order and no further."""
    if table.b_err is None:
        return []
    low = getattr(table, "b_err_low", None)
    return [(table.b_err, table.embedded_order)] if low is None else [(table.b_err, 5), (low, 3)]


def largest_defect(table):
    blocks = elementary_weights(np.array(table.A), table.order)
    worst = [defect(blocks, table.b, order) for order in range(1, table.order + 1)]
    for weights, order in error_estimates(table):
        worst += [defect(blocks, weights, k, solution=False) for k in range(1, order + 1)]
    if getattr(table, "dense", None) is not None:
        worst.append(dense_defect(table))
    return max(worst)


# ---------------------------------------------------------------------------------------------------------------------


def name(value):
    return value.name


def test_number_of_rooted_trees():
    assert [len(trees(order)) for order in range(1, 11)] == N_TREES


@pytest.mark.parametrize("table", TABLES, ids=name)
def test_order_conditions(table):
    assert largest_defect(table) < TOLERANCE


@pytest.mark.parametrize("table", TABLES, ids=name)
def test_no_order_is_understated(table):
    blocks = elementary_weights(np.array(table.A), table.order + 1)
    assert defect(blocks, table.b, table.order + 1) > 1e-7
    for weights, order in error_estimates(table):
        assert defect(blocks, weights, order + 1, solution=False) > 1e-5


def test_combined_error_estimate_has_the_stated_order():
    table = EXPLICIT["dop853"]  # |e5|^2 / |e3| behaves as h^(2 * 6 - 4)
    assert table.embedded_order + 1 == 2 * (5 + 1) - (3 + 1)


@pytest.mark.parametrize("table", [t for t in EXPLICIT.values() if t.dense is not None], ids=name)
def test_dense_output_is_continuously_differentiable(table):
    """Slope f(t) at theta = 0 and f(t + h) at theta = 1."""
    start = [float(row[0]) for row in table.dense]
    end = [float(sum(d * Fraction(weight) for d, weight in enumerate(row, 1))) for row in table.dense]
    unit = np.eye(len(table.dense))
    np.testing.assert_allclose(start, unit[0], atol=1e-15)
    np.testing.assert_allclose(end, unit[table.stages - 1], atol=2e-12)


@pytest.mark.parametrize("table", EXPLICIT.values(), ids=name)
def test_stability_size(table):
    """The first x > 0 with |R(-x)| > 1, for the stability polynomial R(z) = 1 + z b (1 + z A + ...) 1."""
    coefficients, powers = [1.0], np.ones(table.stages)
    for _ in range(table.stages):
        coefficients.append(np.dot(table.b, powers))
        powers = np.array(table.A) @ powers
    R = Polynomial(coefficients)
    crossings = [root.real for side in (-1, 1) for root in (R - side).roots() if abs(root.imag) < 1e-6 * abs(root.real)]
    leaving = [-x for x in crossings if x < -1e-3 and abs(R(1.001 * x)) > 1]
    assert min(leaving) == pytest.approx(table.stability_size, rel=1e-10)
    assert np.all(np.abs(R(-np.linspace(0, table.stability_size, 1001))) <= 1 + 1e-9)


@pytest.mark.parametrize("name", ["bosh3", "dopri5", "tsit5", "vern7", "dop853", "vern9"])
def test_first_same_as_last(name):
    assert EXPLICIT[name].fsal


@pytest.mark.parametrize("table", ESDIRK.values(), ids=name)
def test_esdirk_is_l_stable(table):
    A, first, implicit = np.array(table.A), np.array(table.A)[1:, 0], np.array(table.A)[1:, 1:]
    assert abs(-np.linalg.solve(implicit, first)[-1]) < 1e-14  # R(infinity)
    z = 1j * np.logspace(-3, 6, 400)
    R = [np.linalg.solve(np.eye(table.stages) - x * A, np.ones(table.stages))[-1] for x in z]
    assert np.max(np.abs(R)) <= 1 + 1e-12


@pytest.mark.parametrize("table", ESDIRK.values(), ids=name)
def test_error_filter_where_the_embedded_method_is_not_l_stable(table):
    """The estimate of y' = z y, divided by y, tends to R - R_hat at infinity; without a filter that must be 0."""
    A, z = np.array(table.A), -1e8
    slopes = z * np.linalg.solve(np.eye(table.stages) - z * A, np.ones(table.stages))
    assert table.filter_error == (abs(np.dot(table.b_err, slopes)) > 1e-6)


def nudged(value):
    """All copies of nested tuples of floats with one nonzero number changed in its 10th digit."""
    if not isinstance(value, tuple):
        return [float(value) * (1 + 1e-10)] if isinstance(value, float | Fraction) and value != 0 else []
    return [(*value[:i], new, *value[i + 1 :]) for i, old in enumerate(value) for new in nudged(old)]


@pytest.mark.parametrize("table", TABLES, ids=name)
def test_a_wrong_digit_is_noticed(table):
    fields = [f.name for f in dataclasses.fields(table) if isinstance(getattr(table, f.name), tuple)]
    assert {"c", "A", "b"} <= set(fields)
    changed = 0
    for field in fields:
        for value in nudged(getattr(table, field)):
            changed += 1
            with contextlib.suppress(ValueError):  # noticed on construction
                copy = dataclasses.replace(table, **{field: value})
                assert largest_defect(copy) > TOLERANCE, f"{field} = {value}"
    assert changed >= table.stages


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": (1.0, 0.0, 0.0)}, "length"),
        ({"A": ((0.0, 1.0), (1.0, 0.0))}, "row 0 of A"),
        ({"c": (0.0, 0.5)}, "row 1 of A is off"),
        ({"embedded_order": 0}, "disagree"),
        ({"dense": ((1.0,),)}, "one row per stage"),
        ({"dense": ((1.0,), (0.5,))}, "theta = 1"),
        ({"stability_size": 0.0}, "positive"),
    ],
)
def test_malformed_tables_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(EXPLICIT["heun"], **change)
