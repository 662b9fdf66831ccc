"""The libraries that code finds loaded. Imported inside functions: only the zygote pays for them, and only
when it will run code.
"""

import importlib
import io
import random
import sys
from pathlib import Path
from typing import Any


def _names(text: str) -> list[str]:
    return text.split()


_STANDARD = _names("""
array asyncio base64 bisect calendar cmath collections.abc concurrent.futures contextlib copy csv ctypes
dataclasses datetime decimal difflib enum fractions functools glob gzip hashlib heapq html.parser inspect io
itertools json locale math numbers operator pathlib pickle platform pprint queue random re secrets shutil
socket sqlite3 statistics string struct tempfile textwrap threading timeit traceback
types typing unicodedata urllib.parse uuid warnings weakref xml.etree.ElementTree zipfile zoneinfo
""")


def warm_up() -> None:
    """Import what code likely uses and do once what each library does on first use."""
    for name in _STANDARD:
        importlib.import_module(name)
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    numpy: Any = importlib.import_module("numpy")
    pandas: Any = importlib.import_module("pandas")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    importlib.import_module("mpl_toolkits.mplot3d")
    frame = pandas.read_csv(io.StringIO("group,value\na,1\nb,2\n"))
    repr(frame)
    frame.groupby("group").agg(["mean", "sum"])
    frame.to_csv(io.StringIO())
    numpy.linalg.solve(numpy.eye(2), numpy.ones(2))
    numpy.random.default_rng(1).normal(size=2)
    figure, axes = pyplot.subplots()
    axes.plot([1, 2], label="line")
    axes.set_title("title")
    axes.legend()
    figure.savefig(io.BytesIO(), format="png")
    pyplot.close("all")
    pyplot.show = _show


def fresh_randomness() -> None:
    """Forked from one process, two runs would draw the same numbers."""
    random.seed()
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()


def save_open_plots(limit: int) -> None:
    """Write each figure of matplotlib that is open as plot-1.png, plot-2.png ... and close it."""
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is None:
        return
    for number in pyplot.get_fignums():
        name = next((each for n in range(1, limit + 1) if not (each := Path(f"plot-{n}.png")).exists()), None)
        if name is None:
            sys.stderr.write(f"more than {limit} plots; the rest is left out\n")
            break
        pyplot.figure(number).savefig(name, format="png", bbox_inches="tight")
    pyplot.close("all")


def _show(*_arguments: object, **_options: object) -> None:
    """plt.show(): nobody looks at a window here, so what is open becomes a file."""
    save_open_plots(16)
