"""``python -m symgraph.datasets``: which data are found, and where; with ``--download``, fetch MNIST first."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence

from symgraph.datasets import DatasetError, load_mnist


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what `load_mnist` finds; return 0, or 1 where it fails."""
    parser = argparse.ArgumentParser("python -m symgraph.datasets", description="Say which data are found, and where.")
    parser.add_argument("path", nargs="?", help="a folder or file to look at, instead of the usual places")
    parser.add_argument(
        "--download", action="store_true", help="fetch MNIST (12 MB) into the user's cache if not found"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    options = parser.parse_args(arguments)
    logging.getLogger("symgraph.datasets").addHandler(logging.NullHandler())  # the notice is printed below
    try:
        data = load_mnist(options.path, download=options.download, dtype="uint8", normalize=False)
    except DatasetError as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        sizes = {name: len(split.y) for name, split in zip(("train", "valid", "test"), data.splits, strict=True)}
        print(json.dumps({"dataset": data.name, "origin": data.origin, "image_shape": data.image_shape, **sizes}))
    else:
        print(data)
        if data.notice:
            print(data.notice)
    return 0


if __name__ == "__main__":
    sys.exit(main())
