"""Compile the kernels while a wheel is built, so that who installs it need not wait for Numba: see ``odekit/_shipped.py``.

With ``ODEKIT_PURE=1`` in the environment, and where the compilation fails, the wheel is one of Python sources only.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class KernelHook(BuildHookInterface):
    """Puts the kernels beside the sources."""

    def initialize(self, version, build_data):
        """Compile them."""
        self.folder = pathlib.Path(tempfile.mkdtemp())
        if version == "editable" or os.environ.get("ODEKIT_PURE"):
            return
        kernels = self.folder / "kernels"
        # pip's isolated builds find Numba by that variable
        paths = os.pathsep.join(filter(None, (self.root, os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(self.folder / "cache"), "PYTHONPATH": paths}
        command = [sys.executable, "-m", "odekit._ship", str(kernels)]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            self.app.display_warning(f"the wheel carries no compiled kernels: {done.stderr}")
            return
        build_data["force_include"][str(kernels)] = "odekit/_kernels"
        build_data["pure_python"], build_data["infer_tag"] = False, True

    def finalize(self, version, build_data, artifact_path):
        """Leave nothing behind."""
        shutil.rmtree(self.folder, ignore_errors=True)
