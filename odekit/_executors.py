"""Chunks of an ensemble on the processes of an executor: sent out a few at a time, and once more where a process was lost."""

import collections
import concurrent.futures
import contextlib

import numpy as np

from . import _chunk

#: An executor that does not tell its size is taken for one of so many workers.
UNKNOWN_WORKERS = 16
#: So many chunks are out for each worker, so that none waits for the next; results wait nowhere else.
CHUNKS_OUT = 2
#: A chunk's results have at most about so many bytes, unless the caller says how large chunks are.
CHUNK_BYTES = 16 << 20
#: After so many failures one after the other, without one success, the rest is not tried.
HOPELESS = 4
POLL_SECONDS = 0.05


class EnsembleError(RuntimeError):
    """Some trajectories could not be computed, because the processes that had them failed.

    Attributes
    ----------
    trajectories : ndarray of int
        Indices of those without a result.
    solution : EnsembleSolution or odekit.storage.StoredEnsemble
        What was computed.
    """

    trajectories: np.ndarray
    solution: object


def is_foreign(executor):
    """Whether an object is an executor, and not a number of threads."""
    if isinstance(executor, type):
        return False
    return callable(getattr(executor, "submit", None)) or callable(getattr(executor, "map", None))


def workers(executor):
    """Number of workers of an executor, as far as it tells."""
    for name in ("_max_workers", "_processes"):  # of concurrent.futures and loky; of multiprocessing's pools
        count = getattr(executor, name, None)
        if isinstance(count, int) and count > 0:
            return count
    return UNKNOWN_WORKERS


def run(executor, carrier, trajectories, ranges, take):
    """Compute ranges of trajectories.

    Parameters
    ----------
    executor : object with ``submit`` or ``map``
    carrier : odekit._chunk.Carrier
    trajectories : odekit._chunk.Trajectories
    ranges : list of (int, int)
    take : callable
        ``take(first, last, results)``, called as chunks finish.

    Returns
    -------
    failures : list of (int, int, BaseException)
        Ranges that were tried twice in vain, with the last error; ranges that were not tried.
    """
    tasks = collections.deque(_Task(first, last) for first, last in ranges)
    if callable(getattr(executor, "submit", None)):
        if not isinstance(executor, concurrent.futures.ThreadPoolExecutor):
            carrier.packed()  # what cannot be sent is told at once
        run = _Submission(executor, carrier, trajectories, take)
        with contextlib.closing(run):
            return run.all(tasks)
    return _map(executor, carrier, trajectories, tasks, take)


class _Task:
    """A range of trajectories, and how often it has failed."""

    def __init__(self, first, last):
        self.first, self.last, self.failures, self.error = first, last, 0, None
        self.suspect = False  # whether it may have broken the executor


class _Failures:
    """Tasks that failed: which are tried again, which are given up."""

    def __init__(self):
        self.given_up, self.in_a_row = [], 0

    def add(self, task, error, tasks):
        task.failures, task.error, self.in_a_row = task.failures + 1, error, self.in_a_row + 1
        if task.failures > 1:
            self.given_up.append(task)
        else:
            tasks.append(task)

    def hopeless(self):
        return self.in_a_row >= HOPELESS and len(self.given_up) > 1

    def report(self, tasks):
        last = next((task.error for task in reversed(self.given_up)), None)
        return [(task.first, task.last, task.error or last) for task in (*self.given_up, *tasks)]


