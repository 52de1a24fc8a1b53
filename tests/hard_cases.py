"""Further problems of many kinds for `auto`: oscillators, neurons, chemistry, circuits, diffusion, jumps, extreme scales.

Kept like those of `detest`, in `HARD`; `SINGULAR` holds problems whose solution ends before the span does.
"""

import math

import numpy as np
from detest import Case

HARD = {}
SINGULAR = {}


def case(name, span, y0, args=(), **options):
    """Register a problem."""

    def register(fun):
        HARD[name] = Case(fun, span, tuple(y0), args, **options)
        return fun

    return register


def singular(name, span, y0):
    """Register a problem that cannot be solved to the end."""

    def register(fun):
        SINGULAR[name] = Case(fun, span, tuple(y0))
        return fun

    return register


# oscillators ----------------------------------------------------------------------------------------------------------


@case("duffing", (0.0, 20.0), [1.0, 0.0])
def duffing(t, y):
    return [y[1], -0.3 * y[1] + y[0] - y[0] ** 3 + 0.2 * np.cos(1.2 * t)]


@case("brusselator", (0.0, 20.0), [1.5, 3.0])
def brusselator(t, y):
    return [1.0 + y[0] ** 2 * y[1] - 4.0 * y[0], 3.0 * y[0] - y[0] ** 2 * y[1]]


@case("roessler", (0.0, 30.0), [1.0, 1.0, 0.0])
def roessler(t, y):
    return [-y[1] - y[2], y[0] + 0.2 * y[1], 0.2 + y[2] * (y[0] - 5.7)]


@case("lotka-volterra", (0.0, 50.0), [10.0, 5.0])
@case("lotka-volterra backward", (50.0, 0.0), [10.0, 5.0])
def lotka_volterra(t, y):
    return [1.1 * y[0] - 0.4 * y[0] * y[1], 0.1 * y[0] * y[1] - 0.4 * y[1]]


@case("fitzhugh-nagumo", (0.0, 200.0), [-1.0, 1.0])
def fitzhugh_nagumo(t, y):
    return [y[0] - y[0] ** 3 / 3.0 - y[1] + 0.5, 0.08 * (y[0] + 0.7 - 0.8 * y[1])]


@case("hodgkin-huxley", (0.0, 50.0), [-65.0, 0.05, 0.6, 0.32])
def hodgkin_huxley(t, y):
    v, m, h, n = y
    alpha_m = 0.1 * (v + 40.0) / (1.0 - np.exp(-(v + 40.0) / 10.0))
    alpha_n = 0.01 * (v + 55.0) / (1.0 - np.exp(-(v + 55.0) / 10.0))
    currents = 120.0 * m**3 * h * (v - 50.0) + 36.0 * n**4 * (v + 77.0) + 0.3 * (v + 54.387)
    return [
        10.0 - currents,
        alpha_m * (1.0 - m) - 4.0 * np.exp(-(v + 65.0) / 18.0) * m,
        0.07 * np.exp(-(v + 65.0) / 20.0) * (1.0 - h) - h / (1.0 + np.exp(-(v + 35.0) / 10.0)),
        alpha_n * (1.0 - n) - 0.125 * np.exp(-(v + 65.0) / 80.0) * n,
    ]


def van_der_pol(t, y, mu):
    return [y[1], mu * (1.0 - y[0] ** 2) * y[1] - y[0]]


for _mu in (1.0, 10.0, 100.0, 1e3, 1e4, 1e6):
    case(f"van der pol {_mu:g}", (0.0, max(20.0, 1.2 * _mu)), [2.0, 0.0], (_mu,), stiff=_mu > 10)(van_der_pol)


@case("fast oscillation", (0.0, 10.0), [1.0, 0.0])
def fast_oscillation(t, y):
    return [200.0 * y[1], -200.0 * y[0]]


# chemistry ------------------------------------------------------------------------------------------------------------


def oregonator(t, y, s, w, q, f):
    return [s * (y[1] + y[0] * (1.0 - q * y[0] - y[1])), (f * y[2] - (1.0 + y[0]) * y[1]) / s, w * (y[0] - y[2])]


for _f in (0.8, 1.0, 1.5):
    case(f"oregonator f={_f}", (0.0, 100.0), [1.0, 2.0, 3.0], (77.27, 0.161, 8.375e-6, _f), stiff=True)(oregonator)


