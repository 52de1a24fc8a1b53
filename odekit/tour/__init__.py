"""A tour in seven parts: what odekit does, shown on problems with known answers or real data.

``python -m odekit`` runs it. Each part is a script of its own that can be read as an example.
"""

import argparse
import importlib
import importlib.util
import pathlib
import time
import traceback

from .. import __version__

PARTS = ("robertson", "lynx_hare", "solar_system", "pendulum", "double_pendulum", "crossing", "moons")


def run(folder, parts=PARTS):
    """Run parts of the tour, one after the other; a part that fails does not stop the others.

    Parameters
    ----------
    folder : path-like
        Where files and pictures go; it is made if it does not exist.
    parts : sequence of str

    Returns
    -------
    list of str
        The parts that failed.
    """
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    print(f"odekit {__version__}, the tour. Files and pictures go to {folder}")
    pictures = importlib.util.find_spec("matplotlib") is not None
    if not pictures:
        print('matplotlib is not installed, so there are no pictures: pip install "odekit[plot]"')
    failed, begin = [], time.perf_counter()
    for number, name in enumerate(parts, 1):
        start = time.perf_counter()
        try:
            part = importlib.import_module(f"{__name__}.{name}")
            print(f"\n{number}. {part.TITLE}")
            files = part.run(folder, pictures=pictures)
            print(f"   {', '.join(files)}; {time.perf_counter() - start:.1f} s")
        except Exception:
            failed.append(name)
            traceback.print_exc()
            print(f"   this part failed after {time.perf_counter() - start:.1f} s")
    print(f"\nThe tour took {time.perf_counter() - begin:.1f} s" + (f"; failed: {', '.join(failed)}" if failed else ""))
    return failed


def main(argv=None):
    """Command line of ``python -m odekit``; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m odekit",
        description="A tour of odekit: seven problems are solved; files and pictures show the results.",
    )
    parser.add_argument(
        "--out", default="odekit-tour", metavar="FOLDER", help="where files and pictures go (default: %(default)s)"
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"which parts (default: all): {', '.join(PARTS)}")
    options = parser.parse_args(argv)
    unknown = [name for name in options.parts if name not in PARTS]
    if unknown:
        parser.error(f"unknown part {unknown[0]!r}; the parts are {', '.join(PARTS)}")
    return 1 if run(options.out, options.parts or PARTS) else 0
