"""Shared by all tests: their folder is importable, so that they can share problems; SciPy's marks are known."""

import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

# a shell has jobs in the background ignore Ctrl-C, and their children with them
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
    """Know the marks of SciPy's own test module."""
    for mark in ("thread_unsafe", "fail_slow", "slow", "xslow", "parallel_threads_limit"):
        config.addinivalue_line("markers", f"{mark}: of SciPy's test suite")