class _Submission:
    """Tasks handed to an executor one by one.

    An executor that breaks when a process dies (`concurrent.futures.ProcessPoolExecutor` and loky's do) is replaced by one of the same
    kind; the tasks that were out then are suspects and go out one at a time, so that only the guilty one fails twice.
    """

    def __init__(self, executor, carrier, trajectories, take):
        self.executor, self.carrier, self.trajectories, self.take = executor, carrier, trajectories, take
        self.out, self.replacement = {}, None
        self.room = CHUNKS_OUT * workers(executor)

    def all(self, tasks):
        failures, suspects = _Failures(), collections.deque()
        while (tasks or suspects or self.out) and not failures.hopeless():
            broken = not self._send(tasks, suspects)
            done, _ = concurrent.futures.wait(self.out, POLL_SECONDS, concurrent.futures.FIRST_COMPLETED)
            while done:
                for future in [f for f in self.out if f in done]:  # as they were sent out
                    broken |= self._receive(future, failures, tasks, suspects)
                # what was out when it broke comes back, too: as an error, or finished just before
                done = concurrent.futures.wait(self.out).done if broken else set()
            if broken and not self._replace():
                break
        return failures.report([*suspects, *tasks, *self.out.values()])

    def _send(self, tasks, suspects):
        """Send out what there is room for; False if the executor has broken."""
        while not any(task.suspect for task in self.out.values()):
            if suspects and not self.out:
                waiting = suspects
            elif tasks and not suspects and len(self.out) < self.room:
                waiting = tasks
            else:
                break
            task = waiting.popleft()
            try:
                part = self.trajectories.part(task.first, task.last)
                self.out[self.executor.submit(_chunk.compute, self.carrier, part)] = task
            except concurrent.futures.BrokenExecutor:
                waiting.appendleft(task)  # it never went out
                return False
        return True

    def _receive(self, future, failures, tasks, suspects):
        """Take a chunk back; whether the executor has broken."""
        task = self.out.pop(future)
        try:
            results = future.result()
        except concurrent.futures.BrokenExecutor as error:
            task.suspect = True
            failures.add(task, error, suspects)
            return True
        except (Exception, concurrent.futures.CancelledError) as error:
            failures.add(task, error, tasks)
        else:
            self.take(task.first, task.last, results)
            failures.in_a_row = 0
        return False

    def _replace(self):
        """A new executor in the place of a broken one, if it is known how to make it."""
        old = self.executor
        if type(old).__module__ == "loky.reusable_executor":  # there is one for the whole process, which stays
            from loky import get_reusable_executor

            self.close()
            self.executor = get_reusable_executor(max_workers=old._max_workers)
            return True
        if type(old) is not concurrent.futures.ProcessPoolExecutor:
            return False
        self.close()
        self.executor = self.replacement = concurrent.futures.ProcessPoolExecutor(
            old._max_workers, old._mp_context, old._initializer, old._initargs
        )
        return True

    def close(self):
        """Call back what is still out."""
        for future in self.out:
            future.cancel()
        if self.replacement is not None:
            self.replacement.shutdown(wait=False, cancel_futures=True)
            self.replacement = None


def _attempt(task):
    """A task for `map`: an error is returned, so that it costs one chunk and not the whole call."""
    carrier, trajectories = task
    try:
        return _chunk.compute(carrier, trajectories)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _map(executor, carrier, trajectories, tasks, take):
    """Tasks handed to an object with `map`, a handful per call, so that few results are in memory."""
    failures, room = _Failures(), CHUNKS_OUT * workers(executor)
    call = getattr(executor, "imap", executor.map)  # pools of processes: results one by one
    while tasks and not failures.hopeless():
        handful = [tasks.popleft() for _ in range(min(room, len(tasks)))]
        waiting = collections.deque(handful)
        try:
            for results in call(_attempt, [(carrier, trajectories.part(task.first, task.last)) for task in handful]):
                task = waiting.popleft()
                if isinstance(results, str):
                    failures.add(task, RuntimeError(results), tasks)
                else:
                    take(task.first, task.last, results)
                    failures.in_a_row = 0
        except Exception as error:
            if not waiting:
                raise
            for task in waiting:
                failures.add(task, error, tasks)
    return failures.report(tasks)


def error(failures, message):
    """What is raised for trajectories that could not be computed.

    Parameters
    ----------
    failures : list of (int, int, BaseException)
    message : str
        On the trajectories that were computed.

    Returns
    -------
    EnsembleError
    """
    indices = np.concatenate([np.arange(first, last) for first, last, _ in sorted(failures, key=lambda f: f[:2])])
    first, last, cause = failures[0]
    which = f"trajectory {first}" if last == first + 1 else f"trajectories {first} to {last - 1}"
    result = EnsembleError(
        f"{indices.size} trajectories could not be computed; {which} failed twice, the last time with "
        f"{type(cause).__name__}: {cause}. {message}"
    )
    result.trajectories, result.__cause__ = indices, cause
    return result
