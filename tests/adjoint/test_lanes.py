import numpy as np
import pytest
from nn import reference
from scipy.integrate import solve_ivp

from odekit import Retcode, _jit
from odekit.adjoint import DiscreteAdjoint, SolveError
from odekit.adjoint.lane_blocks import padded
from odekit.adjoint.lane_sweeps import LaneSweeps, partition
from odekit.adjoint.scheme import scheme
from odekit.adjoint.tape import (
    BLOCK,
    HEADER,
    LANES,
    N_PARAMS,
    SCRATCH,
    SIZE,
    SLOT_SIZE,
    TAPE,
    THETA,
    TIME_BAR,
    TIMES,
    lane_time,
    scalar_address,
)
from odekit.nn import LNN, MLP, AntisymmetricField, ConcatSquash, NeuralODE, SecondOrderODE
from odekit.nn.field_kernels import FieldKernels, call
from odekit.nn.trace import TraceField
from odekit.solvers.tables import EXPLICIT

FORWARD, BACKWARD = np.array([0.0, 0.3, 0.35, 0.71, 1.5]), np.array([1.0, 0.2, -0.9])


def model_of(field, method, tolerance=1e-4, **options):
    first_step = 0.25 if EXPLICIT[method].b_err is None else None
    return NeuralODE(field, method, tolerance, tolerance, first_step=first_step, step_control="per_sample", **options)


def steps_of(model, y0, t):
    """Ends of the accepted steps of each trajectory, from the log."""
    sweeps = LaneSweeps(model.field, scheme(model.method), len(y0))
    sweeps.forward(model.field, y0, t, model.rtol, model.atol, model.first_step)
    steps = []
    for group in sweeps.groups:
        for m in range(group.first, group.last):
            row, ends = sweeps.heads[m], []
            while row >= 0:
                ends.insert(0, group.log[0][row])
                row = group.log[2][row]
            steps.append(np.array(ends))
    return steps


@pytest.mark.parametrize("t", [FORWARD, BACKWARD, np.linspace(0, 2, 41)], ids=["forward", "backward", "many"])
@pytest.mark.parametrize("method", ["bosh3", "tsit5", "dop853", "rk4"])
def test_gradient_is_exact_through_the_steps_of_each_trajectory(method, t):
    field = MLP([2, 8, 8, 2], rng=0, time_dependent=True)
    field.params = 2.0 * field.params
    y0 = 2.0 * np.random.default_rng(1).standard_normal((5, 2))
    model, params, table = model_of(field, method), field.params.copy(), EXPLICIT[method]
    cotangent = np.random.default_rng(5).standard_normal((len(t), *y0.shape))
    steps = steps_of(model, y0, t)
    if method != "rk4":
        assert len({len(s) for s in steps}) > 1

    def product(y, p, begin=0.0, end=0.0):
        total, moved = 0.0, t.astype(complex)
        moved[0], moved[-1] = t[0] + begin, t[-1] + end
        for m, ends in enumerate(steps):
            own = ends.astype(complex)
            own[0], own[-1] = moved[0], moved[-1]
            ys = reference.replay(table, lambda s, z: reference.value(field, z, p, s), own, y[m : m + 1], moved)
            total += (ys[:, 0] * cotangent[:, m]).sum()
        return total

    g = model.gradient(y0, t, cotangent, with_times=True)
    np.testing.assert_allclose((g.y * cotangent).sum(), product(y0, params).real, rtol=1e-12)
    exact = reference.complex_gradient(lambda y: product(y.reshape(y0.shape), params), y0.ravel())
    np.testing.assert_allclose(g.y0.ravel(), exact, rtol=1e-10, atol=1e-11)
    for direction in np.random.default_rng(6).standard_normal((3, params.size)):
        exact = reference.directional(lambda p: product(y0, p), params, direction)
        np.testing.assert_allclose(g.params @ direction, exact, rtol=1e-10, atol=1e-11)
    step = reference.STEP * 1j
    ends = [product(y0, params, step).imag, product(y0, params, 0.0, step).imag]
    np.testing.assert_allclose(g.t[[0, -1]], np.array(ends) / reference.STEP, rtol=1e-9, atol=1e-10)


@pytest.fixture
def batch():
    """A model whose samples need from 11 to 30 steps, in two groups of more samples than lanes."""
    field = MLP([2, 8, 8, 2], rng=0, time_dependent=True)
    field.params = 2.0 * field.params
    y0 = 2.0 * np.random.default_rng(1).standard_normal((139, 2))
    return model_of(field, "bosh3"), y0, np.random.default_rng(2).standard_normal((len(FORWARD), *y0.shape))


