"""Pictures: what is drawn is what the solution says; axes are named; matplotlib may be missing."""

import sys
import types

import numpy as np
import pytest

import odekit
from odekit import nn, plot

matplotlib = pytest.importorskip("matplotlib")


@pytest.fixture
def ax():
    return plot.new_axes()


@pytest.fixture(scope="module")
def sol():
    return odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 6), [1.0, 0.0], "tsit5", rtol=1e-6, dense_output=True)


def test_trajectory_draws_the_dense_output(sol, ax):
    assert plot.trajectory(sol, ax=ax, labels=["x", "v"]) is ax
    first, second = ax.get_lines()
    np.testing.assert_allclose(first.get_ydata(), np.cos(first.get_xdata()), atol=1e-4)
    np.testing.assert_allclose(second.get_ydata(), -np.sin(second.get_xdata()), atol=1e-4)
    assert len(first.get_xdata()) > sol.naccept
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["x", "v"]
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def test_trajectory_without_dense_output_draws_the_points(ax):
    coarse = odekit.solve_ivp(lambda t, y: [y[1], -y[0]], (0, 6), [1.0, 0.0], t_eval=[0.0, 3.0, 6.0])
    plot.trajectory(coarse, ax=ax, components=[1])
    (line,) = ax.get_lines()
    np.testing.assert_array_equal(line.get_ydata(), coarse.y[1])


def test_phase(sol, ax):
    assert plot.phase(sol, 0, 1, ax=ax, color="red") is ax
    (line,) = ax.get_lines()
    np.testing.assert_allclose(np.hypot(*line.get_data()), 1, atol=1e-3)
    assert line.get_color() == "red"


def test_step_sizes_separate_the_methods(ax):
    problem = odekit.testset.ROBER
    stiff = odekit.solve_ivp(problem.fun, (0, 1e4), problem.y0, args=problem.args, rtol=1e-6, atol=1e-12)
    assert stiff.switches
    plot.step_sizes(stiff, ax=ax)
    drawn = [line for line in ax.get_lines() if line.get_linestyle() == "None"]
    names = stiff.methods_in_use()
    assert [line.get_label() for line in drawn] == [
        f"{name}: {names.count(name)} steps" for name in dict.fromkeys(names)
    ]
    assert sum(len(line.get_xdata()) for line in drawn) == stiff.naccept
    assert ax.get_yscale() == "log"


def test_step_sizes_backward_in_time(ax):
    sol = odekit.solve_ivp(lambda t, y: [-y[0]], (5, 0), [1.0], "tsit5")
    plot.step_sizes(sol, ax=ax)
    assert np.all(ax.get_lines()[0].get_ydata() > 0)


def test_vector_field(ax):
    assert plot.vector_field(lambda t, y, k: [y[1], -k * y[0]], (-2, 2), (-1, 1), ax=ax, args=(2.0,), points=9) is ax
    assert ax.get_xlim() == (-2, 2)
    assert ax.get_ylim() == (-1, 1)


def test_vector_field_at_rest(ax):
    plot.vector_field(lambda t, y: [0.0, 0.0], (0, 1), (0, 1), ax=ax, points=4)


def test_energy_error(ax):
    plot.energy_error([0, 1, 2, 3], [2.0, 2.0, 2.2, 1.0], ax=ax)
    np.testing.assert_allclose(ax.get_lines()[0].get_data(), [[2, 3], [0.1, 0.5]])
    plot.energy_error([0, 1], [0.0, 0.5], ax=ax, relative=False)
    np.testing.assert_allclose(ax.get_lines()[1].get_ydata(), [0.5])
    with pytest.raises(ValueError, match="relative=False"):
        plot.energy_error([0, 1], [0.0, 0.5], ax=ax)


def test_band_draws_the_median(ax):
    plot.band([0, 1], [[1, 2, 9], [3, 4, 5]], ax=ax, label="three")
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), [2, 4])


