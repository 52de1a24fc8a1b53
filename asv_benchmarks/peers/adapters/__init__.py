"""One module per peer: how it is called, and what its right-hand side is.

Each has `NAME`, `RHS` (a sentence for the caption), ``methods(case)`` (names, the sensible ones for the case) and
``make(case, method)``, which compiles what there is to compile and returns ``prepare(rtol, atol) -> run``; ``run()`` is what is
timed and returns the state at the end, or None where the peer says that it has failed. A module whose package is missing
raises ImportError when it is imported.
"""

import importlib

#: In the order of the tables.
MODULES = (
    "odekit_loop", "odekit_call", "numbalsoda_peer", "scipy_peer", "sundae_peer", "diffsol_peer", "diffrax_peer",
    "heyoka_peer",
)  # fmt: skip


def load():
    """The adapters that can be used, and the packages that are missing."""
    found, missing = [], []
    for name in MODULES:
        try:
            found.append(importlib.import_module(f"{__name__}.{name}"))
        except ImportError as error:
            missing.append(f"{name.removesuffix('_peer')} ({error})")
    return found, missing
