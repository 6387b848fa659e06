"""``python -m symgraph doctor``: what is installed, what is missing, what to install, and what works."""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import version

from symgraph._version import __version__
from symgraph.backend import Finding, examine
from symgraph.config import FLAGS, config

_LIBRARIES = ("numpy", "scipy", "networkx")


def _findings() -> Iterator[tuple[str, Iterator[Finding]]]:
    yield "symgraph", _core()
    yield "GPU (device=cuda)", examine("cuda")
    yield "flags that were set", _flags()


def _core() -> Iterator[Finding]:
    yield Finding("symgraph", "here", __version__)
    yield Finding("Python", "here", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    for name in _LIBRARIES:
        yield Finding(name, "here", version(name))


def _flags() -> Iterator[Finding]:
    for name, flag in FLAGS.items():
        value = getattr(config, name)
        if value != flag.default and not (name == "floatX" and value == "float64"):
            yield Finding(name, "here", repr(value))


def doctor() -> int:
    """Print what was found.

    Returns
    -------
    int
        1 when something that is there does not work, else 0: what is missing may not be needed.
    """
    broken, said = False, set[str]()
    for title, findings in _findings():
        for i, found in enumerate(findings):
            if i == 0:
                print(f"{title}:")
            broken |= found.state == "fails"
            print(f"  {found.state:8}{found.name}: {found.detail}")
            if found.advice and found.advice not in said:
                print(f"{'':10}{found.advice}")
                said.add(found.advice)
    return int(broken)


def main(arguments: list[str] | None = None) -> int:
    """Run a command of the package."""
    parser = argparse.ArgumentParser(prog="python -m symgraph", description=__doc__)
    parser.add_argument("command", choices=["doctor"])
    parser.parse_args(arguments)
    return doctor()


if __name__ == "__main__":
    sys.exit(main())
