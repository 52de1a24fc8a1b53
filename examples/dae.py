"""A one-transistor amplifier: an electrical circuit as a differential-algebraic system, M y' = f(t, y).

The voltages y of five nodes. Kirchhoff's law at each node: currents through capacitors (M y') = currents through resistors and
the transistor (f). M is singular: a capacitor between two nodes gives both the same derivative, and the sum of their two
equations is an algebraic one. (Hairer & Wanner, Solving Ordinary Differential Equations II, Sec. VI.1.)
"""

import numpy as np

import odekit

# parameters: supply (V), resistances (Ohm), capacities (F), the transistor
supply, r0, r = 6.0, 1000.0, 9000.0
c1, c2, c3 = 1e-6, 2e-6, 3e-6
alpha, saturation, thermal = 0.99, 1e-6, 0.026  # share of the collector; current (A); voltage (V)


# equation
def source(t):
    return 0.4 * np.sin(200 * np.pi * t)


def currents(t, y):
    emitted = saturation * (np.exp((y[1] - y[2]) / thermal) - 1)
    return [
        (0.4 * np.sin(200 * np.pi * t) - y[0]) / r0,
        (supply - y[1]) / r - y[1] / r - (1 - alpha) * emitted,
        emitted - y[2] / r,
        (supply - y[3]) / r - alpha * emitted,
        -y[4] / r,
    ]


capacities = np.array(
    [
        [c1, -c1, 0, 0, 0],
        [-c1, c1, 0, 0, 0],
        [0, 0, c2, 0, 0],
        [0, 0, 0, c3, -c3],
        [0, 0, 0, -c3, c3],
    ]
)

# solve: the start satisfies the algebraic equations (if it did not, solve_ivp would say so)
start = [0.0, supply / 2, supply / 2, supply, 0.0]
sol = odekit.solve_ivp(
    currents, (0, 0.05), start, "radau", rtol=1e-6, atol=1e-6, mass_matrix=capacities, dense_output=True
)
print(sol)
t = np.linspace(0.03, 0.05, 1001)
print(f"amplification: {np.ptp(sol.sol(t)[4]) / np.ptp(source(t)):.2f}")
residual = np.array([currents(s, y)[0] + currents(s, y)[1] for s, y in zip(sol.t, sol.y.T, strict=True)])
print(f"largest residual of the first algebraic equation: {np.abs(residual).max():.0e} A")

# picture
t = np.linspace(0, 0.05, 1001)
with odekit.plot.style():
    ax = odekit.plot.new_axes()
    ax.plot(1e3 * t, source(t), color="0.6", label="input")
    ax.plot(1e3 * t, sol.sol(t)[4], label="output")
    ax.set(xlabel="t (ms)", ylabel="voltage (V)")
    ax.legend()
    odekit.plot.save(ax, "amplifier.png")
