"""pydiffsol: diffsol (Rust), with models in its own language, compiled by LLVM or Cranelift."""

import numpy as np
import pydiffsol

NAME = "pydiffsol"
RHS = "the same formulas in DiffSL, compiled by pydiffsol; exact Jacobian by its automatic differentiation"
SOLVERS = {
    "bdf": pydiffsol.bdf, "esdirk34": pydiffsol.esdirk34, "tr_bdf2": pydiffsol.tr_bdf2, "tsit45": pydiffsol.tsit45,
}  # fmt: skip


class Formula:
    """Writes arithmetic down as DiffSL."""

    def __init__(self, text):
        self.text = text

    def __add__(self, other):
        return Formula(f"({self.text} + {_text(other)})")

    def __radd__(self, other):
        return Formula(f"({_text(other)} + {self.text})")

    def __sub__(self, other):
        return Formula(f"({self.text} - {_text(other)})")

    def __rsub__(self, other):
        return Formula(f"({_text(other)} - {self.text})")

    def __mul__(self, other):
        return Formula(f"({self.text} * {_text(other)})")

    def __rmul__(self, other):
        return Formula(f"({_text(other)} * {self.text})")

    def __truediv__(self, other):
        return Formula(f"({self.text} / {_text(other)})")

    def __rtruediv__(self, other):
        return Formula(f"({_text(other)} / {self.text})")

    def __pow__(self, exponent):
        return Formula(f"pow({self.text}, {_text(exponent)})")

    def __neg__(self):
        return Formula(f"(0.0 - {self.text})")


def _text(value):
    return (
        value.text
        if isinstance(value, Formula)
        else f"{float(value)!r}"
        if value >= 0
        else f"(0.0 - {-float(value)!r})"
    )


def _function(name):
    return lambda x: Formula(f"{name}({_text(x)})")


FUNCTIONS = {name: _function(name) for name in ("sqrt", "sin", "cos")}


def methods(case):
    """Names of the methods for a case."""
    if case.large:
        return ()
    return ("bdf", "esdirk34", "tr_bdf2") if case.stiff else ("tsit45", "bdf")


def model(case):
    """The case in DiffSL."""
    names = [f"y{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(case.y0.size)]
    slopes = case.traced(Formula("t"), [Formula(name) for name in names], FUNCTIONS)
    start = ", ".join(f"{name} = {_text(y)}" for name, y in zip(names, case.y0, strict=True))
    return f"u_i {{ {start} }}\nF_i {{ {', '.join(_text(slope) for slope in slopes)} }}\n"


def make(case, method):
    """See `adapters`."""
    ode = pydiffsol.Ode(
        model(case), matrix_type=pydiffsol.nalgebra_dense, ode_solver=SOLVERS[method], linear_solver=pydiffsol.lu
    )
    none, end = np.empty(0), np.array([case.t_span[1]])

    def prepare(rtol, atol):
        def run():
            ode.rtol, ode.atol = rtol, atol
            try:
                return np.asarray(ode.solve_dense(none, end).ys)[:, -1]
            except Exception:  # it has no class of its own for a failed integration
                return None

        return run

    return prepare
