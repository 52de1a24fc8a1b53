"""Shared by all tests: their folder is importable, so that they can share problems."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
