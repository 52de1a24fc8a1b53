"""The outer solar system for a hundred thousand years: a symplectic method keeps the energy without drift.

    q_i'' = sum_j G m_j (q_j - q_i) / |q_j - q_i|^3

Sun, Jupiter, Saturn, Uranus, Neptune and Pluto, in AU and days; one step is 200 days, a twentieth of Jupiter's year.
"""

import numpy as np

import odekit
from odekit.testset import OUTER_SOLAR_SYSTEM

STEP = 200.0  # days
YEARS = 100_000
OUTPUTS = 5000

system = odekit.second_order(OUTER_SOLAR_SYSTEM.acceleration)
every = round(
    YEARS * 365.25 / STEP / OUTPUTS
)  # steps from output to output: between the ends of steps accuracy is lost
times = STEP * every * np.arange(OUTPUTS + 1)
sol = odekit.solve_ivp(
    system, (0.0, times[-1]), OUTER_SOLAR_SYSTEM.y0, "kahanli8", times, args=OUTER_SOLAR_SYSTEM.args, first_step=STEP
)

energy = OUTER_SOLAR_SYSTEM.energy(sol.y, *OUTER_SOLAR_SYSTEM.args)
error = np.abs(energy / energy[0] - 1)
tenth = OUTPUTS // 10
print(f"{sol.naccept} steps, {sol.nfev} forces, {times[-1] / 365.25:.0f} years")
print(f"relative energy error: {error[:tenth].max():.1e} in the first tenth, {error[-tenth:].max():.1e} in the last")
distance = np.linalg.norm(sol.y[3:6] - sol.y[:3], axis=0)
print(f"Jupiter stays between {distance.min():.2f} and {distance.max():.2f} AU from the Sun")

# picture
with odekit.plot.style():
    axes = odekit.plot.new_axes(size=(6.0, 3.2))
    axes.plot(times / 365_250, error, linewidth=0.3)
    axes.set(xlabel="thousands of years", ylabel="relative energy error", yscale="log", ylim=(1e-12, 1e-8))
    odekit.plot.save(axes, "outer-solar-system.png")
