"""The places of the state arrays."""

from odekit.solvers import state

SCALARS = """T H T_NEW T_END H_NEXT ERR_NORM LOG_ERR_OLD H_OLD MAX_STEP EIGENVALUE T_FAIL DIRECTION H_FIXED STABILITY_SIZE OUTSIDE
EXPONENT BINDING LINEAR_TOLERANCE""".split()


def test_no_two_scalars_share_a_place():
    places = [getattr(state, name) for name in SCALARS]
    assert len(set(places)) == len(places)
    assert max(places) < state.SHIFTS
    assert state.SHIFTS + 3 * state.MAX_MATRICES <= state.FAMILY_FLOAT
    assert state.FAMILY_FLOAT + 32 <= state.W_HEADER


def test_layout_leaves_each_part_its_room():
    n, p_size, degree, n_events, workspace = 3, 5, 4, 2, 21
    _, iw, w_size, size = state.layout(n, p_size, degree, n_events, workspace, True)
    assert size == p_size and w_size == iw[state.O_FIRST] + workspace
    assert iw[state.O_EVENTS] == state.W_HEADER + (state.N_VECTORS + degree) * n
    assert iw[state.O_NONNEGATIVE] == iw[state.O_EVENTS] + 4 * n_events
    assert iw[state.O_FIRST] == iw[state.O_NONNEGATIVE] + n
