"""Module paths that programs written for Theano import from, and where what they name lives here.

``from symgraph.gof import Apply`` or ``symgraph.gof.graph.inputs`` find the package's own objects; the modules of this
table hold nothing themselves and look a name up when it is asked for. What there is nothing of here (sparse matrices,
Theano's own GPU back ends) says so when it is used, and what is to be written instead.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from opcode import opmap
from operator import attrgetter
from types import FrameType, ModuleType
from typing import Any

__all__ = ["ABSENT", "PATHS", "install", "pose_as_theano"]

#: For each path below the package: the modules of it that a name is looked up in, and names that are elsewhere.
PATHS: dict[str, tuple[str, dict[str, str]]] = {
    "gof": ("graph.basic graph.op graph.type graph.fgraph graph.traversal errors", {}),
    "gof.graph": ("graph.basic graph.same graph.traversal", {
        "inputs": "symgraph.graph.traversal:graph_inputs", "variables": "symgraph.graph.traversal:walk_variables",
    }),
    "gof.op": ("graph.op graph.basic graph.testvalues", {}),
    "gof.type": ("graph.type", {}),
    "gof.null_type": ("graph.type", {}),
    "gof.fg": ("graph.fgraph errors", {}),
    "gof.utils": ("errors", {}),
    "updates": ("scan.updates", {}),
    "configdefaults": ("config", {}),
    "configparser": ("config", {"change_flags": "symgraph.config:config.change_flags"}),
    "compile.debugmode": ("compile.debug", {}),
    "compile.function_module": ("compile.function errors", {}),
    "compile.nanguardmode": ("compile.nanguard", {}),
    "compile.pfunc": ("compile.function compile.io", {"pfunc": "symgraph.compile.function:function"}),
    "compile.profiling": ("compile.profile", {"ProfileStats": "symgraph.compile.profile:Profile"}),
    "compile.sharedvalue": ("shared", {}),
    "sandbox.linalg": ("tensor.nlinalg tensor.slinalg", {}),
    "sandbox.linalg.ops": ("tensor.nlinalg tensor.slinalg", {}),
    "sandbox.neighbours": ("tensor.nnet.neighbours", {}),
    "sandbox.softsign": ("tensor.nnet", {}),
    "scalar.basic": ("scalar", {}),
    "scalar.basic_scipy": ("scalar_ops", {}),
    "tensor.nnet.nnet": ("tensor.nnet", {}),
    "tensor.sharedvar": ("shared", {}),
    "tensor.var": ("tensor.variable", {}),
    "tests": ("", {}),
    "tests.unittest_tools": ("testing", {"assert_allclose": "numpy.testing:assert_allclose"}),
    "misc": ("", {}),
    "misc.safe_asarray": ("", {"_asarray": "numpy:asarray"}),
    "compat": ("", {"OrderedDict": "collections:OrderedDict", "defaultdict": "collections:defaultdict"}),
    "compat.python2x": ("", {"OrderedDict": "collections:OrderedDict", "defaultdict": "collections:defaultdict"}),
}


class AbsentError(AttributeError, NotImplementedError):
    """What a program asks for is not in this package, on purpose.

    It is an AttributeError, since who looks through all modules for something expects no other: `pickle` does.
    """


def _imports(frame: FrameType) -> bool:
    """Whether what is being done there is ``from module import name``."""
    return frame.f_code.co_code[frame.f_lasti] == opmap["IMPORT_FROM"]


_DEVICE = ("where values live is decided by SYMGRAPH_FLAGS=device=cuda, or by shared(..., target=...) and "
           "x.transfer(...), see the README's section 'On a GPU'")
_SPARSE = ("use dense arrays (m.toarray()), or the positions and values of the entries: "
           "T.inc_subtensor(T.zeros(shape)[rows, columns], values)")


def _kinds(*names: str) -> dict[str, type]:
    """Classes of which nothing here is an instance: programs ask with `isinstance` and go on."""
    def __new__(cls: type, *args: Any, **options: Any) -> Any:
        raise AbsentError(f"symgraph has no {cls.__name__}")

    return {name: type(name, (), {"__new__": __new__}) for name in names}


def _absent_gpu(path: str, **known: Any) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """The modules of one of Theano's back ends for GPUs, with what programs ask before they use more of it."""
    answers = {
        path: known,
        f"{path}.basic_ops": {"gpu_contiguous": lambda x: x},
        f"{path}.dnn": {"dnn_available": lambda *context: False, "dnn_present": lambda: False, "version": lambda: -1},
    }
    return {name: ("modules for a GPU", _DEVICE, found) for name, found in answers.items()}


