"""The paths that programs written for Theano import from."""

from __future__ import annotations

import importlib
import pickle
import subprocess
import sys

import pytest

import symgraph as theano
import symgraph.tensor as T
from symgraph.theano_paths import ABSENT, PATHS

#: Import statements of programs, with the package's name.
STATEMENTS = """
from symgraph import gof
from symgraph.gof import Apply, Constant, MissingInputError, Op, Type, Variable
from symgraph.gof.fg import FunctionGraph, MissingInputError
from symgraph.gof.graph import Constant, Variable, ancestors, inputs, io_toposort, is_same_graph
from symgraph.gof.null_type import NullType
from symgraph.gof.type import Type
from symgraph.gradient import DisconnectedType, disconnected_grad, grad_not_implemented, hessian, jacobian, verify_grad
from symgraph.compile import SharedVariable, UnusedInputError, get_default_mode
from symgraph.compile.debugmode import InvalidValueError
from symgraph.compile.function_module import UnusedInputError
from symgraph.compile.mode import FAST_RUN, Mode, get_mode
from symgraph.compile.nanguardmode import NanGuardMode
from symgraph.compile.ops import as_op
from symgraph.compile.profiling import ProfileStats
from symgraph.compile.sharedvalue import SharedVariable, shared
from symgraph.configparser import change_flags
from symgraph.misc.safe_asarray import _asarray
from symgraph.sandbox.linalg.ops import alloc_diag, det, matrix_inverse
from symgraph.sandbox.neighbours import images2neibs
from symgraph.sandbox.rng_mrg import MRG_RandomStreams
from symgraph.scalar.basic import upcast
from symgraph.scan_module.scan_utils import clone, equal_computations, until
from symgraph.tensor.nnet.nnet import categorical_crossentropy, softmax
from symgraph.tensor.sharedvar import TensorSharedVariable
from symgraph.tensor.var import TensorConstant, TensorVariable
from symgraph.tests import unittest_tools
from symgraph.tests.unittest_tools import assert_allclose, verify_grad
from symgraph.updates import OrderedUpdates
import symgraph.sandbox.cuda
import symgraph.sparse
from symgraph import theano
from symgraph.compile import view_op
from symgraph.scalar.basic_scipy import GammaLn, Psi
from symgraph.sandbox.cuda import dnn
from symgraph.sandbox.cuda.basic_ops import gpu_contiguous
""".strip().splitlines()


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_fresh_program_imports_it(statement: str) -> None:
    exec(statement, {})


def test_paths_are_there_after_the_first_import_alone() -> None:
    program = ("import symgraph as theano\n"
               "theano.gof.graph.inputs, theano.gof.Apply, theano.gradient.jacobian, theano.configparser.change_flags\n"
               "theano.compile.sharedvalue.SharedVariable, theano.tests.unittest_tools.verify_grad\n"
               "assert not theano.sandbox.cuda.cuda_available and not theano.sparse.enable_sparse\n")
    subprocess.run([sys.executable, "-c", program], check=True)


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-W", "error", "-c", program], check=False, capture_output=True, text=True)


def test_a_program_for_theano_as_it_is() -> None:
    done = run("import symgraph; symgraph.pose_as_theano()\n"
               "import theano, theano.tensor as T, theano.sandbox.cuda.dnn\n"
               "from theano import gof, tensor\n"
               "from theano.tensor.shared_randomstreams import RandomStreams\n"
               "from theano.tensor.nnet.conv import conv2d\n"
               "assert theano is symgraph and tensor is T is symgraph.tensor and T.__spec__.name == 'symgraph.tensor'\n"
               "assert gof.Apply is theano.Apply and not theano.sandbox.cuda.dnn.dnn_available()\n"
               "x = T.dscalar('x')\n"
               "print(theano.function([x], theano.grad(x ** 2, x))(3.0))\n")
    assert (done.stdout, done.stderr) == ("6.0\n", "")


