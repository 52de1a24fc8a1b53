"""Bodies of loops over lanes: from source to LLVM's representation, past Numba.

They are straight-line code over numbers, hundreds of statements long; with its types, variables and blocks Numba spends half of a cold
start on them. Here each becomes one intrinsic function: names are bound to LLVM values as the statements are read, and where one
is assigned again there is nothing to reconstruct. What surrounds them is compiled by Numba as ever.
"""

import ast
import builtins

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_LANE = "inner"  # variable of the loops whose bodies are meant
_FLOAT_OPERATORS = {ast.Add: "fadd", ast.Sub: "fsub", ast.Mult: "fmul", ast.Div: "fdiv"}
_INT_OPERATORS = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.BitAnd: "and_", ast.BitOr: "or_"}
_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


def outlined(source, scope):
    """Have the bodies of loops over lanes compiled here.

    Parameters
    ----------
    source : str
        Of a function. In a loop over lanes no name outlives a round but sums of type int64.
    scope : dict
        Its globals.

    Returns
    -------
    source : str
        With calls in place of the bodies.
    scope : dict
        With the functions called.
    """
    outliner = _Outliner(scope)
    tree = outliner.visit(ast.parse(source))
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n", {**scope, **outliner.bodies}


class _Outliner(ast.NodeTransformer):
    def __init__(self, scope):
        self.scope, self.bodies = scope, {}

    def visit_For(self, loop):
        """Put a call in place of the body."""
        if loop.target.id != _LANE:
            return self.generic_visit(loop)
        inputs, sums = _flow(loop.body, self.scope)
        name = f"body{len(self.bodies)}"
        self.bodies[name] = _body(tuple(loop.body), tuple(inputs), tuple(sums), self.scope)
        call = f"{name}({', '.join(inputs)})"
        loop.body = ast.parse(f"{', '.join(sums)} = {call}" if sums else call).body
        return loop


def _flow(body, scope):
    """Names that a body needs, and those of them that it changes."""
    inputs, stored = {}, set()
    for statement in body:
        names = [node for node in ast.walk(statement) if isinstance(node, ast.Name)]
        # what is added to is a target only
        reads = [node.id for node in names if isinstance(node.ctx, ast.Load)]
        reads += [statement.target.id] if _adds_to_name(statement) else []
        for name in reads:
            if name not in stored and name not in scope and not hasattr(builtins, name):
                inputs[name] = None
        stored |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return list(inputs), [name for name in inputs if name in stored]


def _adds_to_name(statement):
    return isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name)


def _body(statements, inputs, sums, scope):
    """The intrinsic function of a body; it returns the sums."""
    result = types.none if not sums else types.int64 if len(sums) == 1 else types.UniTuple(types.int64, len(sums))

    @intrinsic
    def body(typingctx, *given):
        kinds = tuple(types.unliteral(kind) for kind in given)

        def codegen(context, builder, signature, args):
            names = {
                name: (builder.extract_value(args[0], k), kind)
                for k, (name, kind) in enumerate(zip(inputs, kinds, strict=True))
            }
            writer = _Writer(context, builder, names, scope)
            for statement in statements:
                writer.visit(statement)
            values = [writer.names[name][0] for name in sums]
            if not values:
                return context.get_dummy_value()
            return values[0] if len(values) == 1 else context.make_tuple(builder, result, values)

        return result(types.StarArgTuple(kinds)), codegen

    return body


