"""A compiler's front end for kernels: from their Python source to LLVM's representation, in a tenth of Numba's time.

Kernels are written in a small part of Python: numbers, views of memory, tuples, loops over `range`, branches, calls of each other.
Numba accepts nearly all of Python, and needs some hundred passes over every function for it, two thirds of a cold start. Here the
types follow from the arguments in one walk along the source, and what it yields goes to the same LLVM with the same rules:
`odekit._parts` hands every part and every kernel to `translate` first, and what that does not know (`Unsupported`) to Numba, which
remains the definition of what a kernel means.

Differences, none of which a kernel may depend on: an integer is an int64 always, and the index of an array is not negative (``a[-1]``
with a constant is the last element, as ever).
"""

from .functions import Unit, module_text, translate
from .values import Unsupported

__all__ = ["Unit", "Unsupported", "module_text", "translate"]
