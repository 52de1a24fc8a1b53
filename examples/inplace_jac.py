"""A reaction-diffusion front on 100 points: a right-hand side that allocates nothing, and its exact Jacobian.

u' = D u_xx + r u (1 - u),  no flux at both ends (Fisher 1937)
"""

import numpy as np

import odekit

# parameters
n, diffusion, rate = 100, 1.0, 1.0
x = np.linspace(0.0, 50.0, n)
k = diffusion / (x[1] - x[0]) ** 2


# equation
@odekit.inplace
def fisher(t, u, dudt, k, rate):
    n = u.size
    for i in range(n):
        left, right = u[max(i - 1, 0)], u[min(i + 1, n - 1)]
        dudt[i] = k * (left - 2 * u[i] + right) + rate * u[i] * (1 - u[i])


def jacobian(t, u, k, rate):
    n = u.size
    J = np.zeros((n, n))
    for i in range(n):
        J[i, i] = -2 * k + rate * (1 - 2 * u[i])
        J[i, max(i - 1, 0)] += k
        J[i, min(i + 1, n - 1)] += k
    return J


# solve
u0 = np.where(x < 2.0, 1.0, 0.0)
times = np.linspace(0.0, 20.0, 6)
sol = odekit.solve_ivp(fisher, (0, 20), u0, "radau", t_eval=times, jac=jacobian, args=(k, rate), rtol=1e-6, atol=1e-9)
print(sol)
front = [np.interp(-0.5, -u, x) for u in sol.y.T]
print(f"speed of the front: {(front[-1] - front[2]) / (times[-1] - times[2]):.2f}; theory, for t to infinity: 2")

# picture
with odekit.plot.style():
    ax = odekit.plot.new_axes(size=(6.4, 3.2))
    for t, u in zip(times, sol.y.T, strict=True):
        ax.plot(x, u, color=odekit.plot.COLORS[0], alpha=0.3 + 0.7 * t / 20, label=f"$t = {t:g}$")
    ax.set(xlabel="$x$", ylabel="$u$")
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    odekit.plot.save(ax, "fisher.png")