class _Writer(ast.NodeVisitor):
    """Writes LLVM's instructions for statements; a value is a pair of an LLVM value, or a number of Python's, and a Numba type."""

    def __init__(self, context, builder, names, scope):
        self.context, self.builder, self.names, self.scope = context, builder, names, scope
        self.functions = {}

    def visit_Assign(self, statement):
        self.store(statement.targets[0], self.visit(statement.value))

    def visit_AugAssign(self, statement):
        place = statement.target
        old = ast.copy_location(type(place)(**{**vars(place), "ctx": ast.Load()}), place)
        self.store(place, self.visit(ast.BinOp(old, statement.op, statement.value)))

    def store(self, target, value):
        """Bind a name, or each of several, or write to memory."""
        if isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, ast.Tuple):
            for part, element in zip(target.elts, self.parts(value), strict=True):
                self.store(part, element)
        else:
            self.builder.store(self.cast(value, types.float64), self.pointer(target))

    def parts(self, value):
        """Values in a tuple: one that is written down, or that a function has returned."""
        if isinstance(value, list):
            return value
        tuple_, kind = value
        return [(self.builder.extract_value(tuple_, i), part) for i, part in enumerate(kind)]

    def pointer(self, subscript):
        """Where an element of memory is."""
        array, _ = self.visit(subscript.value)
        return self.builder.gep(array, [self.cast(self.visit(subscript.slice), types.int64)])

    def visit_Subscript(self, subscript):
        return self.builder.load(self.pointer(subscript)), types.float64

    def visit_Tuple(self, tuple_):
        return [self.visit(element) for element in tuple_.elts]

    def visit_Name(self, name):
        return self.names[name.id]

    def visit_Constant(self, constant):
        return self.number(constant.value)

    def visit_Attribute(self, attribute):  # math.inf
        return self.number(getattr(self.scope[attribute.value.id], attribute.attr))

    def number(self, value):
        """A constant."""
        kind = types.float64 if isinstance(value, float) else types.int64
        return ir.Constant(self.context.get_value_type(kind), value), kind

    def cast(self, value, kind):
        """LLVM value of another type."""
        return self.context.cast(self.builder, *value, kind)

    def both(self, *values):
        """Two numbers of one type, and the type."""
        kinds = {kind for _, kind in values}
        kind = kinds.pop() if len(kinds) == 1 else types.float64
        return [self.cast(value, kind) for value in values], kind

    def visit_BinOp(self, node):
        (a, b), kind = self.both(self.visit(node.left), self.visit(node.right))
        names = _FLOAT_OPERATORS if kind == types.float64 else _INT_OPERATORS
        return getattr(self.builder, names[type(node.op)])(a, b), kind

    def visit_UnaryOp(self, node):
        value, kind = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            return self.builder.not_(value), types.boolean
        return (self.builder.fneg(value) if kind == types.float64 else self.builder.neg(value)), kind

    def visit_Compare(self, node):
        (a, b), kind = self.both(self.visit(node.left), self.visit(node.comparators[0]))
        sign = _COMPARISONS[type(node.ops[0])]
        if kind != types.float64:
            return self.builder.icmp_signed(sign, a, b), types.boolean
        compare = self.builder.fcmp_unordered if sign == "!=" else self.builder.fcmp_ordered
        return compare(sign, a, b), types.boolean

    def visit_Call(self, call):
        values = [self.visit(argument) for argument in call.args]
        function, signature = self.function(call.func.id, tuple(kind for _, kind in values))
        *kinds, last = signature.args
        if isinstance(last, types.BaseTuple):
            rest = [self.cast(value, kind) for value, kind in zip(values[len(kinds) :], last, strict=True)]
            arguments = [self.context.make_tuple(self.builder, last, rest)]
        else:
            arguments = [self.cast(values[len(kinds)], last)]
        arguments = [self.cast(value, kind) for value, kind in zip(values, kinds, strict=False)] + arguments
        return function(self.builder, arguments), signature.return_type

    def function(self, name, kinds):
        """What Numba calls by a name, and its signature."""
        if (name, kinds) not in self.functions:
            called = self.scope[name] if name in self.scope else getattr(builtins, name)
            kind = self.context.typing_context.resolve_value_type(called)
            signature = kind.get_call_type(self.context.typing_context, kinds, {})
            self.functions[name, kinds] = self.context.get_function(kind, signature), signature
        return self.functions[name, kinds]
