"""What events and callbacks cost."""

import odekit

BALLS = 20


def fall(t, y):
    return [y[1], -9.81]


def floor(t, y):
    return y[0]


def summit(t, y):
    return y[1]


floor.direction, floor.affect = -1, lambda t, y: [0.0, -0.9 * y[1]]


def time_bouncing_balls():
    """Eight bounces each, with a new start after every one."""
    for _ in range(BALLS):
        odekit.solve_ivp(fall, (0, 5), [1.0, 0.0], events=floor, rtol=1e-8, atol=1e-10)


class Watched:
    """The same steps, with what is asked after each of them."""

    params = [("nothing", "event", "domain", "callback")]
    param_names = ["asked"]

    def time_solve(self, asked):
        options = {
            "nothing": {},
            "event": {"events": summit},
            "domain": {"nonnegative": [2]},
            "callback": {"on_step": _nothing},
        }[asked]
        odekit.solve_ivp(_three, (0, 1000), [1.0, 0.0, 1.0], "tsit5", rtol=1e-8, atol=1e-8, **options)


def _three(t, y):
    return [y[1], -y[0], -0.001 * y[2]]


def _nothing(t, y):
    return None
