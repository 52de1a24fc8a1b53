"""A training on disk, from which it goes on to the same bits."""

import os

import numpy as np

KIND, VERSION = "odekit-training", "1.0"


def save(path, identity, arrays, batches):
    """Write the state of a training; an older file is replaced in one piece.

    Parameters
    ----------
    path : path-like
    identity : dict of str
        What has to be the same for going on.
    arrays : dict of ndarray
    batches : odekit.nn.batches.Batches
    """
    from .._files import Variable, write

    generator, at, order = batches.position()
    arrays = {**arrays, "order": order}
    variables = {name: Variable((f"n_{name}",), np.asarray(array)) for name, array in arrays.items() if array.size}
    write(path, KIND, VERSION, variables, {**identity, "generator": generator, "at": at}, overwrite=True)


def load(path, identity, batches):
    """Read the state of a training.

    Parameters
    ----------
    path : path-like
    identity : dict of str
        As for `save`.
    batches : odekit.nn.batches.Batches
        Is brought to its position of then.

    Returns
    -------
    dict of ndarray or None
        None where there is no such file yet.

    Raises
    ------
    OdekitFileError
        If the file is damaged, or belongs to another training: the message names what differs.
    """
    from .._file_checks import OdekitFileError
    from .._files import read

    if not os.path.exists(path):
        return None
    arrays, attributes = read(path, KIND, VERSION)
    for name, value in identity.items():
        if attributes.get(name) != value:
            raise OdekitFileError(
                f"{path}: it is of another training: {name} was {attributes.get(name)!r}, now it is {value!r}; "
                "give another path, or resume=False to begin anew"
            )
    try:
        batches.go_to(attributes["generator"], attributes["at"], arrays.pop("order", np.empty(0)))
    except (KeyError, ValueError) as error:
        raise OdekitFileError(f"{path}: not a consistent training: {error}") from None
    return arrays
