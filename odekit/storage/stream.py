"""One trajectory that is written while it is computed: chunks of its rows, and a checkpoint of the solver.

A folder holds the manifest, which says what problem it is; the chunks of several series (the trajectory, the ends of the
steps if they are not the same, the zeros of each event function, the changes of method); and one file that is replaced, in
one piece, every few seconds and at the end: the rows that fill no chunk yet and the exact state of the solver at that moment.
Whatever is killed goes on from there, and the files that it leaves at the end are those of a run that was not killed.
"""

import dataclasses
import functools
import json
import pathlib
from typing import NamedTuple

import numpy as np

from .. import _files
from .._file_checks import MAX_BYTES, OdekitFileError, suspicion
from .._files import Variable
from .._provenance import flatten
from ..solution import Retcode
from . import folder
from .identity import digest, provenance
from .series import Series
from .stream_layout import KIND, KINDS, VERSION

REST_KIND, REST_VERSION = "odekit-checkpoint", "1.0"
REST = "checkpoint.h5"
COUNTS = ("nfev", "njev", "nlu", "naccept", "nreject")
_STATE = ("iw", "w", "stops")
#: What ends a run for the time being: it can be gone on with.
FOR_NOW = (Retcode.INTERRUPTED, Retcode.MAX_STEPS, Retcode.RHS_RAISED)


class Rest(NamedTuple):
    """What the file of the checkpoint says.

    Attributes
    ----------
    chunks : dict of str to int
        Per series, the number of its full chunks.
    rows : dict of str to list of ndarray
        Per series, the arrays of the rows behind them.
    parameters : ndarray
    about : dict
        Counts, how the run ended.
    state : dict of ndarray or None
        Of the solver, if the run can be gone on with.
    """

    chunks: dict
    rows: dict
    parameters: np.ndarray
    about: dict
    state: dict | None


def read_rest(path, layout, problem_digest, with_state, max_bytes=MAX_BYTES):
    """Read the file of the checkpoint.

    Parameters
    ----------
    path : pathlib.Path
        Folder.
    layout : Layout
    problem_digest : str
    with_state : bool
        Whether to read the state of the solver, and to check the whole file.
    max_bytes : int

    Returns
    -------
    Rest or None
        None if there is none yet.
    """
    file, kinds = path / REST, layout.kinds()
    if not file.exists():
        return None
    names = [name for kind in kinds.values() for name in kind.names]
    if with_state:
        arrays, about = _files.read(file, REST_KIND, REST_VERSION, max_bytes)
    else:
        found, about = _files.read_rows(file, REST_KIND, REST_VERSION, [*names, "parameters"], max_bytes=max_bytes)
        arrays = dict(zip([*names, "parameters"], found, strict=True))
    with suspicion(file):
        if about.get("problem") != problem_digest:
            raise OdekitFileError(f"{file}: the checkpoint of another problem")
        chunks = json.loads(about["chunks"])
        rows = {}
        for name, kind in kinds.items():
            rows[name] = [arrays[one] for one in kind.names]
            count, shapes = rows[name][0].size, [(), kind.shape]
            if not (type(chunks[name]) is int and 0 <= chunks[name] < 1 << 53 and count < kind.rows):
                raise OdekitFileError(f"{file}: the number of rows of {name} does not fit the layout")
            for array, shape in zip(rows[name], shapes, strict=False):
                if array.shape != (count, *shape) or array.dtype != np.float64:
                    raise OdekitFileError(f"{file}: the rows of {name} do not fit the layout")
        if not all(int(about[name]) >= 0 for name in COUNTS) or about["retcode"] not in ("", *Retcode.__members__):
            raise OdekitFileError(f"{file}: a count is negative, or the return code is unknown")
        state = {name: arrays[name] for name in _STATE} if "iw" in arrays else None
        return Rest(chunks, rows, arrays["parameters"], about, state)