#: For each path to what there is nothing of: what it would be, what to do instead, and the answers to usual questions.
ABSENT: dict[str, tuple[str, str, dict[str, Any]]] = {
    "sparse": ("sparse matrices", _SPARSE, {
        "enable_sparse": False, "_is_sparse_variable": lambda x: False,
        **_kinds("SparseType", "SparseVariable", "SparseConstant", "SparseTensorSharedVariable"),
    }),
    "sparse.basic": ("sparse matrices", _SPARSE, {"_is_sparse_variable": lambda x: False}),
    **_absent_gpu("sandbox.cuda", cuda_available=False, cuda_enabled=False,
                  **_kinds("CudaNdarray", "CudaNdarrayType", "CudaNdarrayVariable", "CudaNdarraySharedVariable")),
    **_absent_gpu("gpuarray", pygpu_activated=False, **_kinds("GpuArrayType", "GpuArraySharedVariable")),
    **_absent_gpu("sandbox.gpuarray", pygpu_activated=False, **_kinds("GpuArrayType", "GpuArraySharedVariable")),
}


class TheanoPath(ModuleType):
    """A module of Theano's: a name is looked up, when it is asked for, where it lives here."""

    def __init__(self, path: str, places: str, names: dict[str, str]) -> None:
        super().__init__(f"symgraph.{path}", f"Theano's path; see {places.replace(' ', ', ')} of symgraph.")
        self.__dict__.update(_places=places.split(), _names=names, __path__=[])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        elsewhere = self._names.get(name)
        for place in [elsewhere] if elsewhere else [f"symgraph.{place}:{name}" for place in self._places]:
            module, _, attributes = place.partition(":")
            try:
                value = attrgetter(attributes)(importlib.import_module(module))
            except AttributeError:
                continue
            setattr(self, name, value)
            return value
        raise AttributeError(f"{self.__name__} has no {name!r}: symgraph has Theano's paths for what programs build "
                             "models with, not for its compiler's insides")


class AbsentPath(ModuleType):
    """A module of Theano's of which there is nothing here: it can be imported, and asked whether it is there."""

    def __init__(self, path: str, what: str, advice: str, answers: dict[str, Any]) -> None:
        super().__init__(f"symgraph.{path}", f"symgraph has no {what}: {advice}.")
        self.__dict__.update(answers, __path__=[])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        message = f"{self.__name__}.{name}: {self.__doc__}"
        if _imports(sys._getframe(1)):
            raise ImportError(message)  # which programs that can do without expect; Python's own says less
        raise AbsentError(message)


def install() -> None:
    """Make the paths importable, and attributes of the modules they are in."""
    made: dict[str, ModuleType] = {path: TheanoPath(path, *entry) for path, entry in PATHS.items()}
    made.update((path, AbsentPath(path, *entry)) for path, entry in ABSENT.items())
    made["theano"] = sys.modules["symgraph"]  # from theano import theano
    for path, module in made.items():
        full = f"symgraph.{path}"
        if full in sys.modules:
            continue
        sys.modules[full] = module
        parent, _, name = full.rpartition(".")
        holder = sys.modules.get(parent)
        if holder is not None and name not in vars(holder):  # `tensor.var` is a function, too
            setattr(holder, name, module)


class _TheanoFinder(MetaPathFinder, Loader):
    """Finds ``theano`` and what is below it as this package and what is below it."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        top, _, rest = fullname.partition(".")
        if top != "theano":
            return None
        try:
            module = importlib.import_module(f"symgraph.{rest}" if rest else "symgraph")
        except ModuleNotFoundError as error:
            if error.name and error.name.startswith("symgraph"):
                return None
            raise
        spec = ModuleSpec(fullname, self, is_package=True)
        spec.loader_state = module, module.__spec__
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module: ModuleType = spec.loader_state[0]
        return module

    def exec_module(self, module: ModuleType) -> None:
        """The module is there; it keeps saying what it is, not under which name it was found."""
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state[1]


def pose_as_theano() -> None:
    """Let ``import theano``, and whatever is below it, import this package, for programs and libraries as they are.

    From then on also ``if x`` asks, as in Theano, whether there is a variable, and is true; of a condition and of a
    computed scalar it stays an error.

    Raises
    ------
    RuntimeError
        When another package of that name has been imported.

    Examples
    --------
    For the whole process, and so not done where this is tested:

    >>> import symgraph
    >>> symgraph.pose_as_theano()       # doctest: +SKIP
    >>> import theano.tensor as T       # doctest: +SKIP
    >>> T is symgraph.tensor            # doctest: +SKIP
    True
    """
    found = sys.modules.get("theano")
    if found is not None and found is not sys.modules["symgraph"]:
        raise RuntimeError(f"another package named theano has been imported, from {getattr(found, '__file__', None)}")
    if not any(isinstance(finder, _TheanoFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _TheanoFinder())
        importlib.import_module("symgraph.tensor.variable").let_given_be_true()
