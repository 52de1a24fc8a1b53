"""Threads that compute parts of one solve and wait for each other inside compiled code.

A step is too short for Python to hand out its parts. The threads are therefore handed a whole sweep each, and meet at a
barrier: a counter in shared memory, with a spin that soon gives its time slice away. The second number of the barrier frees
the others if one of them never comes, after Ctrl-C for example.
"""

import _thread
import os
import sys
import threading

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from .. import _jit

SPINS = 4000  # some microseconds of looking before the time slice is given away


@intrinsic
def _arrive(typingctx, barrier):
    """Count up barrier[0]; returns the new count."""

    def codegen(context, builder, signature, args):
        place = make_array(signature.args[0])(context, builder, args[0]).data
        one = ir.Constant(ir.IntType(64), 1)
        return builder.add(builder.atomic_rmw("add", place, one, "seq_cst"), one)

    return types.int64(barrier), codegen


@intrinsic
def _look(typingctx, barrier, k):
    """barrier[k], as another thread may have just written it."""

    def codegen(context, builder, signature, args):
        place = builder.gep(make_array(signature.args[0])(context, builder, args[0]).data, [args[1]])
        return builder.load_atomic(place, "seq_cst", 8)

    return types.int64(barrier, types.int64), codegen


@intrinsic
def _give_way(typingctx):
    """Give the time slice to another thread."""

    def codegen(context, builder, signature, args):
        if sys.platform != "win32":
            function_type = ir.FunctionType(ir.IntType(32), [])
            builder.call(cgutils.get_or_insert_function(builder.module, function_type, "sched_yield"), [])
        return context.get_dummy_value()

    return types.void(), codegen


@_jit.core
def _wait(barrier, workers):
    """Count in at barrier (2,) of int64, and look at it until as many are there as there are workers; False where one has gone."""
    count = _arrive(barrier)
    goal = ((count + workers - 1) // workers) * workers
    spins = 0
    while _look(barrier, 0) < goal and _look(barrier, 1) == 0:
        spins += 1
        if spins > SPINS:
            _give_way()
    return _look(barrier, 1) == 0


if _jit.JIT_DISABLED:

    def wait(barrier, workers):
        """Wait until all workers are here; False where the others must not be waited for."""
        return True

else:

    @_jit.core
    def wait(barrier, workers):
        """Wait until all workers are here; False where the others must not be waited for."""
        if workers == 1:
            return True
        return _wait(barrier, workers)


def available():
    """Threads that this process may use; one where compiled code is disabled."""
    if _jit.JIT_DISABLED:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Helper:
    """A thread that waits for work. It is at it sooner than one of `concurrent.futures`: 9 us there and back against 28."""

    def __init__(self):
        self._go, self._free = _thread.allocate_lock(), _thread.allocate_lock()
        self._go.acquire()
        threading.Thread(target=self._serve, name="odekit-adjoint", daemon=True).start()

    def _serve(self):
        while True:
            self._go.acquire()
            run, worker, barrier = self._work
            try:
                run(worker)
            except BaseException as error:
                self.error, barrier[1] = error, 1
            self._work = run = barrier = None  # nothing of somebody's stays alive here
            self._free.release()

    def start(self, run, worker, barrier):
        """Call ``run(worker)`` in the thread."""
        self.error, self._work = None, (run, worker, barrier)
        self._free.acquire()
        self._go.release()

    def wait(self):
        """Return when the call is over."""
        with self._free:
            pass


_idle = {}  # process -> its helpers without work: threads do not survive a fork


def _taken(idle):
    try:
        return idle.pop()
    except IndexError:
        return _Helper()


def together(workers, barrier, run):
    """Call ``run(worker)`` for each worker, all at the same time.

    Parameters
    ----------
    workers : int
    barrier : ndarray of int64, (2,)
        For `wait`.
    run : callable
        Releases the GIL at once.

    Returns
    -------
    object
        What the first worker returned.
    """
    barrier[:] = 0
    if workers == 1:
        return run(0)
    idle, started = _idle.setdefault(os.getpid(), []), []
    try:
        for worker in range(1, workers):
            helper = _taken(idle)
            helper.start(run, worker, barrier)
            started.append(helper)
        result = run(0)
        for helper in started:
            helper.wait()
    except BaseException:
        barrier[1] = 1
        for helper in started:
            helper.wait()
        raise
    finally:
        idle += started
    for helper in started:
        if helper.error is not None:
            raise helper.error
    return result
