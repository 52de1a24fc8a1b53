"""Threads that work through chunks of trajectories with compiled loops that release Python's lock."""

import collections
import concurrent.futures
import os
import threading
import time

#: A chunk for each thread would leave the last one to work alone; so many balance what the trajectories cost.
CHUNKS_PER_THREAD = 4
POLL_SECONDS = 0.05


def available():
    """Number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def chunks(size, chunksize, threads, least):
    """Ranges of trajectories.

    Parameters
    ----------
    size : int
        Number of trajectories.
    chunksize : int or None
        None: chosen.
    threads, least : int
        Number of threads; what a chunk should not be smaller than.

    Returns
    -------
    list of (int, int)
    """
    if chunksize is None and threads == 1:
        chunksize = size
    smallest, ranges, first = min(least, -(-size // threads)), [], 0
    while first < size:
        # a share of what is left: the last ones are small, so that all threads end together
        length = chunksize or max(-(-(size - first) // (2 * threads)), smallest)
        ranges.append((first, min(first + length, size)))
        first += length
    return ranges


def _nothing(waiting):
    """Of a loop that waits for the end of one range before it takes up the next."""


def run(make_loop, ranges, threads, show):
    """Work through ranges of trajectories.

    Parameters
    ----------
    make_loop : callable
        Makes an object with ``start(first, last)`` and ``advance() -> finished``, and perhaps ``feed(waiting)``, by which it takes up
        further ranges itself; each thread has its own.
    ranges : list of (int, int)
    threads : int
        Of which the calling thread is one.
    show : callable or None
        Called now and then.
    """
    waiting, stop = collections.deque(ranges), threading.Event()

    def work(tell=None):
        loop = make_loop()
        feed = getattr(loop, "feed", _nothing)
        told = time.monotonic()
        while waiting and not stop.is_set():
            try:
                first, last = waiting.popleft()
            except IndexError:  # another thread was faster
                return
            loop.start(first, last)
            feed(waiting)
            while not loop.advance():
                feed(waiting)
                if stop.is_set():
                    return
                if tell is not None and time.monotonic() - told > POLL_SECONDS:
                    tell()
                    told = time.monotonic()

    def help_out():
        try:
            work()
        except BaseException:
            stop.set()
            raise

    if threads == 1:
        work(show)
        return
    # the calling thread works too: there is no thread too many, and one less to start
    with concurrent.futures.ThreadPoolExecutor(threads - 1) as pool:
        try:
            pending = {pool.submit(help_out) for _ in range(threads - 1)}
            work(show)
            while pending:
                done, pending = concurrent.futures.wait(pending, POLL_SECONDS, concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    future.result()
                if show is not None:
                    show()
        finally:
            stop.set()
