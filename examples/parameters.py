"""New parameters never recompile: the period of a pendulum, for many amplitudes and lengths.

q'' = -(g / l) sin q
"""

import time

import numpy as np

import odekit

gravity = 9.81
amplitudes = np.radians(np.arange(5, 176, 5))


def pendulum(t, y, gravity, length):
    return [y[1], -gravity / length * np.sin(y[0])]


def lowest_point(t, y, gravity, length):
    return y[0]


lowest_point.terminal = True


def period(amplitude, length):
    """Four times the time from rest to the lowest point."""
    sol = odekit.solve_ivp(
        pendulum, (0, np.inf), [amplitude, 0.0], method="dop853", events=lowest_point, args=(gravity, length),
        rtol=1e-10, atol=1e-12,
    )  # fmt: skip
    return 4 * sol.t_events[0][0]


period(1.0, 1.0)  # compiles
start = time.perf_counter()
periods = {length: np.array([period(a, length) for a in amplitudes]) for length in (0.5, 1.0, 2.0)}
count = sum(map(len, periods.values()))
print(f"{count} solutions, {(time.perf_counter() - start) / count * 1e6:.0f} microseconds each, nothing compiled")
small = 2 * np.pi * np.sqrt(1.0 / gravity)
print(f"length 1 m: {periods[1.0][0]:.4f} s at 5 degrees, {periods[1.0][-1]:.4f} s at 175; linear theory {small:.4f} s")

with odekit.plot.style():
    ax = odekit.plot.new_axes()
    for color, (length, values) in zip(odekit.plot.COLORS, periods.items(), strict=False):
        ax.plot(np.degrees(amplitudes), values, color=color, label=f"{length} m")
    ax.set(xlabel="amplitude (degrees)", ylabel="period (s)")
    ax.legend(title="length")
    odekit.plot.save(ax, "parameters.png")