@case("pyrolysis E5 to 1e8", (0.0, 1e8), [1.76e-3, 0.0, 0.0, 0.0], atol=1e-20, stiff=True)
def pyrolysis(t, y):
    first, second = 7.89e-10 * y[0], 1.1e7 * y[0] * y[2]
    third, fourth = 1.13e9 * y[1] * y[2], 1.13e3 * y[3]
    return [-first - second, first - third, first - third - second + fourth, second - fourth]


@case("bateman chain", (0.0, 1000.0), [1.0, 0.0, 0.0, 0.0, 0.0], atol=1e-12, stiff=True)
def bateman(t, y):
    # decay rates over nine orders of magnitude
    return [
        -1e-3 * y[0],
        1e-3 * y[0] - 1e6 * y[1],
        1e6 * y[1] - 10.0 * y[2],
        10.0 * y[2] - 1e-2 * y[3],
        1e-2 * y[3],
    ]


@case("michaelis-menten", (0.0, 100.0), [1.0, 1e-3, 0.0, 0.0], atol=1e-12, stiff=True)
def michaelis_menten(t, y):
    bind, loose, make = 1e4 * y[0] * y[1], 10.0 * y[2], 100.0 * y[2]
    return [loose - bind, loose + make - bind, bind - loose - make, make]


# stiff and linear -----------------------------------------------------------------------------------------------------


def two_rates(t, y, rate):
    return [-rate * (y[0] - y[1]), -y[1]]


for _rate in (1e3, 1e6, 1e9):
    case(f"two rates {_rate:g}", (0.0, 5.0), [2.0, 1.0], (_rate,), stiff=True)(two_rates)


@case("prothero-robinson", (0.0, 10.0), [1.0], (1e6,), stiff=True, end=(math.cos(10.0),))
@case("prothero-robinson backward", (0.0, -10.0), [1.0], (-1e6,), stiff=True, end=(math.cos(10.0),))
def prothero_robinson(t, y, rate):
    return [-rate * (y[0] - np.cos(t)) - np.sin(t)]


@case("curtiss-hirschfelder", (0.0, 10.0), [0.0], stiff=True)
def curtiss_hirschfelder(t, y):
    return [-50.0 * (y[0] - np.cos(t))]


@case("kaps 1e-8", (0.0, 3.0), [1.0, 1.0], (1e-8,), stiff=True, end=(math.exp(-6.0), math.exp(-3.0)))
def kaps(t, y, eps):
    return [-(1.0 / eps + 2.0) * y[0] + y[1] ** 2 / eps, y[0] - y[1] - y[1] ** 2]


@case("heat equation", (0.0, 0.2), np.sin(np.pi * np.arange(1, 41) / 41), stiff=True)
def heat(t, y):
    n = y.size
    dy = np.empty(n)
    for i in range(n):
        dy[i] = (n + 1) ** 2 * ((y[i - 1] if i > 0 else 0.0) - 2.0 * y[i] + (y[i + 1] if i < n - 1 else 0.0))
    return dy


@case("stiff oscillation", (0.0, 1.0), [1.0, 1.0, 0.0, 1.0], stiff=True)
def stiff_oscillation(t, y):
    return [-1e4 * y[0] + 1e4 * y[1], -1e4 * y[0] - 1e4 * y[1] + 2e4 * y[3], 10.0 * y[3], -10.0 * y[2]]


@case("flame", (0.0, 2e4), [1e-4], stiff=True)
def flame(t, y):
    return [y[0] ** 2 - y[0] ** 3]


# circuits, mechanics, larger systems ----------------------------------------------------------------------------------


