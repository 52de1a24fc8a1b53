"""What writes the body of one function."""

from llvmlite import ir
from numba import types

from .arithmetic import Arithmetic
from .calls import Calls
from .elements import Elements
from .expressions import Expressions
from .scopes import assigned_once
from .statements import Statements
from .values import Known


class Writer(Statements, Expressions, Elements, Calls, Arithmetic):
    """Writes the body of one function.

    Parameters
    ----------
    whole : llvmlite Function
        Without blocks.
    globals_, constants : dict
        What it finds by name: in its module, and in the functions around it.
    node : ast.FunctionDef
    fastmath : sequence of str
        Flags of its arithmetic.
    widened : dict
        Types of variables that are known to be wider than their first values.
    translate : callable
        Of other functions, see `odekit._frontend.functions`.

    Attributes
    ----------
    returned : numba type
        Of what it returns.
    needs : dict
        Other functions that it calls, by their names.
    """

    def __init__(self, whole, globals_, constants, node, fastmath, widened, translate):
        self.whole, self.node, self.flags, self.translate = whole, node, tuple(fastmath), translate
        self.globals, self.constants = globals_, constants
        self.widened, self.once = widened, assigned_once(node)
        self.variables, self.loops, self.depth = {}, [], 0
        self.needs, self.returned = {}, None
        # variables first, then the rest
        self.entry = ir.IRBuilder(whole.append_basic_block("entry"))
        self.begin = whole.append_basic_block("begin")
        self.builder = ir.IRBuilder(self.begin)

    def block(self, name):
        """A new block at the end of the function."""
        return self.whole.append_basic_block(name)

    def place(self, kind):
        """Memory of a variable."""
        return self.entry.alloca(kind)

    def write(self, arguments):
        """Write it all for arguments by their names."""
        for name, value in arguments.items():
            self.assign_name(name, value)
        if not self.suite(self.node.body):
            self.give_back(Known(None))
        self.returned = self.returned if self.returned is not None else types.none
        self.entry.position_at_end(self.whole.entry_basic_block)  # also behind what intrinsics put there
        self.entry.branch(self.begin)
