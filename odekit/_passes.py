"""What passes over Numba's untyped representation of a function share: a pipeline with them, and the replacing of calls."""

from numba.core import ir
from numba.core.compiler import Compiler, DefaultPassBuilder
from numba.core.compiler_machinery import FunctionPass
from numba.core.ir_utils import mk_unique_var
from numba.core.untyped_passes import IRProcessing


def compiler(*passes, base=Compiler):
    """Numba's nopython pipeline with passes over the untyped representation in it, the last of which runs first.

    Parameters
    ----------
    *passes : class
    base : class
        Of the pipeline, `odekit._parts.PartCompiler` for parts of kernels.

    Returns
    -------
    class
        For ``njit``, as `pipeline_class`.
    """

    class PassesCompiler(base):
        def define_pipelines(self):
            pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)
            for a_pass in passes:
                pipeline.add_pass_after(a_pass, IRProcessing)
            pipeline.finalize()
            return [pipeline]

    return PassesCompiler


class ReplaceCalls(FunctionPass):
    """Call other functions than the source says; which, a subclass tells."""

    def __init__(self):
        super().__init__()

    def replacement(self, func_ir, call):
        """What is called instead.

        Parameters
        ----------
        func_ir : numba FunctionIR
        call : numba ir.Expr
            Without keyword arguments.

        Returns
        -------
        Numba dispatcher or None
            None: what the source says.
        """
        raise NotImplementedError

    def run_pass(self, state):
        """Rewrite; True where something changed."""
        func_ir, changed = state.func_ir, False
        for block in func_ir.blocks.values():
            body = []
            for statement in block.body:
                call = statement.value if isinstance(statement, ir.Assign) else None
                if isinstance(call, ir.Expr) and call.op == "call" and not call.kws:
                    function = self.replacement(func_ir, call)
                    if function is not None:
                        target = ir.Var(block.scope, mk_unique_var("$replaced"), statement.loc)
                        value = ir.Global("replacement", function, statement.loc)
                        body.append(ir.Assign(value, target, statement.loc))
                        func_ir._definitions[target.name] = [value]
                        call.func, changed = target, True
                body.append(statement)
            block.body = body
        return changed