@case("ring modulator", (0.0, 1e-4), [0.0] * 15, (1e-9,), stiff=True)
def ring_modulator(t, y, cs):
    low, high = 0.5 * np.sin(2e3 * np.pi * t), 2.0 * np.sin(2e4 * np.pi * t)
    g, d = 40.67286402e-9, 17.7493332
    q1 = g * (np.exp(d * (y[2] - y[4] - y[6] - high)) - 1.0)
    q2 = g * (np.exp(d * (-y[3] + y[5] - y[6] - high)) - 1.0)
    q3 = g * (np.exp(d * (y[3] + y[4] + y[6] + high)) - 1.0)
    q4 = g * (np.exp(d * (-y[2] - y[5] + y[6] + high)) - 1.0)
    return [
        (y[7] - 0.5 * y[9] + 0.5 * y[10] + y[13] - y[0] / 25e3) / 1.6e-8,
        (y[8] - 0.5 * y[11] + 0.5 * y[12] + y[14] - y[1] / 25e3) / 1.6e-8,
        (y[9] - q1 + q4) / cs,
        (-y[10] + q2 - q3) / cs,
        (y[11] + q1 - q3) / cs,
        (-y[12] - q2 + q4) / cs,
        (-y[6] / 50.0 + q1 + q2 - q3 - q4) / 1e-8,
        -y[0] / 4.45,
        -y[1] / 4.45,
        (0.5 * y[0] - y[2] - 17.3 * y[9]) / 5e-4,
        (-0.5 * y[0] + y[3] - 17.3 * y[10]) / 5e-4,
        (0.5 * y[1] - y[4] - 17.3 * y[11]) / 5e-4,
        (-0.5 * y[1] + y[5] - 17.3 * y[12]) / 5e-4,
        (-y[0] + low - 86.3 * y[13]) / 2e-3,
        (-y[1] - 636.3 * y[14]) / 2e-3,
    ]


HARD["ring modulator 2e-12"] = Case(ring_modulator, (0.0, 1e-4), (0.0,) * 15, (2e-12,), stiff=True)


@case("beam", (0.0, 5.0), [0.0] * 80, stiff=True)
def beam(t, y):
    """An elastic beam (Hairer and Wanner, Solving ODEs II, IV.10), from its Lagrangian, solved as a tridiagonal system."""
    n = 40
    load = 1.5 * np.sin(t) ** 2 if t <= np.pi else 0.0
    v, sine, cosine = np.empty(n), np.zeros(n + 1), np.zeros(n + 1)
    for i in range(n):
        left = y[i - 1] if i > 0 else -y[0]
        right = y[i + 1] if i < n - 1 else y[n - 1]
        v[i] = n**4 * (left - 2.0 * y[i] + right) + n**2 * load * (np.cos(y[i]) + np.sin(y[i]))
        if i > 0:
            sine[i], cosine[i] = np.sin(y[i] - y[i - 1]), np.cos(y[i] - y[i - 1])
    w, diagonal = np.empty(n), np.empty(n)
    for i in range(n):
        w[i] = y[n + i] ** 2
        if i > 0:
            w[i] -= sine[i] * v[i - 1]
        if i < n - 1:
            w[i] += sine[i + 1] * v[i + 1]
        diagonal[i] = 1.0 if i == 0 else 3.0 if i == n - 1 else 2.0
    for i in range(n - 2, -1, -1):
        ratio = -cosine[i + 1] / diagonal[i + 1]
        w[i] -= w[i + 1] * ratio
        diagonal[i] += cosine[i + 1] * ratio
    w[0] /= diagonal[0]
    for i in range(1, n):
        w[i] = (w[i] + cosine[i] * w[i - 1]) / diagonal[i]
    dy = np.empty(2 * n)
    for i in range(n):
        dy[i] = y[n + i]
        dy[n + i] = (1.0 if i == 0 else 3.0 if i == n - 1 else 2.0) * v[i]
        if i > 0:
            dy[n + i] -= cosine[i] * v[i - 1] + sine[i] * w[i - 1]
        if i < n - 1:
            dy[n + i] += -cosine[i + 1] * v[i + 1] + sine[i + 1] * w[i + 1]
    return dy


@case("medical akzo, n = 80", (0.0, 20.0), [0.0, 1.0] * 40, stiff=True)
def medical_akzo(t, y):
    """Penetration of radio-labelled antibodies into tissue (IVP Test Set), on 40 points."""
    n = y.size // 2
    step = 1.0 / n
    dy = np.empty(2 * n)
    outside = 2.0 if t <= 5.0 else 0.0
    for j in range(n):
        z = (j + 1) * step - 1.0
        left, here = (y[2 * j - 2] if j > 0 else outside), y[2 * j]
        right = y[2 * j + 2] if j < n - 1 else here
        diffusion = z**4 / 16.0 * (left - 2.0 * here + right) / step**2
        dy[2 * j] = z**3 / 8.0 * (right - left) / (2.0 * step) + diffusion - 100.0 * here * y[2 * j + 1]
        dy[2 * j + 1] = -100.0 * here * y[2 * j + 1]
    return dy


