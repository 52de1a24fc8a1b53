"""How a system behaves around its solutions: spectra, stiffness, growth of perturbations."""

from .amplification import amplification
from .jacobians import jacobian, jacobians
from .lyapunov import LyapunovExponents, lyapunov_exponents
from .report import StabilityReport, report
from .spectra import logarithmic_norm, spectrum, stiffness_index, stiffness_ratio

__all__ = [
    "LyapunovExponents",
    "StabilityReport",
    "amplification",
    "jacobian",
    "jacobians",
    "logarithmic_norm",
    "lyapunov_exponents",
    "report",
    "spectrum",
    "stiffness_index",
    "stiffness_ratio",
]
