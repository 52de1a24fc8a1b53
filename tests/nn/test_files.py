import numpy as np
import pytest

import odekit.nn
from odekit._file_checks import OdekitFileError
from odekit._files import Variable, write
from odekit.nn import HNN, MLP, DerivativeModel, NeuralODE

MODELS = [
    MLP([2, 5, 3], "softplus", rng=0, final_bias=False, init="orthogonal", time_dependent=True),
    NeuralODE(MLP([2, 5, 2], rng=0), "rk4", 1e-3, 1e-5, first_step=0.1),
    NeuralODE(HNN(MLP([2, 5, 1], rng=0))),
    HNN(MLP([4, 5, 1], rng=0)),
    DerivativeModel(MLP([2, 5, 2], rng=0)),
]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_roundtrip(model, tmp_path):
    model.save(tmp_path / "model.h5")
    again = odekit.nn.load(tmp_path / "model.h5")
    assert repr(again) == repr(model)
    assert np.array_equal(again.params, model.params)
    part, other = model, again
    while part is not None:
        for name in odekit.nn.files.SETTINGS[type(part).__name__]:
            assert getattr(part, name) == getattr(other, name)
        part, other = getattr(part, "field", None), getattr(other, "field", None)


def test_no_silent_overwrite(tmp_path):
    path = tmp_path / "model.h5"
    MODELS[0].save(path)
    with pytest.raises(FileExistsError, match="exists; pass overwrite=True"):
        MODELS[0].save(path)
    MODELS[1].save(path, overwrite=True)
    assert isinstance(odekit.nn.load(path), NeuralODE)


def test_classes_load_their_own(tmp_path):
    path = tmp_path / "model.h5"
    MODELS[1].save(path)
    assert np.array_equal(NeuralODE.load(path).params, MODELS[1].params)
    with pytest.raises(OdekitFileError, match="class NeuralODE; expected HNN"):
        HNN.load(path)


def test_damaged_files_give_one_clear_error(tmp_path):
    good, bad = tmp_path / "good.h5", tmp_path / "bad.h5"
    MODELS[1].save(good)
    content = good.read_bytes()
    for size in range(0, len(content), max(1, len(content) // 40)):
        bad.write_bytes(content[:size])
        with pytest.raises(OdekitFileError, match=r"bad\.h5"):
            odekit.nn.load(bad)
    bad.write_text("t,y\n0,1\n")
    with pytest.raises(OdekitFileError, match="not an HDF5 file"):
        odekit.nn.load(bad)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        odekit.nn.load(tmp_path / "missing.h5")


MLP_ATTRIBUTES = {
    "class": "MLP", "sizes": np.array([2, 1]), "activation": "tanh", "final_bias": 1, "init": "glorot", "time_dependent": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("attributes", "params", "message"),
    [
        ({"class": "Trojan"}, np.zeros(3), "class='Trojan'; expected one of MLP"),
        ({"class": None}, np.zeros(3), "'class' is missing"),
        ({"activation": "exec"}, np.zeros(3), "activation='exec' is unknown"),
        ({"sizes": np.array([2, -1])}, np.zeros(3), "need -3 parameters, but there are 3"),
        ({"sizes": np.array([10**9, 10**9])}, np.zeros(3), "parameters, but there are 3"),
        ({}, np.array([1.0, np.nan, 0.0]), r"params\[1\] is nan"),
        ({}, np.array(["a", "b", "c"]), "params"),
        ({"class": "HNN", "field.class": "HNN"}, np.zeros(3), "is missing"),
    ],
)
def test_inconsistent_files_are_refused(tmp_path, attributes, params, message):
    merged = {key: value for key, value in {**MLP_ATTRIBUTES, **attributes}.items() if value is not None}
    write(tmp_path / "model.h5", "odekit-model", "1.0", {"params": Variable(("param",), params)}, merged)
    with pytest.raises(OdekitFileError, match=message):
        odekit.nn.load(tmp_path / "model.h5")


def test_other_kinds_of_files_are_refused(tmp_path):
    write(tmp_path / "other.h5", "odekit-trajectory", "1.0", {"params": Variable(("param",), np.zeros(3))}, {})
    with pytest.raises(OdekitFileError, match="odekit-model"):
        odekit.nn.load(tmp_path / "other.h5")
