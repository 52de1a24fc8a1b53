"""Shared by all tests: their folder is importable, so that they can share problems; SciPy's marks are known."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))


def pytest_configure(config):
    """Know the marks of SciPy's own test module."""
    for mark in ("thread_unsafe", "fail_slow", "slow", "xslow", "parallel_threads_limit"):
        config.addinivalue_line("markers", f"{mark}: of SciPy's test suite")
