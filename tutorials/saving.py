"""Keeping what was learned: weights in ``.npz`` files, and pictures of them.

A file appears under its name only when it is complete: it is written beside it first and then renamed, so that a
crash, a full disk or Ctrl-C leaves the previous one as it was.
"""

from __future__ import annotations

import math
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO

import numpy as np

__all__ = ["ModelError", "draw_weights", "load_model", "prepare_directory", "save_model"]


class ModelError(ValueError):
    """A file does not hold the model that was asked for."""


def save_model(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write `arrays` to the ``.npz`` file `path`, replacing it at once or not at all.

    Raises
    ------
    OSError
        If the file cannot be written; an older file of that name is kept.

    Examples
    --------
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(Path(folder) / "model.npz", {"b": np.zeros(2)})
    ...     load_model(Path(folder) / "model.npz", ["b"])
    {'b': array([0., 0.])}
    """
    _replace(path, lambda file: np.savez(file, **arrays))  # type: ignore[arg-type]


def load_model(path: Path, names: Iterable[str]) -> dict[str, np.ndarray]:
    """Read the arrays called `names` from a file that `save_model` wrote.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or holds another model. Nothing in it is executed.
    """
    wanted = list(names)
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ModelError(f"{path} holds a single array; a saved model is an .npz file")
            missing = [name for name in wanted if name not in archive.files]
            if missing:
                raise ModelError(
                    f"{path} holds another model: it has {', '.join(archive.files) or 'nothing'} "
                    f"and lacks {', '.join(missing)}"
                )
            return {name: archive[name] for name in wanted}
    except FileNotFoundError:
        raise ModelError(f"there is no saved model at {path}; train first, or name its file with --weights") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{path} cannot be read as a saved model: {error}") from None


def draw_weights(path: Path, weights: np.ndarray, titles: Iterable[str] = ()) -> None:
    """Draw each column of `weights` as a square image, red where positive and blue where negative, into a PNG file.

    Parameters
    ----------
    path : Path
        The picture's file; replaced at once or not at all.
    weights : array (pixels, images)
        One image a column; `pixels` must be a square number.
    titles : iterable of str
        What to write above the images.

    Raises
    ------
    ValueError
        If the number of rows is not a square number.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    pixels, images = weights.shape
    side = math.isqrt(pixels)
    if side * side != pixels:
        raise ValueError(f"weights of {pixels} pixels do not make a square image")
    rows = max(1, round(math.sqrt(images * 0.4)))
    columns = -(-images // rows)
    figure = Figure(figsize=(1.4 * columns, 1.6 * rows), layout="tight")
    FigureCanvasAgg(figure)
    strongest = float(np.abs(weights).max()) or 1.0
    names = dict(enumerate(titles))
    for place in range(images):
        axes = figure.add_subplot(rows, columns, place + 1)
        axes.imshow(weights[:, place].reshape(side, side), cmap="RdBu_r", vmin=-strongest, vmax=strongest)
        axes.set_title(names.get(place, ""), fontsize=10)
        axes.set_axis_off()
    _replace(path, lambda file: figure.savefig(file, format="png", dpi=100))


def prepare_directory(directory: Path) -> None:
    """Make `directory` if need be, and see that files can be written in it.

    Raises
    ------
    OSError
        If it cannot be made or written to.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=directory):
        pass


def _replace(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Call `write` with a temporary file in the folder of `path`; rename that to `path` when it is safely stored."""
    file = tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False)  # noqa: SIM115
    try:
        with file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(file.name, path)
    except BaseException:
        Path(file.name).unlink(missing_ok=True)
        raise
