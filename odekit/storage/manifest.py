"""What a stored ensemble says about itself: the problem, so that another one is not mixed in, and the layout of the shards."""

import dataclasses

import numpy as np

from ..solvers import batch as B
from ..solvers import event_log
from .identity import hashed, identity, provenance, software, tolerance

KIND, VERSION = "odekit-ensemble", "1.1"  # 1.1: events
#: A shard has at most about so many bytes, and a run at least so many shards: what a crash costs at most.
SHARD_BYTES, SHARDS = 16 << 20, 256
#: Few trajectories have as many events as may be kept: a shard has at most so many times these bytes, if all of its have.
EVENT_SPARE = 10
_MAX_SHARDS = 10**6
_SAVES = {B.SAVE_END: "end", B.SAVE_TIMES: "times", B.SAVE_STEPS: "steps"}


@dataclasses.dataclass(frozen=True)
class Layout:
    """How an ensemble is laid out.

    Attributes
    ----------
    size : int
        Number of trajectories.
    components : int
        Of a state.
    rows : int
        States kept of a trajectory, or the bound on them.
    save : {"end", "times", "steps"}
    complex : bool
    shared_times : bool
        Whether all trajectories have the same output times.
    shard_size : int
        Number of trajectories in each shard but the last.
    events : int
        Number of event functions.
    max_events : int
        Bound on the zeros of event functions that are kept of a trajectory.
    """

    size: int
    components: int
    rows: int
    save: str
    complex: bool
    shared_times: bool
    shard_size: int
    events: int = 0
    max_events: int = 0

    def __post_init__(self):
        for name in ("size", "components", "rows", "shard_size", "events", "max_events"):
            value, may_be_zero = getattr(self, name), name in ("rows", "events", "max_events")
            if type(value) is not int or not 0 <= value < 1 << 53 or (value == 0 and not may_be_zero):
                raise ValueError(f"layout: {name} is {value!r:.40}, expected a positive integer")
        if self.save not in _SAVES.values() or type(self.complex) is not bool or type(self.shared_times) is not bool:
            raise ValueError("layout: save, complex or shared_times is not what it may be")
        if self.shards > _MAX_SHARDS:
            raise ValueError(f"layout: {self.shards} shards, expected at most {_MAX_SHARDS}")

    @property
    def shards(self):
        """Number of shards."""
        return -(-self.size // self.shard_size)

    @property
    def dtype(self):
        """Type of the states."""
        return np.dtype(complex if self.complex else float)

    def bounds(self, k):
        """First trajectory of shard k, and the first behind it."""
        return k * self.shard_size, min((k + 1) * self.shard_size, self.size)


#: For `odekit.storage.folder.parse`.
KINDS = {KIND: (VERSION, Layout)}


def layout(setup, trajectories):
    """Layout of an ensemble; it depends on the problem only, so that the same files come from any way of computing.

    Parameters
    ----------
    setup : odekit._chunk.Setup
    trajectories : odekit._chunk.Trajectories

    Returns
    -------
    Layout
    """
    rows = {B.SAVE_END: 1, B.SAVE_TIMES: trajectories.t_eval.shape[1], B.SAVE_STEPS: setup.max_saved}[setup.save]
    n, size = setup.y0.size, trajectories.size
    m = len(setup.events)
    each = row_bytes(rows, trajectories.y0.shape[1], m, -(-setup.max_events // EVENT_SPARE))
    shard_size = max(1, min(SHARD_BYTES // each, -(-size // SHARDS)))
    is_complex = setup.y0.dtype.kind == "c"
    shared = setup.save == B.SAVE_TIMES and len(trajectories.t_eval) == 1
    return Layout(size, n, rows, _SAVES[setup.save], is_complex, shared, shard_size, m, setup.max_events)


def row_bytes(rows, n, events, max_events):
    """Bytes of a trajectory at most, with so many real components in as many rows, and of its zeros of event functions."""
    return 8 * (rows * (n + 1) + B.N_COUNTERS + 2) + event_log.most_bytes(n, events, max_events)


def problem(setup, trajectories):
    """What identifies a problem: name of a field -> text or number.

    Parameters
    ----------
    setup : odekit._chunk.Setup
    trajectories : odekit._chunk.Trajectories

    Returns
    -------
    dict
    """
    return {
        "fun": identity(setup.fun),
        "jac": identity(setup.jac),
        "events": [identity(event) for event in setup.events],
        "max_events": setup.max_events,
        "mass_matrix": "none" if setup.mass is None else hashed(setup.mass.matrix),
        "number of trajectories": trajectories.size,
        "t_span": hashed(trajectories.spans),
        "y0": hashed(trajectories.y0, setup.y0.dtype.str),
        "args": hashed(trajectories.params, repr([np.shape(value) for value in setup.args])),
        "save": _SAVES[setup.save],
        "t_eval": hashed(trajectories.t_eval),
        "method": setup.method,
        "tier": setup.tier,
        "vmath": bool(setup.vmath),
        "rtol": tolerance(setup.rtol),
        "atol": tolerance(setup.atol),
        "max_saved": setup.max_saved if setup.save == B.SAVE_STEPS else 0,
        "first_step": setup.first_step,
        "max_step": repr(setup.max_step),
        "max_steps": setup.max_steps,
        **software(),
    }


def new(setup, trajectories, about):
    """Manifest of a problem.

    Parameters
    ----------
    setup : odekit._chunk.Setup
    trajectories : odekit._chunk.Trajectories
    about : dict
        What people and `StoredEnsemble` want to know besides.

    Returns
    -------
    dict
    """
    return {
        "format": KIND,
        "format_version": VERSION,
        "complete": False,
        "problem": problem(setup, trajectories),
        "layout": dataclasses.asdict(layout(setup, trajectories)),
        "about": {**about, **provenance(setup.fun)},
    }
