"""Optimisers: settings that never change, and a state that the caller keeps."""

import dataclasses
import math

import numpy as np

from .. import _jit
from . import checks


@_jit.kernel
def _adam(params, grad, m, v, step, lr, beta1, beta2, eps, weight_decay):
    correction1, correction2 = 1.0 - beta1**step, 1.0 - beta2**step
    rate, root = lr / correction1, math.sqrt(correction2)
    for i in range(params.size):
        g = grad[i] + weight_decay * params[i]
        m[i] = beta1 * m[i] + (1.0 - beta1) * g
        v[i] = beta2 * v[i] + (1.0 - beta2) * g * g
        params[i] -= rate * m[i] / (math.sqrt(v[i]) / root + eps)


@dataclasses.dataclass
class AdamState:
    """What Adam remembers.

    Attributes
    ----------
    m, v : ndarray, (n_params,)
        Running means of the gradient and of its square.
    step : int
        Updates made.
    """

    m: np.ndarray
    v: np.ndarray
    step: int = 0

    def __repr__(self):
        return f"AdamState({self.m.size} parameters, step {self.step})"


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba, ICLR 2015).

    Parameters
    ----------
    lr : float
        Learning rate.
    beta1, beta2 : float
        Memory of the running means, in [0, 1).
    eps : float
    weight_decay : float
        Added to the gradient as ``weight_decay * params``, as in ``torch.optim.Adam``.

    Raises
    ------
    ValueError
        For settings outside their ranges.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> optimizer, params = odekit.nn.Adam(lr=0.1), np.array([1.0, -2.0])
    >>> state = optimizer.init(params)
    >>> optimizer.update(params, 2 * params, state)
    >>> params
    array([ 0.9, -1.9])
    """

    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self):
        checks.positive("lr", self.lr)
        checks.positive("eps", self.eps)
        for name in ("beta1", "beta2"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"{name} must be in [0, 1), but it is {getattr(self, name)!r}")
        if not 0.0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay must be finite and not negative, but it is {self.weight_decay!r}")

    def init(self, params):
        """State before the first update.

        Parameters
        ----------
        params : ndarray, (n_params,)

        Returns
        -------
        AdamState
        """
        return AdamState(np.zeros_like(params), np.zeros_like(params))

    def update(self, params, grad, state):
        """Change `params` and `state` in place.

        Parameters
        ----------
        params, grad : ndarray, (n_params,)
        state : AdamState
        """
        state.step += 1
        _adam(params, grad, state.m, state.v, state.step, self.lr, self.beta1, self.beta2, self.eps, self.weight_decay)