def test_ensemble_draws_quantiles_of_what_is_left(ax):
    t, y = np.array([0.0, 1.0, 2.0]), np.arange(33.0).reshape(11, 1, 3)
    y[:5, 0, 1], y[:, 0, 2] = np.nan, np.nan
    fan = types.SimpleNamespace(t=t, y=y)
    assert plot.ensemble(fan, 0, ax=ax, quantiles=[(0.1, 0.9)], members=[2, 7], color="red") is ax
    second, seventh, median = ax.get_lines()
    np.testing.assert_array_equal(median.get_ydata(), [15, 23.5, np.nan])
    np.testing.assert_array_equal(second.get_ydata(), [6, np.nan, np.nan])
    np.testing.assert_array_equal(seventh.get_ydata(), y[7, 0])
    corners = ax.collections[0].get_paths()[0].vertices
    assert {(0, 3), (0, 27), (1, 17.5), (1, 29.5)} <= {(a, round(b, 9)) for a, b in corners}
    for times in (np.zeros((11, 3)), np.zeros(1)):
        with pytest.raises(ValueError, match="t_eval of shape"):
            plot.ensemble(types.SimpleNamespace(t=times, y=y), ax=ax)


def test_parameter_map_marks_what_failed(ax):
    x, y = (a.ravel() for a in np.meshgrid([3.0, 1.0, 2.0], [10.0, 20.0]))
    values, failed = np.array([1.0, 2.0, np.nan, 4.0, 5.0, 6.0]), np.arange(6) == 4
    assert plot.parameter_map(x, y, values, ax=ax, failed=failed, label="size") is ax
    drawn = ax.collections[0].get_array()
    np.testing.assert_array_equal(drawn.filled(-1), [[2, -1, 1], [-1, 6, 4]])
    np.testing.assert_array_equal(ax.get_lines()[0].get_data(), [[2, 1], [10, 20]])
    assert ax.figure.axes[1].get_ylabel() == "size"
    with pytest.raises(ValueError, match="one member for each pair"):
        plot.parameter_map(x[:5], y[:5], values[:5], ax=ax)


def test_work_precision(ax):
    runs = {"tsit5": ([1e-3, 1e-6, 0.0], [1.0, 2.0, 3.0]), "vern9": ([1e-4, np.inf], [2.0, 3.0])}
    assert plot.work_precision(runs, ax=ax) is ax
    first, second = ax.get_lines()
    np.testing.assert_array_equal(first.get_data(), [[1e-3, 1e-6], [1, 2]])  # no logarithm of an error of zero
    np.testing.assert_array_equal(second.get_data(), [[1e-4], [2]])
    assert (ax.get_xscale(), ax.get_yscale(), ax.xaxis_inverted()) == ("log", "log", True)
    plot.work_precision({"more": ([1.0], [1.0])}, ax=ax, color="red")
    assert ax.xaxis_inverted()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["tsit5", "vern9", "more"]


def test_work_needs_a_problem():
    with pytest.raises(TypeError, match=r"problem must be one of odekit\.testset, such as LORENZ, but it is 'lorenz'"):
        odekit.testset.work("lorenz", "tsit5")


def test_work_on_a_reference_problem():
    errors, seconds = odekit.testset.work(odekit.testset.LORENZ, "tsit5", rtols=[1e-4, 1e-8], repeats=2)
    assert errors[0] > 1e3 * errors[1] > 0
    assert np.all(seconds > 0)


@pytest.mark.parametrize("method", ["tsit5", "radau", "bdf"])
def test_stability_region(method, ax):
    plot.stability_region(method, ax=ax)
    edge = np.concatenate([path.vertices for path in ax.collections[1].get_paths()])
    factor = np.abs(odekit.stability.amplification(method, edge[:, 0] + 1j * edge[:, 1]))
    np.testing.assert_allclose(factor, 1, atol=0.02)
    assert len(edge) > 50
    if method == "tsit5":
        assert -3.6 < edge[:, 0].min() < -3.5


def test_stability_region_refuses(ax):
    with pytest.raises(ValueError, match="no stability function"):
        plot.stability_region("auto", ax=ax)


def history(**changes):
    loss = np.array([4.0, 2.0, 1.0, 0.5])
    return nn.History(np.arange(4), loss, loss, **{"lr": loss / 2, "grad_norm": 2 * loss, **changes})


def test_training_draws_what_the_history_holds(ax):
    plot.training(history(validation=np.array([[0, 3.0], [2, 1.5]]), best_step=2), ax=ax, smooth=2)
    loss, validation, best = ax.get_lines()
    np.testing.assert_array_equal(loss.get_xdata(), [1, 2, 3])
    np.testing.assert_allclose(loss.get_ydata(), [3.0, 1.5, 0.75])
    np.testing.assert_array_equal(validation.get_ydata(), [3.0, 1.5])
    np.testing.assert_array_equal(best.get_xydata(), [[2, 1.5]])
    (second,) = [other for other in ax.figure.axes if other is not ax]
    for line in second.get_lines():
        np.testing.assert_allclose(line.get_ydata(), [1.0, 0.5, 0.25, 0.125])
    assert ax.get_yscale() == "log"
    names = [text.get_text() for text in ax.get_legend().get_texts()]
    assert names == ["loss", "validation", "best", "learning rate", "gradient"]


