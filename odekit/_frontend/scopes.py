"""Which variables of a function are values, and which need memory."""

import ast


class _Scan(ast.NodeVisitor):
    """Notes, in the order in which they run, where names are read and written."""

    def __init__(self):
        self.written, self.read = {}, {}
        self.time, self.suite, self.suites = 0, (), 0

    def block(self, *statements):
        """Statements that need not run."""
        outer, self.suites = self.suite, self.suites + 1
        self.suite = (*outer, self.suites)
        for statement in statements:
            self.visit(statement)
        self.suite = outer

    def visit_Name(self, node):
        self.time += 1
        table = self.read if isinstance(node.ctx, ast.Load) else self.written
        table.setdefault(node.id, []).append((self.time, self.suite))

    def visit_Assign(self, node):
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_AugAssign(self, node):
        self.visit(node.value)
        self.visit(node.target)
        if isinstance(node.target, ast.Name):
            self.read.setdefault(node.target.id, []).append((0, ()))

    def visit_If(self, node):
        self.visit(node.test)
        self.block(*node.body)
        self.block(*node.orelse)

    def visit_While(self, node):
        self.visit(node.test)
        self.block(*node.body)

    def visit_For(self, node):
        self.visit(node.iter)
        self.block(node.target, *node.body)


def assigned_once(function):
    """Names of variables that have one value wherever they are read: assigned to in one place, before and around all others.

    Parameters
    ----------
    function : ast.FunctionDef

    Returns
    -------
    set of str
    """
    scan = _Scan()
    scan.suite = (0,)
    for argument in function.args.args:
        scan.written[argument.arg] = [(0, (0,))]
    for statement in function.body:
        scan.visit(statement)
    once = set()
    for name, places in scan.written.items():
        (time, suite), *more = places
        if not more and all(t > time and s[: len(suite)] == suite for t, s in scan.read.get(name, ())):
            once.add(name)
    return once