def _cusp_start():
    angle = 2.0 * np.pi * np.arange(1, 33) / 32
    return np.stack([np.zeros(32), -2.0 * np.cos(angle), 2.0 * np.sin(angle)], axis=1).ravel()


@case("cusp", (0.0, 1.1), _cusp_start(), stiff=True)
def cusp(t, y):
    """Threshold nerve impulses with cusp catastrophe and diffusion (Hairer and Wanner, IV.10)."""
    n = y.size // 3
    diffusion = n * n / 144.0
    dy = np.empty(3 * n)
    for i in range(n):
        left, right = 3 * ((i - 1) % n), 3 * ((i + 1) % n)
        x, a, b = y[3 * i], y[3 * i + 1], y[3 * i + 2]
        u = (x - 0.7) * (x - 1.3)
        v = u / (u + 0.1)
        dy[3 * i] = -1e4 * (x**3 + a * x + b) + diffusion * (y[left] - 2.0 * x + y[right])
        dy[3 * i + 1] = b + 0.07 * v + diffusion * (y[left + 1] - 2.0 * a + y[right + 1])
        dy[3 * i + 2] = (1.0 - a * a) * b - a - 0.4 * x + 0.035 * v + diffusion * (y[left + 2] - 2.0 * b + y[right + 2])
    return dy


# scales, spans, jumps -------------------------------------------------------------------------------------------------


@case("tiny numbers", (0.0, 10.0), [1e-20, 0.0], atol=1e-29)
@case("huge numbers", (0.0, 10.0), [1e20, 0.0], atol=1e11)
@case("tiny times", (0.0, 1e-12), [1.0, 0.0], (1e26,))
@case("huge times", (0.0, 1e15), [1.0, 0.0], (1e-28,))
def oscillator(t, y, k=1.0):
    return [y[1], -k * y[0]]


for _name in ("tiny numbers", "huge numbers"):
    HARD[_name] = Case(oscillator, HARD[_name].span, HARD[_name].y0, (1.0,), HARD[_name].atol)
# with times of that size velocities are not of the size of positions
HARD["tiny times"] = Case(oscillator, (0.0, 1e-12), (1.0, 0.0), (1e26,), 1e-9 * 1e13)
HARD["huge times"] = Case(oscillator, (0.0, 1e15), (1.0, 0.0), (1e-28,), 1e-9)


@case("mixed scales", (0.0, 10.0), [1e-15, 1e15], atol=1e-21)
def mixed_scales(t, y):
    return [-y[0] * (1.0 + 1e-16 * y[1]), -0.1 * y[1]]


@case("far from zero", (1e6, 1e6 + 20.0), [1.0, 0.0])
def pushed(t, y):
    return [y[1], -y[0] + np.cos(0.5 * t)]


@case("square wave", (0.0, 10.0), [0.0])
@case("square wave, stiff", (0.0, 10.0), [0.0], stiff=True)
def square_wave(t, y):
    return [(1.0 if np.sin(2.0 * t) > 0.0 else -1.0) - y[0]]


def stiff_square_wave(t, y):
    return [1e4 * ((1.0 if np.sin(2.0 * t) > 0.0 else -1.0) - y[0])]


HARD["square wave, stiff"] = Case(stiff_square_wave, (0.0, 10.0), (0.0,), stiff=True)


@case("short pulse", (0.0, 10.0), [0.0, 1.0])
def short_pulse(t, y):
    return [-y[0] + 10.0 * np.exp(-(((t - 5.0) / 0.1) ** 2)), -0.1 * y[1] + np.sin(t)]


@case("dry friction", (0.0, 5.0), [0.0, 3.0])
def dry_friction(t, y):
    return [y[1], -4.0 * y[0] - 0.5 * np.tanh(50.0 * y[1])]


# solutions that end ---------------------------------------------------------------------------------------------------


@singular("explosion", (0.0, 2.0), [1.0])
def explosion(t, y):
    return [y[0] ** 2]


@singular("pole", (0.0, 2.0), [0.0, 0.0])
def pole(t, y):
    return [1.0 + y[0] ** 2, y[0]]


@singular("square root runs out", (0.0, 5.0), [1.0])
def square_root(t, y):
    return [-1.0 / y[0]]


@singular("growth beyond all numbers", (0.0, 1000.0), [1.0])
def exponential(t, y):
    return [y[0] * np.exp(0.05 * t)]
