"""A formula under construction, and what it cannot hold."""

from .solvers.formula import Formula


class CannotTrace(BaseException):
    """What a function does with a symbol has no formula; not an `Exception`, so that no ``except`` on the way catches it.

    Parameters
    ----------
    clause : str
        What it does, such as "it branches on the time".
    advice : str
        What could be done about it, to stand behind the line of the function.
    """

    def __init__(self, clause, advice=""):
        super().__init__(clause)
        self.clause, self.advice = clause, advice


class Recording(Formula):
    """A formula under construction.

    Attributes
    ----------
    refusal : CannotTrace or None
        The first thing that it could not hold: NumPy swallows exceptions of ``__index__``.
    """

    def __init__(self):
        super().__init__()
        self.refusal = None

    def refuse(self, node, clause, advice=""):
        """Give up.

        Parameters
        ----------
        node : int
            What the function does something with.
        clause : str
            What it does, with ``{}`` in place of what the node depends on.
        advice : str
            For arguments: unlike the state, they can be written into the function.

        Raises
        ------
        CannotTrace
        """
        what = self._what(node)
        error = CannotTrace(clause.format(what), advice if what == "an argument" else "")
        self.refusal = self.refusal or error
        raise error

    def _what(self, node):
        """Name of what a node depends on."""
        found, stack = set(), [node]
        while stack:
            node = stack.pop()
            if node not in found:
                found.add(node)
                stack += self.inputs(node)
        kinds = {self.nodes[node][0] for node in found}
        return "a number of the state" if "state" in kinds else "the time" if "time" in kinds else "an argument"
