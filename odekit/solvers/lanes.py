"""Lanes: trajectories side by side, each with its own t, h, error, status and counters.

The memory of a thread is a matrix of rows by lanes. A *sweep* attempts one step in every lane; its code is generated for the
method and the system (see `odekit.solvers.fused`), and so is what surrounds it (`odekit.solvers.lane_sources`): a lane that has
finished takes the next trajectory at once; when none is left, the last active lane moves into the gap, so that the active lanes
stay together. Here is what all of it agrees on: which row holds what.

Every lane runs through the same instructions, in whole blocks of lanes with no remainder, whatever its neighbours do: that is
why results do not depend on them.

In the generated functions, pointers without bounds to arrays in C order, of float64 where nothing is said:

* ``w``: [rows, stride] of a `Layout`; element (row, lane) is ``w[row * stride + lane]``.
* ``control``: int64 (CONTROL_SIZE,). ``settings``: (WANTED + number of event functions,). Both are named below.
* ``rtol``, ``atol``: (n,). ``spans``, ``starts``, ``params``, ``t_eval``, ``y_out``, ``t_out``, ``counters``, ``ends``: of the
  whole batch, as `odekit.solvers.batch` has them. ``log``: the buffer of an `odekit.solvers.event_log.EventLog`.
* ``queue_in``, ``queue_out``: [capacity, record] of an automatic pair, a trajectory in each row.

``blocks`` counts blocks of `BLOCK` lanes. A sweep returns ``done``, how many lanes are to be looked at as they run no more, and
``wanted``, how many have an output time in their step.
"""

from .._memory import LINE

BLOCK = 64  # lanes that a sweep takes at a time: whole vectors of any machine, several of them
#: Lanes, so that the rows that a sweep touches stay in the cache: (rows, lanes).
LANES = ((40, 256), (90, 128), (10**9, 64))

# rows that every kernel has; then y and f(t, y), then what a method adds, and last the parameters
T, T_END, DIRECTION, H, LOG_ERR, REJECTED, NACCEPT, NREJECT, STATUS, MEMBER, NFEV, NEXT_OUT, SERVED, WANTS, T_OLD = (
    range(15)
)
H_TRIED, ERR_SQUARE, ACCEPTED = range(15, 18)  # of the attempt just made
HEADER = 18

# status of a lane
RUN, DONE, MAX_STEPS, TOO_SMALL, NONFINITE, RAISED, SWITCH, SINGULAR = range(8)
IDLE = -1

# control, int64: the next trajectory to take up, the first that is not ours, how many lanes are active, and settings
NEXT, LAST, ACTIVE, SWEEPS, SAVE, ROWS, SHARED_TIMES, STEP_LIMIT = range(8)
# of an automatic pair: trajectories that wait for this kernel and for the other one, how many may wait there, and below how many
# active lanes the kernel returns
INCOMING, OUTGOING, CAPACITY, LEAST = range(8, 12)
MORE = 12  # whether there are more trajectories to ask for: the kernel then returns as soon as lanes are free
USED, ROOM, MAX_EVENTS = range(
    13, 16
)  # of the log of events: zeros in it, and room for; so many are kept of a trajectory
N_PARAMS = 16  # of a trajectory
CONTROL_SIZE = 17
# settings, float64; then, after how many zeros each event function ends a trajectory
FIRST_STEP, MAX_STEP, WANTED = range(3)
# addresses; QUEUE_IN and QUEUE_OUT of an automatic pair: the trajectories that wait for this kernel, and for the other one; the last
# two with events: the log and the counts
SPANS, Y0, PARAMS, T_EVAL, Y_OUT, T_OUT, COUNTERS, ENDS, RTOL, ATOL, QUEUE_IN, QUEUE_OUT, LOG, COUNTS = range(14)


class Layout:
    """Where a kernel keeps what: numbers of rows.

    The code of a kernel is the same for any number of parameters: it does not depend on anything but `p` of where they are.

    Parameters
    ----------
    n, n_params : int
    extra : dict
        Name: number of rows, of what a method adds.
    starts : dict, optional
        Name: what such a row holds at the start of a trajectory.
    """

    def __init__(self, n, n_params, extra, starts=None):
        self.n, self.n_params, self.starts = n, n_params, starts or {}
        self.y, self.f = HEADER, HEADER + n
        self.p = HEADER + 2 * n
        self.first = {}
        for name, count in extra.items():
            self.first[name] = self.p
            self.p += count
        self.rows = self.p + n_params
        self.lanes = next(lanes for rows, lanes in LANES if self.p <= rows)
        self.stride = self.lanes + LINE  # rows that lie a power of two apart would compete for the same few lines

    def at(self, row, lane="lane"):
        """Source of an element."""
        return f"w[{row * self.stride} + {lane}]"

    def vector(self, name, index=0):
        """Sources of the n elements of a vector of rows: "y", "f", or, with its index, one of a name in `extra`."""
        first = {"y": self.y, "f": self.f}.get(name, self.first.get(name, 0)) + index * self.n
        return [self.at(first + i) for i in range(self.n)]

    @property
    def parameters(self):
        """Source of where the parameters are, as functions of the user get it: the first one, and how far apart they lie."""
        return f"pointer_to(w, {self.p * self.stride} + lane), {self.stride}"

    @property
    def load(self):
        """Source that loads them, see `odekit.solvers.lane_parameters`."""
        return f"here = load_parameters({self.parameters})"


#: Where they are then.
LOADED = "here, 1"


def call(t, state, slopes, name="field", flag="raised", parameters=LOADED):
    """Source of an evaluation of the field; counts in `flag` whether it raised."""
    return [f"{', '.join(slopes)}, bad = {name}({', '.join([t, *state, parameters])})", f"{flag} |= bad"]
