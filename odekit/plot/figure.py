"""Figures: their look, making and saving them; matplotlib is imported when it is needed."""

import contextlib

#: Colours that colour-blind readers tell apart (Okabe and Ito, 2008), in the order of use.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

#: Settings of the package's own pictures, see `style`.
STYLE = {
    "font.size": 10,
    "axes.labelsize": 10,
    "axes.titlesize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "lines.linewidth": 1.4,
    "figure.dpi": 100,
}


@contextlib.contextmanager
def style():
    """Within this context figures have the look of the package's own pictures.

    Examples
    --------
    >>> import odekit
    >>> with odekit.plot.style():
    ...     axes = odekit.plot.new_axes(1, 2, size=(7, 3))
    >>> len(axes)
    2
    """
    with _matplotlib().rc_context(STYLE):
        yield


def new_axes(rows=1, columns=1, size=(6.0, 4.0), **options):
    """Axes of a figure that is not shown, for pictures that go to a file.

    Parameters
    ----------
    rows, columns : int
    size : (float, float)
        Inches.
    **options
        For ``Figure.subplots``.

    Returns
    -------
    matplotlib.axes.Axes or ndarray of Axes
        The figure is their attribute ``figure``.

    Raises
    ------
    ImportError
        If matplotlib is not there.

    Examples
    --------
    >>> import odekit
    >>> left, right = odekit.plot.new_axes(1, 2, size=(8.0, 3.0))
    >>> left.figure is right.figure
    True
    """
    _matplotlib()
    from matplotlib.figure import Figure

    return Figure(figsize=size, layout="constrained").subplots(rows, columns, **options)


def save(ax, path, dpi=150):
    """Write the figure of `ax` to a file.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    path : path-like
        Its ending tells the format: .png, .pdf, .svg.
    dpi : int
        Dots per inch, of pictures that are made of dots.

    Raises
    ------
    TypeError
        If `ax` has no figure.
    ValueError
        For a format that matplotlib does not know.

    Examples
    --------
    >>> import os, tempfile
    >>> import odekit
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     odekit.plot.save(odekit.plot.new_axes(), os.path.join(folder, "empty.png"))
    """
    if not hasattr(ax, "figure"):
        raise TypeError(f"ax must be matplotlib.axes.Axes, but it is a {type(ax).__name__}")
    ax.figure.savefig(path, dpi=dpi)


def _matplotlib():
    try:
        import matplotlib
    except ImportError as error:
        raise ImportError('odekit.plot needs matplotlib: pip install "odekit[plot]"') from error
    return matplotlib


def axes(ax):
    """The axes given, or those of a new figure of pyplot."""
    if ax is not None:
        if not hasattr(ax, "pcolormesh"):
            raise TypeError(f"ax must be one matplotlib.axes.Axes, but it is a {type(ax).__name__}")
        return ax
    _matplotlib()
    from matplotlib import pyplot

    return pyplot.subplots(layout="constrained")[1]
