"""Downloading MNIST: on request only, checked, with a progress bar, from the first of several mirrors that answers.

Mirrors die, so there are several; none is trusted, so the checksums decide. `pooch` writes to a temporary file
beside the target, compares its checksum and then renames it: an interrupted download leaves nothing that looks like
data.
"""

import time
from pathlib import Path
from typing import IO, Any

from symgraph.datasets.errors import DatasetError

__all__ = ["MIRRORS", "download_mnist"]

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)

FILES = {  # name: (bytes, SHA-256) as published
    "train-images-idx3-ubyte.gz": (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    "train-labels-idx1-ubyte.gz": (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    "t10k-images-idx3-ubyte.gz": (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    "t10k-labels-idx1-ubyte.gz": (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
}

_SILENCE = 10.0  # seconds to wait for a connection, and for each next piece
_PATIENCE = 600.0  # seconds for one file: a server that trickles is as good as dead
_CHUNK = 1024  # bytes; patience is consulted after each, so they are small


def download_mnist(folder: Path) -> None:
    """Put the four IDX files of MNIST into a folder; files that are there and whole are not fetched again.

    Raises
    ------
    DatasetError
        If pooch is not installed, the folder cannot be written, or no mirror delivers a file with the right checksum.
    """
    try:
        import pooch
        import requests  # noqa: F401  pooch needs these two only when it downloads
        import tqdm  # noqa: F401
    except ImportError as error:
        raise DatasetError("Downloading needs pooch and tqdm: pip install pooch tqdm") from error
    mirrors = list(MIRRORS)
    for name, (size, digest) in FILES.items():
        failures = []
        for mirror in list(mirrors):
            try:
                pooch.retrieve(mirror + name, f"sha256:{digest}", name, folder, downloader=_Downloader(name, size))
                break
            except (OSError, ValueError) as error:  # what requests and pooch raise derives from these
                failures.append(f"  {mirror}: {_short(error)}")
                mirrors.append(mirrors.pop(0))  # the next file is asked first where this one is found
        else:
            raise DatasetError(
                "\n".join(
                    [
                        f"MNIST could not be downloaded ({name}):",
                        *failures,
                        "Is this machine offline? Fetch the four files elsewhere and put them into",
                        f"{folder}, or set SYMGRAPH_DATA to their folder.",
                    ]
                )
            )


def _short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 160 else f"{type(error).__name__}: {text[:140]} ..."


class _Downloader:
    """pooch's HTTP downloader, with a time-out, a bar (on a terminal), and an end to how much and how long."""

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size = name, size

    def __call__(self, url: str, output_file: Any, pooch: Any) -> None:
        from pooch import HTTPDownloader
        from tqdm import tqdm

        with (
            open(output_file, "wb") as file,
            tqdm(total=self.size, desc=self.name, unit="B", unit_scale=True, disable=None) as bar,
        ):
            limited = _LimitedFile(file, self.size)
            fetch = HTTPDownloader(bar, _CHUNK, timeout=_SILENCE, headers={"Accept-Encoding": "identity"})
            fetch(url, limited, pooch)


class _LimitedFile:
    """A file that refuses more bytes, or later ones, than it is due."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size
        self._deadline = time.monotonic() + _PATIENCE

    def write(self, data: bytes) -> int:
        self._left -= len(data)
        if self._left < 0:
            raise DatasetError("sends more bytes than the file has")
        if time.monotonic() > self._deadline:
            raise DatasetError(f"not finished after {_PATIENCE:.0f} seconds")
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()