class Stream:
    """The writing side: takes rows, writes chunks and checkpoints; a context manager.

    Parameters
    ----------
    path : path-like
        Folder.
    problem_ : dict
        See `problem`.
    layout : Layout
    about : dict
        What the manifest tells besides.
    fun : callable
    args : tuple
    resume : bool

    Attributes
    ----------
    state : dict of ndarray or None
        Of the solver, where there is something to go on with.
    retcode : Retcode or None
        How the run has ended, if it has for good.

    Raises
    ------
    FileExistsError
        If there is something at `path` and `resume` is False.
    ValueError
        If it holds another problem.
    OdekitFileError
        If it holds no stored trajectory, or a damaged one.
    """

    def __init__(self, path, problem_, layout, about, fun, args, resume):
        self.path, self.layout = pathlib.Path(path), layout
        values, description = flatten(args)
        self._parameters = values
        self._manifest = {
            "format": KIND,
            "format_version": VERSION,
            "problem": problem_,
            "layout": dataclasses.asdict(layout),
            "about": {**about, "args": description, **provenance(fun)},
        }
        self._problem = digest(problem_)
        folder.old(self.path, self._manifest, KINDS, resume)
        self.series, self.state, self.retcode, self._lock = {}, None, None, None

    def __enter__(self):
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = folder.locked(self.path)
        try:
            if not (self.path / folder.FILE).exists():
                folder.write(self.path, self._manifest)
            self._find()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(self, *_):
        self._lock.close()

    def solution(self, fun):
        """What is stored.

        Returns
        -------
        StoredSolution
        """
        from .stored_solution import open_solution  # which imports this module

        return open_solution(self.path, fun=fun)

    def tools(self, events, terminal, dtype, args):
        """What makes an integration that writes here, and what takes its events.

        Parameters
        ----------
        events, terminal, dtype, args
            See `odekit._callbacks.EventRecorder`.

        Returns
        -------
        make : callable
            Takes what `odekit.solvers.integrate.Integration` takes.
        recorder : EventRecorder
        """
        from .integration import StreamedEvents, StreamedIntegration

        make = functools.partial(StreamedIntegration, self)
        return make, StreamedEvents(self, events, terminal, dtype, args)

    def _find(self):
        """Take up what is there."""
        rest = read_rest(self.path, self.layout, self._problem, with_state=True)
        for name, kind in self.layout.kinds().items():
            there = () if rest is None else (rest.chunks[name], *rest.rows[name])
            self.series[name] = Series(self.path, kind, self._problem, *there)
            for k in range(self.series[name].chunks):
                if not (self.path / kind.file_name(k)).exists():
                    raise OdekitFileError(
                        f"{self.path / kind.file_name(k)} is missing; give another path, or delete the folder"
                    )
        if rest is None:
            return
        ended = rest.about["retcode"]
        if ended and Retcode[ended] not in FOR_NOW:
            self.retcode = Retcode[ended]
        elif rest.state is None:
            raise ValueError(
                f"{self.path} ended with {ended} in the middle of a step and cannot be gone on with ({rest.about['message']}); "
                "give another path, or delete the folder"
            )
        self.state = rest.state

    def write_rest(self, state, about):
        """Replace the file of the checkpoint.

        Parameters
        ----------
        state : dict of ndarray or None
            Of the solver.
        about : dict
            Counts, how the run ended.
        """
        variables = {}
        for series in self.series.values():
            variables |= series.rest()
        for name in _STATE if state is not None else ():
            variables[name] = Variable((name,), state[name])
        variables["parameters"] = Variable(("parameters",), self._parameters)
        chunks = json.dumps({name: series.chunks for name, series in self.series.items()})
        about = {name: value.replace("\0", "") if isinstance(value, str) else value for name, value in about.items()}
        about = {**about, "problem": self._problem, "chunks": chunks}
        _files.write(self.path / REST, REST_KIND, REST_VERSION, variables, about, overwrite=True, compression=None)
        folder.sync(self.path)
