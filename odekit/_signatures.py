"""A function that does not take what it is called with: a sentence instead of what Python says inside."""

import inspect


def require(what, function, call, args, *first):
    """Refuse a function that cannot be called with some arguments.

    Parameters
    ----------
    what : str
        What the function is to the user.
    function : callable
    call : str
        How it is called, such as ``fun(t, y, *args)``.
    args : tuple
        The further arguments.
    *first
        The arguments before them.

    Raises
    ------
    TypeError
    """
    plain = getattr(function, "py_func", function)
    try:
        signature = inspect.signature(plain)
    except (TypeError, ValueError):  # of code that is not Python
        return
    try:
        signature.bind(*first, *args)
    except TypeError:
        name, count = getattr(plain, "__name__", type(plain).__name__), len(first) + len(args)
        raise TypeError(
            f"{what} is {name}{signature}; expected a function that takes {count} argument{'' if count == 1 else 's'}, {call}"
            + (f", of which args has {len(args)}" if "*args" in call else "")
        ) from None