def test_every_trajectory_is_as_if_alone(batch):
    model, y0, cotangent = batch
    assert len(partition(len(y0))) == 3
    together = model.gradient(y0, FORWARD, cotangent, with_times=True)
    shared = NeuralODE(model.field, "bosh3", 1e-4, 1e-4)
    alone = [shared.gradient(y0[k : k + 1], FORWARD, cotangent[:, k : k + 1], with_times=True) for k in range(len(y0))]
    for name in ("naccept", "nreject", "nfev"):
        assert together.counts[name].tolist() == [g.counts[name] for g in alone]
    assert together.counts["nreject"].max() > 0
    assert together.counts["naccept"].max() > 2 * together.counts["naccept"].min()
    np.testing.assert_allclose(together.y, np.concatenate([g.y for g in alone], axis=1), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(together.y0, np.concatenate([g.y0 for g in alone]), rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(together.params, sum(g.params for g in alone), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(together.t, sum(g.t for g in alone), rtol=1e-10, atol=1e-10)


@pytest.mark.skipif(_jit.JIT_DISABLED, reason="products of matrices are those of a BLAS without the compiler")
def test_neighbours_change_no_bit(batch):
    model, y0, cotangent = batch
    order = np.random.default_rng(3).permutation(len(y0))
    a, b = model.gradient(y0, FORWARD, cotangent), model.gradient(y0[order], FORWARD, cotangent[:, order])
    assert np.array_equal(a.counts["nfev"][order], b.counts["nfev"])
    assert np.array_equal(a.y[:, order], b.y)
    assert np.array_equal(a.y0[order], b.y0)
    for few in (1, 5, 38):  # other numbers of columns in the products of matrices
        assert np.array_equal(model.solve(y0[:few], FORWARD), a.y[:, :few])


def test_threads_change_no_bit(batch):
    model, y0, cotangent = batch
    one, two = (
        NeuralODE(model.field, "bosh3", 1e-4, 1e-4, DiscreteAdjoint(threads=n), "per_sample").gradient(
            y0, FORWARD, cotangent
        )
        for n in (1, 2)
    )
    for name in ("y", "params", "y0"):
        assert np.array_equal(getattr(one, name), getattr(two, name))


def test_batch_is_cut_by_its_size_alone():
    assert partition(1) == [0, 1]
    assert partition(33) == [0, 16, 33]
    assert partition(512)[:3] == [0, 64, 128]
    assert len(partition(10**5)) == 17


@pytest.mark.parametrize(
    "make",
    [
        lambda: MLP([2, 4, 2], rng=0, time_dependent=True),
        pytest.param(lambda: AntisymmetricField(2, rng=0, time_dependent=True), marks=pytest.mark.thorough),
        lambda: SecondOrderODE(MLP([2, 4, 1], rng=0, time_dependent=True)),
        pytest.param(
            lambda: TraceField(MLP([2, 4, 2], rng=0, time_dependent=True), regularised=True), marks=pytest.mark.thorough
        ),
        pytest.param(
            lambda: LNN(MLP([2, 4, 1], activation="softplus", rng=0, time_dependent=True)), marks=pytest.mark.thorough
        ),
    ],
    ids=["MLP", "AntisymmetricField", "SecondOrderODE", "TraceField", "LNN"],
)
def test_kernels_with_a_time_for_each_lane(make):
    field, rng = make(), np.random.default_rng(0)
    d, n, width, times = field.dim, field.params.size, 3, np.array([0.3, -1.0, 2.0])
    y, v = rng.standard_normal((d, width)), rng.standard_normal((d, width))
    packed = field.pack(width)
    p = np.concatenate((packed, times, np.zeros(width)))
    p[TIMES], p[SIZE] = packed.size, p.size
    dy, bar, value = np.empty(d * width), np.zeros(d * width + n), np.empty(d * width)
    call(field.kernels.value, np.nan, y.ravel(), value, p)
    call(field.kernels.record, np.nan, y.ravel(), dy, p)
    call(field.kernels.pull, np.nan, v.ravel(), bar, p)
    params_bar = np.zeros(n)
    for j in range(width):
        p1, dy1, bar1 = field.pack(1), np.empty(d), np.zeros(d + n)
        call(field.kernels.record, times[j], y[:, j].copy(), dy1, p1)
        p1[TIME_BAR] = 0.0
        call(field.kernels.pull, times[j], v[:, j].copy(), bar1, p1)
        np.testing.assert_allclose(dy.reshape(d, width)[:, j], dy1, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(value.reshape(d, width)[:, j], dy1, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(bar[: d * width].reshape(d, width)[:, j], bar1[:d], rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(p[packed.size + width + j], p1[TIME_BAR], rtol=1e-11, atol=1e-13)
        params_bar += bar1[d:]
    np.testing.assert_allclose(bar[d * width :], params_bar, rtol=1e-11, atol=1e-13)


# a user's function as a block kernel -------------------------------------------------------------------------------------


def _block(t, y, dy, p):
    """y' = -y^2 + t in every lane; it refuses y > 10 in any of them."""
    status, y, dy = 0, _jit.view1(y, 0, int(p[LANES])), _jit.view1(dy, 0, int(p[LANES]))
    p = _jit.view1(p, 0, int(p[SIZE]))
    for j in range(int(p[LANES])):
        status = 1 if y[j] > 10.0 else status
        dy[j] = lane_time(p, t, j) - y[j] * y[j] * p[HEADER]
    return status


class Block:
    """A field without a pull, for solutions only."""

    dim, params, lane_times = 1, np.array([1.0]), True

    @property
    def kernels(self):
        """Addresses."""
        return FieldKernels(lambda: scalar_address(_block), None, None)

    def pack(self, lanes, slots=1):
        """The vector p."""
        p = np.zeros(HEADER + 1)
        p[[LANES, BLOCK, N_PARAMS, THETA, TAPE, SLOT_SIZE, SCRATCH, SIZE]] = (
            lanes,
            lanes,
            1,
            HEADER,
            p.size,
            1,
            p.size,
            p.size,
        )
        return p


@pytest.fixture
def block(monkeypatch):
    # a function of this file is not cached
    monkeypatch.setattr(_jit, "KERNEL_OPTIONS", {**_jit.KERNEL_OPTIONS, "cache": False})
    return Block()


def test_users_block_kernel_whose_lanes_fail(block):
    t, y0 = np.linspace(0.0, 2.0, 5), np.linspace(0.0, 20.0, 45)[:, None]
    found = NeuralODE(block, "tsit5", 1e-8, 1e-8, step_control="per_sample").trajectories(y0, t)
    assert np.array_equal(found.success, y0[:, 0] <= 10.0)
    assert set(found.retcode) == {Retcode.SUCCESS, Retcode.RHS_RAISED}
    assert "raised an exception at t = 0.0" in found.message[-1]
    for m in (0, 10, 22):
        exact = solve_ivp(lambda t, y: t - y**2, (0, 2), y0[m], t_eval=t, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(found.y[:, m, 0], exact.y[0], atol=1e-6)


@np.errstate(all="ignore")
def test_failing_trajectories_change_no_other():
    field = MLP([1, 1], rng=0)
    field.params = [400.0, 0.0]  # y' = 400 y overflows unless it starts at 0
    model = model_of(field, "tsit5")
    found = model.trajectories([[0.0], [1.0], [0.0], [-1.0]], [0.0, 1.0, 5.0])
    assert found.success.tolist() == [True, False, True, False]
    assert np.array_equal(found.y[:, [0, 2]], np.zeros((3, 2, 1)))
    assert np.isnan(found.y[2, 1]).all()
    assert "not finite near t = " in found.message[1]
    assert "successfully" in found.message[0]
    with pytest.raises(SolveError, match=r"Trajectory 1 \(and 1 more of 4\): The right-hand side gave a value that is"):
        model.solve([[0.0], [1.0], [0.0], [-1.0]], [0.0, 5.0])
    few = model.trajectories([[0.0], [1.0]], [0.0, 1.0], max_steps=20)
    assert few.retcode.tolist() == [Retcode.SUCCESS, Retcode.MAX_STEPS]
    assert "limit of 20 steps" in few.message[1]


def test_harder_inputs_take_more_evaluations(batch):
    model, y0, _ = batch
    found = model.trajectories(y0, FORWARD)
    assert found.success.all()
    assert np.array_equal(found.nfev, 2 + 3 * (found.naccept + found.nreject))
    assert f"139 of 139 reached t = 1.5 with {found.nfev.min()} to {found.nfev.max()} evaluations" in repr(found)
    assert np.array_equal(found.y, model.solve(y0, FORWARD))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "radau"}, "step_control='per_sample' goes with the explicit methods and adjoint='discrete', but method='radau'"),
        ({"adjoint": "backsolve"}, "adjoint='discrete', but method='tsit5' and adjoint='backsolve'"),
        ({"step_control": "own"}, "step_control='own' is unknown; expected one of shared, per_sample"),
    ],
)  # fmt: skip
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        NeuralODE(MLP([2, 2]), **{"step_control": "per_sample", **options})


def test_what_needs_trajectories_of_their_own():
    for field in (ConcatSquash([2, 4, 2]), TraceField(ConcatSquash([2, 4, 2]))):
        with pytest.raises(ValueError, match=f"but that of a {type(field).__name__} has one time for all"):
            NeuralODE(field, step_control="per_sample")
    with pytest.raises(ValueError, match="need step_control='per_sample', not 'shared'"):
        NeuralODE(MLP([2, 2])).trajectories(np.ones((3, 2)), FORWARD)
    with pytest.raises(ValueError, match="checkpoints are for shared steps"):
        model_of(MLP([2, 2]), "tsit5", adjoint=DiscreteAdjoint(checkpoints=3)).loss_and_grad(
            np.ones(2), FORWARD, np.ones((5, 2))
        )


def test_calls_have_whole_vectors_of_lanes():
    assert [int(padded(k, 32)) for k in (1, 8, 9, 31)] == [8, 8, 16, 32]
    assert int(padded(1, 3)) == 3