def test_training_with_negative_losses_and_without_the_rest(ax):
    none = np.empty(0)
    plot.training(nn.History(np.arange(2), np.array([1.0, -1.0]), none, lr=none, grad_norm=none), ax=ax)
    assert ax.get_yscale() == "linear"
    assert ax.figure.axes == [ax]
    with pytest.raises(ValueError, match="smooth must be an integer from 1 to 4, the number of steps, but it is 5"):
        plot.training(history(), ax=ax, smooth=5)


def test_density_is_upright_and_in_its_place(ax):
    plot.density(lambda x: np.where((x[:, 0] > 0) & (x[:, 1] < 1), 2.0, 0.0), (-1, 1), (0, 4), ax=ax, points=4)
    (image,) = ax.get_images()
    np.testing.assert_array_equal(image.get_array()[0], [0, 0, 2, 2])  # the lowest row of pixels
    assert not image.get_array()[1:].any()
    assert image.get_extent() == [-1, 1, 0, 4]
    samples = np.array([[0.5, 0.5], [-0.5, 3.5]])
    plot.density(None, (-1, 1), (0, 4), ax=ax, points=8, samples=samples)
    np.testing.assert_allclose(ax.get_images()[1].get_array(), [[0, 0.25], [0.25, 0]])  # cells of area 2
    with pytest.raises(ValueError, match="density draws two variables, but the model has 3"):
        plot.density(nn.CNF(nn.MLP([3, 2, 3], rng=0)), (0, 1), (0, 1), ax=ax)


def test_save_writes_an_image(sol, tmp_path):
    with plot.style():
        axes = plot.new_axes(1, 2)
        plot.phase(sol, ax=axes[0])
        plot.save(axes[0], tmp_path / "phase.png")
    assert (tmp_path / "phase.png").read_bytes().startswith(b"\x89PNG")


def test_style_is_left_behind():
    before = matplotlib.rcParams["axes.spines.top"]
    with plot.style():
        assert not matplotlib.rcParams["axes.spines.top"]
    assert matplotlib.rcParams["axes.spines.top"] == before


def test_a_new_figure_by_default(sol):
    matplotlib.use("Agg")
    ax = plot.phase(sol)
    assert len(ax.get_lines()) == 1
    matplotlib.pyplot.close(ax.figure)


