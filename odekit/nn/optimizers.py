"""Optimisers: settings that never change, and a state that the caller keeps."""

import dataclasses
import math
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from .. import _signatures
from . import checks
from .updates import ADAM, ADAMAX, RMSPROP, update


@dataclasses.dataclass
class OptimizerState:
    """What an optimiser remembers.

    Attributes
    ----------
    arrays : dict of ndarray, (n_params,)
        By name, such as the running means "m" and "v" of Adam.
    step : int
        Updates made.
    """

    arrays: dict
    step: int = 0

    def __repr__(self):
        size = max((a.size for a in self.arrays.values()), default=0)
        return f"OptimizerState({', '.join(self.arrays)} of {size} parameters, step {self.step})"


class Optimizer:
    """What the optimisers share; subclasses say which arrays they remember and how they use them."""

    memory: ClassVar[tuple] = ()
    code: ClassVar[int]

    def settings(self):
        """The numbers that the compiled update takes."""
        raise NotImplementedError

    def init(self, params):
        """State before the first update.

        Parameters
        ----------
        params : ndarray, (n_params,)

        Returns
        -------
        OptimizerState

        Examples
        --------
        >>> import numpy as np, odekit
        >>> optimizer, params = odekit.nn.Adam(lr=0.1), np.array([1.0, -2.0])
        >>> state = optimizer.init(params)
        >>> sorted(state.arrays), state.step
        (['m', 'v'], 0)
        """
        return OptimizerState({name: np.zeros_like(params) for name in self.memory})

    def rate(self, step):
        """Learning rate of a step.

        Parameters
        ----------
        step : int
            Counted from 0.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If `lr` is a function that gives no finite number there.

        Examples
        --------
        >>> import odekit
        >>> odekit.nn.Adam(odekit.nn.Exponential(1e-2, factor=0.5, every=100)).rate(200)
        0.0025
        """
        return checks.number(f"lr({step})", self.lr(step)) if callable(self.lr) else self.lr

    def update(self, params, grad, state):
        """Change `params` and `state` in place.

        Parameters
        ----------
        params, grad : ndarray, (n_params,)
        state : OptimizerState

        Examples
        --------
        >>> import numpy as np, odekit
        >>> optimizer, params = odekit.nn.Adam(lr=0.1), np.array([1.0, -2.0])
        >>> state = optimizer.init(params)
        >>> optimizer.update(params, 2 * params, state)
        >>> params, state.step
        (array([ 0.9, -1.9]), 1)
        """
        lr = self.rate(state.step)
        state.step += 1
        update(self.code, params, grad, *(state.arrays[name] for name in self.memory), state.step, lr, self.settings())

    def _check(self, *fractions):
        if callable(self.lr):
            _signatures.require("lr", self.lr, "lr(step)", (), 0)
        else:
            checks.positive("lr", self.lr)
        checks.positive("eps", self.eps)
        for name in fractions:
            if not 0.0 <= checks.number(name, getattr(self, name)) < 1.0:
                raise ValueError(f"{name} must be in [0, 1), but it is {getattr(self, name)!r}")
        if checks.number("weight_decay", self.weight_decay) < 0.0:
            raise ValueError(f"weight_decay must be finite and not negative, but it is {self.weight_decay!r}")


@dataclasses.dataclass(frozen=True)
class Adam(Optimizer):
    """Adam (Kingma & Ba, ICLR 2015).

    Parameters
    ----------
    lr : float or callable
        Learning rate, or ``lr(step) -> float``, such as `Cosine` and `Exponential`.
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

    lr: float | Callable[[int], float] = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    memory: ClassVar[tuple] = ("m", "v")
    code: ClassVar[int] = ADAM
    decoupled: ClassVar[bool] = False

    def __post_init__(self):
        self._check("beta1", "beta2")

    def settings(self):
        """The numbers that the compiled update takes."""
        return np.array((self.beta1, self.beta2, self.eps, self.weight_decay, self.decoupled))


@dataclasses.dataclass(frozen=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter, ICLR 2019): the parameters shrink by ``lr * weight_decay``.

    Parameters
    ----------
    lr, beta1, beta2, eps
        As for `Adam`.
    weight_decay : float

    Raises
    ------
    ValueError
        For settings outside their ranges.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> x = np.random.default_rng(0).uniform(-1, 1, (64, 2))
    >>> model = odekit.nn.HNN(odekit.nn.MLP([2, 16, 1], rng=0))
    >>> history = model.fit(x, x[:, ::-1] * [1, -1], optimizer=odekit.nn.AdamW(1e-3, weight_decay=0.1), steps=20)
    >>> bool(history.loss[-1] < history.loss[0])
    True
    """

    weight_decay: float = 1e-2

    decoupled: ClassVar[bool] = True


