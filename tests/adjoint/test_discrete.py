import numpy as np
import pytest
from nn import reference

from odekit import _jit
from odekit.adjoint import DiscreteAdjoint
from odekit.adjoint.blocks import LANE_BLOCK
from odekit.adjoint.revolve import advance, reach
from odekit.adjoint.scheme import scheme
from odekit.adjoint.seeding import locate
from odekit.adjoint.sweeps import Sweeps
from odekit.nn import HNN, MLP, NeuralODE
from odekit.solvers.tables import EXPLICIT

FORWARD, BACKWARD = np.array([0.0, 0.3, 0.35, 0.71, 1.5]), np.array([1.0, 0.2, -0.9])


def model_of(field, method, **options):
    return NeuralODE(field, method, 1e-4, 1e-4, first_step=0.25 if EXPLICIT[method].b_err is None else None, **options)


def steps_of(model, y0, t):
    sweeps = Sweeps(model.field, scheme(model.method), len(y0), recorded=False)
    sweeps.forward(model.field, y0, t, model.rtol, model.atol, model.first_step, keep_states=False)
    return sweeps.steps[: sweeps.naccept + 1].copy()


def check(model, f, y0, t):
    """Gradients against complex steps through the accepted steps: all of y0, and directions of the parameters."""
    cotangent = np.random.default_rng(5).standard_normal((len(t), *y0.shape))
    table, params = EXPLICIT[model.method], model.params
    steps = steps_of(model, y0, t)

    def product(y, p, steps=steps, t=t):
        ys = reference.replay(table, lambda s, z: f(s, z, p), steps, y.reshape(y0.shape), t)
        return (ys * cotangent).sum()

    gradient = model.gradient(y0, t, cotangent, with_times=True)
    ys, grad, y0_bar = gradient.y, gradient.params, gradient.y0
    np.testing.assert_allclose((ys * cotangent).sum(), product(y0, params), rtol=1e-12)
    np.testing.assert_allclose(
        y0_bar.ravel(), reference.complex_gradient(lambda y: product(y, params), y0.ravel()), rtol=1e-9, atol=1e-11
    )
    for direction in np.random.default_rng(6).standard_normal((4, params.size)):
        exact = reference.directional(lambda p: product(y0, p), params, direction)
        np.testing.assert_allclose(grad @ direction, exact, rtol=1e-10, atol=1e-11)
    for k in range(len(t)):
        moved, moved_steps = t.astype(complex), steps.astype(complex)
        moved[k] += reference.STEP * 1j
        moved_steps[0], moved_steps[-1] = moved[0], moved[-1]
        if k in (0, len(t) - 1) or t[k] not in steps:
            exact = product(y0, params, moved_steps, moved).imag / reference.STEP
            np.testing.assert_allclose(gradient.t[k], exact, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("t", [FORWARD, BACKWARD], ids=["forward", "backward"])
@pytest.mark.parametrize("method", EXPLICIT)
def test_gradient_is_exact_through_the_accepted_steps(method, t):
    field = MLP([2, 8, 8, 2], rng=0, time_dependent=True)
    y0 = np.random.default_rng(1).standard_normal((3, 2))
    check(model_of(field, method), lambda s, y, p: reference.value(field, y, p, s), y0, t)


@pytest.mark.parametrize("times", [[0.0, 1.0], [0.0, 1e-3, 1.0], list(np.linspace(0, 2, 41))], ids=len)
def test_any_number_of_outputs_per_step(times):
    field = MLP([2, 8, 2], rng=0)
    y0 = np.random.default_rng(1).standard_normal((2, 2))
    for method in ("tsit5", "dop853", "rk4"):
        check(model_of(field, method), lambda s, y, p: reference.value(field, y, p), y0, np.array(times))


@pytest.mark.thorough
def test_trajectories_of_a_hamiltonian_network():
    energy = MLP([4, 8, 6, 1], rng=3)
    y0 = np.random.default_rng(1).standard_normal((3, 4))

    def f(s, y, p):
        g = reference.input_gradient(energy, y, p)
        return np.concatenate((g[:, 2:], -g[:, :2]), axis=1)

    check(model_of(HNN(energy), "tsit5"), f, y0, FORWARD)


def test_blocks_of_lanes_add_up():
    field = MLP([2, 8, 2], rng=0)
    model, rng = model_of(field, "tsit5"), np.random.default_rng(2)
    y0 = rng.standard_normal((150, 2))
    check_directions = rng.standard_normal((5, 150, 2))
    _ys, grad, y0_bar = model.vjp(y0, FORWARD, check_directions)
    steps = steps_of(model, y0, FORWARD)
    direction = rng.standard_normal(y0.shape)

    def product(y):
        f = lambda s, z: reference.value(field, z)  # noqa: E731
        return (reference.replay(EXPLICIT["tsit5"], f, steps, y, FORWARD) * check_directions).sum()

    exact = reference.directional(product, y0, direction)
    np.testing.assert_allclose((y0_bar * direction).sum(), exact, rtol=1e-10)
    assert np.array_equal(grad, model.vjp(y0, FORWARD, check_directions)[1])  # the same bits


def gradients(adjoint, method="dopri5", lanes=70, t=FORWARD):
    model = NeuralODE(MLP([2, 8, 2], rng=0, time_dependent=True), method, 1e-7, 1e-7, adjoint=adjoint)
    rng = np.random.default_rng(2)
    return model.gradient(rng.standard_normal((lanes, 2)), t, rng.standard_normal((len(t), lanes, 2)), with_times=True)


@pytest.mark.parametrize("method", ["dopri5", "bosh3", "dop853"])
def test_checkpoints_and_memory_change_no_bit(method):
    expected = gradients(DiscreteAdjoint(), method)
    n = expected.counts["naccept"]
    assert n >= 5
    assert expected.counts["tapes"] == n
    for options in (
        {"memory": 0},
        {"memory": 10**5},
        *({"checkpoints": c} for c in (1, 2, 3, n + 3)),
        {"threads": 2},
        {"threads": 1},
    ):
        other = gradients(DiscreteAdjoint(**options), method)
        for name in ("y", "params", "y0", "t"):
            assert np.array_equal(getattr(other, name), getattr(expected, name)), (options, name)
        if "checkpoints" in options:
            assert other.counts["states"] <= options["checkpoints"]
            assert other.counts["tapes"] == 0


def test_few_tapes_are_stored_where_the_memory_is_small():
    tapes = [gradients(DiscreteAdjoint(memory=memory)).counts["tapes"] for memory in (0, 3 * 10**5, 10**8)]
    assert tapes[0] == 0 < tapes[1] < tapes[2]


def fewest(length, c, known):
    """Steps that must be made again, by trying all places of the next stored state."""
    if length == 1:
        return 0
    if c == 1:
        return length * (length - 1) // 2
    if (length, c) not in known:
        known[length, c] = min(m + fewest(length - m, c - 1, known) + fewest(m, c, known) for m in range(1, length))
    return known[length, c]


@pytest.mark.parametrize("c", [1, 2, 3, 5])
def test_checkpoints_stand_in_the_best_places(c):
    def repeated(length, c):
        if length == 1:
            return 0
        if c == 1:
            return length * (length - 1) // 2
        m = advance(length, c)
        return m + repeated(length - m, c - 1) + repeated(m, c)

    known = {}
    assert [repeated(n, c) for n in range(1, 40)] == [fewest(n, c, known) for n in range(1, 40)]
    assert reach(c, 2) == (c + 2) * (c + 1) / 2


def test_number_of_repeated_steps():
    counts = gradients(DiscreteAdjoint(checkpoints=3), lanes=1).counts
    assert counts["repeated"] == fewest(counts["naccept"], 3, {})


@pytest.mark.skipif(_jit.JIT_DISABLED, reason="too many steps for plain Python")
def test_memory_does_not_grow_with_the_number_of_steps():
    counts = []
    for end in (1.0, 50.0):
        t = np.array([0.0, end])
        counts.append(
            [gradients(a, "bosh3", 1, t).counts for a in (DiscreteAdjoint(memory=0), DiscreteAdjoint(checkpoints=4))]
        )
    short, long = counts
    assert long[0]["states"] == long[0]["naccept"] + 1 > 4 * short[0]["states"]
    assert long[1]["states"] == short[1]["states"] == 4


@pytest.mark.parametrize("options", [{"checkpoints": 0}, {"checkpoints": 1.5}, {"threads": -1}, {"memory": -1}])
def test_bad_options(options):
    with pytest.raises(ValueError, match=f"{next(iter(options))} must be"):
        DiscreteAdjoint(**options)


@pytest.mark.parametrize("method", EXPLICIT)
def test_scheme_ends_at_the_new_solution(method):
    table, a = EXPLICIT[method], scheme(method)
    assert a.c[a.last] == 1.0
    np.testing.assert_allclose(a.a[a.last], a.b, atol=1e-15)
    np.testing.assert_allclose(a.dense.sum(axis=1), a.b, atol=1e-15 * np.abs(a.dense).sum(axis=1).max())
    assert a.slots == table.stages + len(table.extra_c) + (0 if table.fsal else 1)


def test_locate():
    node, first = locate(np.array([0.0, 1.0, 2.0, 4.0]), np.array([0.0, 0.25, 1.0, 3.0, 3.5, 4.0]))
    assert node.tolist() == [0, 2, -1, 5]
    assert first.tolist() == [1, 3, 3, 6]
    node, first = locate(np.array([1.0, 0.0, -2.0]), np.array([1.0, 0.5, -2.0]))
    assert node.tolist() == [0, -1, 2]
    assert first.tolist() == [1, 2, 3]


def test_a_solve_without_tapes_takes_memory_for_no_stage_of_other_blocks():
    field = MLP([2, 8, 2], rng=0)
    sizes = [
        Sweeps(field, scheme("tsit5"), width, threads=1, recorded=False).p.size
        for width in (LANE_BLOCK, 50 * LANE_BLOCK)
    ]
    assert sizes[0] == sizes[1]
    model, y0 = NeuralODE(field, "tsit5"), np.random.default_rng(2).standard_normal((3 * LANE_BLOCK, 2))
    alone = model.solve(y0, [0.0, 1.0])
    sweeps = Sweeps(field, scheme("tsit5"), len(y0))
    assert np.array_equal(sweeps.forward(field, y0, np.array([0.0, 1.0]), model.rtol, model.atol)[0], alone)