def test_whether_a_variable_was_given_is_asked_by_its_truth() -> None:
    program = ("import symgraph; symgraph.pose_as_theano()\n"
               "import theano, theano.tensor as T\n"
               "x = T.dmatrix('x')\n"
               "assert x and x + 1 and T.dscalar('rate') and theano.shared(0.0) and not (not x[0])\n"
               "for wrong in (x.sum() > 0, x > 0, x.sum()):\n"
               "    try:\n"
               "        bool(wrong)\n"
               "    except TypeError:\n"
               "        continue\n"
               "    raise SystemExit('no error')\n")
    assert run(program).returncode == 0


def test_what_theano_did_not_have_is_not_found_either() -> None:
    assert "ModuleNotFoundError: No module named 'theano.nothing'" in run(
        "import symgraph; symgraph.pose_as_theano(); import theano.nothing").stderr
    assert "RuntimeError: another package named theano" in run(
        "import symgraph, sys, types; sys.modules['theano'] = types.ModuleType('theano'); symgraph.pose_as_theano()"
    ).stderr


@pytest.mark.parametrize("path", PATHS)
def test_every_row_of_the_table_leads_somewhere(path: str) -> None:
    places, names = PATHS[path]
    for place in places.split():
        importlib.import_module(f"symgraph.{place}")
    module = importlib.import_module(f"symgraph.{path}")
    assert all(getattr(module, name) is not None for name in names)


def test_the_paths_name_the_package_s_own_objects() -> None:
    assert theano.gof.Variable is theano.Variable
    assert theano.gof.graph.inputs([T.dscalar("x") + 1])[0].name == "x"
    assert theano.compile.sharedvalue.SharedVariable is theano.SharedVariable
    assert float(T.var(T.constant([1.0, 3.0])).eval()) == 1.0


@pytest.mark.parametrize("path", ABSENT)
def test_what_there_is_nothing_of_says_so_when_it_is_used(path: str) -> None:
    module = importlib.import_module(f"symgraph.{path}")
    with pytest.raises(NotImplementedError, match=r"symgraph has no .*: ") as caught:
        module.csr_matrix  # noqa: B018
    assert isinstance(caught.value, AttributeError)
    assert not hasattr(module, "csr_matrix")
    with pytest.raises(ImportError, match="symgraph has no"):
        exec(f"from symgraph.{path} import csr_matrix", {})


def test_who_looks_through_all_modules_meets_no_error() -> None:
    """`pickle` does, for what does not tell its module; PyTorch's compiler relies on it."""

    def nameless() -> None: ...

    nameless.__module__ = None  # type: ignore[assignment]
    nameless.__qualname__ = "a_name_that_no_module_has"
    with pytest.raises(pickle.PicklingError, match="a_name_that_no_module_has"):
        pickle.dumps(nameless)


def test_nothing_is_of_a_type_there_is_not() -> None:
    x = T.dvector("x")
    assert not isinstance(x.type, theano.sparse.SparseType)  # type: ignore[attr-defined]
    assert not isinstance(x.type, theano.sandbox.cuda.CudaNdarrayType)  # type: ignore[attr-defined]
    with pytest.raises(NotImplementedError, match="symgraph has no SparseType"):
        theano.sparse.SparseType("csr", "float64")  # type: ignore[attr-defined]


def test_names_of_theano_s_insides_are_refused() -> None:
    with pytest.raises(AttributeError, match=r"symgraph\.gof has no 'local_optimizer'"):
        theano.gof.local_optimizer  # noqa: B018
    with pytest.raises(ImportError):
        exec("from symgraph.gof import local_optimizer", {})


def test_graphs_are_compared() -> None:
    x, y = T.dvectors("x", "y")
    same = theano.gof.graph.is_same_graph
    assert same(T.tanh(x) + 1, T.tanh(x) + 1)
    assert not same(T.tanh(x) + 1, T.tanh(x) + 2)
    assert not same(T.tanh(x) + 1, T.tanh(y) + 1)
    assert not same(x + y, y + x)
    assert same(x + 1, y + 1, givens={x: y})
    assert [str(node.op) for node in theano.gof.graph.io_toposort([T.tanh(x)], [T.tanh(x) + 1])] == ["tanh", "add"]
    inner = T.tanh(x)
    assert [str(node.op) for node in theano.gof.graph.io_toposort([inner], [inner + 1])] == ["add"]