@dataclasses.dataclass(frozen=True)
class Adamax(Optimizer):
    """Adam with the infinity norm (Kingma & Ba, ICLR 2015, section 7.1).

    Parameters
    ----------
    lr, beta1, beta2, eps, weight_decay
        As for `Adam`.

    Raises
    ------
    ValueError
        For settings outside their ranges.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> x = np.random.default_rng(0).uniform(-1, 1, (64, 2))
    >>> model = odekit.nn.HNN(odekit.nn.MLP([2, 16, 1], rng=0))
    >>> history = model.fit(x, x[:, ::-1] * [1, -1], optimizer=odekit.nn.Adamax(1e-2), steps=20)
    >>> bool(history.loss[-1] < history.loss[0])
    True
    """

    lr: float | Callable[[int], float] = 2e-3
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    memory: ClassVar[tuple] = ("m", "u")
    code: ClassVar[int] = ADAMAX

    def __post_init__(self):
        self._check("beta1", "beta2")

    def settings(self):
        """The numbers that the compiled update takes."""
        return np.array((self.beta1, self.beta2, self.eps, self.weight_decay))


@dataclasses.dataclass(frozen=True)
class RMSprop(Optimizer):
    """RMSprop (Tieleman & Hinton, lecture 6.5, 2012), in the form of ``torch.optim.RMSprop``.

    Parameters
    ----------
    lr : float or callable
    alpha : float
        Memory of the running mean of squares, in [0, 1).
    eps : float
    momentum : float
        In [0, 1).
    weight_decay : float

    Raises
    ------
    ValueError
        For settings outside their ranges.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> x = np.random.default_rng(0).uniform(-1, 1, (64, 2))
    >>> model = odekit.nn.HNN(odekit.nn.MLP([2, 16, 1], rng=0))
    >>> history = model.fit(x, x[:, ::-1] * [1, -1], optimizer=odekit.nn.RMSprop(1e-2, momentum=0.9), steps=20)
    >>> bool(history.loss[-1] < history.loss[0])
    True
    """

    lr: float | Callable[[int], float] = 1e-2
    alpha: float = 0.99
    eps: float = 1e-8
    momentum: float = 0.0
    weight_decay: float = 0.0

    memory: ClassVar[tuple] = ("v", "velocity")
    code: ClassVar[int] = RMSPROP

    def __post_init__(self):
        self._check("alpha", "momentum")

    def settings(self):
        """The numbers that the compiled update takes."""
        return np.array((self.alpha, self.momentum, self.eps, self.weight_decay))


@dataclasses.dataclass(frozen=True)
class LBFGS:
    """Limited-memory BFGS by SciPy, for `fit` on all data at once: each step is one line search.

    Parameters
    ----------
    memory : int
        Pairs of vectors that approximate the Hessian.
    gtol : float
        Ends where no component of the gradient is larger.
    ftol : float
        Ends where a step lowers the loss by less than this fraction.

    Raises
    ------
    ValueError
        For settings outside their ranges.

    References
    ----------
    R. H. Byrd, P. Lu, J. Nocedal, C. Zhu, "A limited memory algorithm for bound constrained optimization",
    SIAM J. Sci. Comput. 16 (1995) 1190-1208.

    Examples
    --------
    >>> import numpy as np, odekit
    >>> x = np.random.default_rng(0).uniform(-1, 1, (64, 2))
    >>> model = odekit.nn.HNN(odekit.nn.MLP([2, 16, 1], rng=0))
    >>> history = model.fit(x, x[:, ::-1] * [1, -1], optimizer=odekit.nn.LBFGS(), steps=20)
    >>> bool(history.loss[-1] < history.loss[0])
    True
    """

    memory: int = 20
    gtol: float = 1e-8
    ftol: float = 1e-12

    def __post_init__(self):
        checks.count("memory", self.memory)
        for name in ("gtol", "ftol"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be finite and not negative, but it is {getattr(self, name)!r}")
