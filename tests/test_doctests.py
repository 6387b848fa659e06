"""Every example in a docstring runs."""

import doctest
import importlib
import pkgutil
import warnings

import pytest

import backends
import symgraph


def _modules():
    names = ["symgraph"]
    for package in (symgraph, backends):
        names += [info.name for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
                  if not info.name.endswith("__main__")]
    return sorted(names)


@pytest.mark.parametrize("name", _modules())
def test_examples_of(name):
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        if (error.name or "").partition(".")[0] in ("symgraph", "backends"):
            raise
        pytest.skip(f"{name} needs {error.name}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert results.failed == 0
