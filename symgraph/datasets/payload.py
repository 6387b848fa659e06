"""Reading files that may be gzip-compressed, damaged or hostile, within a bound on memory.

A reader states how many bytes it wants before they are allocated: a gzip stream of a few kilobytes can hold
gigabytes, and a header of sixteen bytes can promise them.
"""

import gzip
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from symgraph.datasets.errors import DatasetError

__all__ = ["MAX_BYTES", "Readable", "open_payload", "read_up_to", "require_end"]

MAX_BYTES = 512 * 2**20
"""The most bytes that one array may take: MNIST's training images, the largest here, take 47 million."""

_CHUNK = 2**20
_GZIP_MAGIC = b"\x1f\x8b"


class Readable(Protocol):
    """What the readers need of a file."""

    def read(self, size: int = -1, /) -> bytes: ...


@contextmanager
def open_payload(path: Path) -> Iterator[BinaryIO]:
    """Open the contents of a regular file, uncompressed where its first bytes say gzip, whatever it is called.

    Raises
    ------
    DatasetError
        If the file cannot be read, or the gzip stream turns out, here or in the body, to be cut short or altered.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe would wait for ever, a device may never end
            raise DatasetError(f"{path} is not an ordinary file")
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if packed:
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    yield cast(BinaryIO, unpacked)
            else:
                yield raw
    except EOFError as error:
        raise DatasetError(f"{path} is truncated: its gzip stream stops before its end; fetch it again") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DatasetError(f"{path} is damaged: {error}; fetch it again") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error


def read_up_to(stream: Readable, count: int) -> bytearray:
    """Read `count` bytes, or fewer where the stream ends; memory grows with what arrives, not with what is asked."""
    data = bytearray()
    while len(data) < count and (chunk := stream.read(min(_CHUNK, count - len(data)))):
        data += chunk
    return data


def require_end(stream: Readable, path: Path, expected: str) -> None:
    """Raise if anything follows; reading up to the end also makes gzip compare its checksum."""
    if stream.read(1):
        raise DatasetError(f"{path} is too long: bytes follow the {expected}")