def test_missing_matplotlib_is_named(sol, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (lambda: plot.phase(sol), lambda: plot.new_axes()):
        with pytest.raises(ImportError, match=r"pip install \"odekit\[plot\]\""):
            draw()


def test_evaluations_over_the_initial_states(ax):
    rng = np.random.default_rng(0)
    found = odekit.nn.Trajectories(
        np.array([0.0, 1.0]),
        rng.normal(size=(2, 30, 3)),
        rng.integers(8, 90, 30),
        *np.zeros((3, 30), dtype=int),
        [""] * 30,
    )
    plot.nfe(found, 0, 2, ax=ax)
    (dots,) = ax.collections
    np.testing.assert_array_equal(dots.get_offsets(), found.y[0][:, [0, 2]])
    np.testing.assert_array_equal(dots.get_array(), found.nfev)
    assert ax.get_ylabel() == "$y_{2}(0)$"
    found.y = found.y[..., :1]
    line = plot.nfe(found, ax=plot.new_axes())
    np.testing.assert_array_equal(line.collections[0].get_offsets()[:, 1], found.nfev)
    assert line.get_ylabel() == "evaluations"


FAN = types.SimpleNamespace(t=np.arange(3.0), y=np.zeros((5, 1, 3)))
BATCH = types.SimpleNamespace(y=np.zeros((3, 4, 2)), nfev=np.ones(4))


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda sol: plot.trajectory(None), TypeError, r"sol must be an odekit\.Solution, but it is a NoneType"),
        (lambda sol: plot.trajectory(sol, ax="new"), TypeError, r"ax must be one matplotlib\.axes\.Axes, but it is a str"),
        (lambda sol: plot.trajectory(sol, components=[5]), ValueError, "each of components must be .*, from 0 to 1, but it is 5"),
        (lambda sol: plot.trajectory(sol, labels=["q"]), ValueError, r"labels=\['q'\]; expected 2 strings"),
        (lambda sol: plot.phase(sol, 0, 2), ValueError, "j must be the number of a component, from 0 to 1, but it is 2"),
        (lambda sol: plot.phase(FAN), TypeError, r"sol must be an odekit\.Solution"),
        (lambda sol: plot.step_sizes(FAN), TypeError, r"sol must be an odekit\.Solution"),
        (lambda sol: plot.energy_error(sol.t, None), TypeError, "energy must be an array of real numbers, but it is None"),
        (lambda sol: plot.energy_error(sol.t, [1.0, 2.0]), ValueError, r"t and energy must have the same length, but their shapes"),
        (lambda sol: plot.energy_error(sol, sol.y[0]), TypeError, "t must be an array of real numbers"),
        (lambda sol: plot.band([0, 1], np.ones((5, 2))), ValueError, "t and samples must have the same length"),
        (lambda sol: plot.band([0, 1], np.ones((2, 5)), quantiles=(5, 95)), ValueError, "quantiles must be pairs of numbers from 0"),
        (lambda sol: plot.ensemble(sol), TypeError, r"solution must be an odekit\.EnsembleSolution or a stored one, but it is a Sol"),
        (lambda sol: plot.ensemble(FAN, 3), ValueError, "component must be the number of a component, from 0 to 0, but it is 3"),
        (lambda sol: plot.ensemble(FAN, quantiles=(0.1, 0.9)), ValueError, "quantiles must be pairs"),
        (lambda sol: plot.ensemble(FAN, members=-1), ValueError, "members must be how many trajectories are drawn, .* it is -1"),
        (lambda sol: plot.ensemble(FAN, members=[7]), ValueError, "members must be .* from 0 to 4, but they hold 7"),
        (lambda sol: plot.parameter_map([1, 2], [1, 1], [3, 4], failed=[True]), ValueError, "each of the 2 members, but it has 1"),
        (lambda sol: plot.nfe(sol), TypeError, r"found must be what odekit\.nn\.NeuralODE\.trajectories returns, but it is a Sol"),
        (lambda sol: plot.nfe(types.SimpleNamespace(y=FAN.y, nfev=np.ones(5))), ValueError, r"nfev \(B,\), but .* \(5, 1, 3\) and \(5,\)"),
        (lambda sol: plot.nfe(BATCH, 0, 2), ValueError, "j must be the number of a component"),
        (lambda sol: plot.training(sol), TypeError, r"history must be what odekit\.nn\.fit returns"),
        (lambda sol: plot.density(None, (0, 1), (0, 1)), TypeError, "model must be a model with log_density"),
        (lambda sol: plot.density(None, 1, (0, 1), samples=np.ones((3, 2))), ValueError, "xlim must be two numbers"),
        (lambda sol: plot.vector_field(None, (0, 1), (0, 1)), TypeError, r"fun must be a function fun\(t, y, \*args\), but it is None"),
        (lambda sol: plot.vector_field(lambda t, y: y, (1, 0), (0, 1)), ValueError, r"xlim must be two numbers, the smaller one first"),
        (lambda sol: plot.vector_field(lambda t, y: [1], (0, 1), (0, 1)), ValueError, r"fun must return two numbers, .* shape \(1,\)"),
        (lambda sol: plot.vector_field(lambda y: y, (0, 1), (0, 1)), TypeError, r"fun is <lambda>\(y\); expected a function"),
        (lambda sol: plot.work_precision([1]), TypeError, r"runs must be a dict, name to \(errors, seconds\), but it is a list"),
        (lambda sol: plot.work_precision({"a": 1}), ValueError, r"runs\['a'\] must be \(errors, seconds\), .* but it is 1"),
        (lambda sol: plot.stability_region("rk4", xlim=3), ValueError, "xlim must be two numbers"),
        (lambda sol: plot.save(None, "picture.png"), TypeError, r"ax must be matplotlib\.axes\.Axes, but it is a NoneType"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused_before_a_figure_is_opened(sol, draw, error, message, monkeypatch):
    from matplotlib import pyplot

    monkeypatch.setattr(pyplot, "subplots", None)
    with pytest.raises(error, match=message):
        draw(sol)
