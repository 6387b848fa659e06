"""Pickles that try to do harm, and others that are no data either.

What `attacks` returns would, unpickled by the standard library, call `fire` or make the file `marker`. What `OTHERS`
holds is broken, too large, or names things that have no place in a data set.
"""

import collections
import os
import pickle
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.datasets.files import python2_dtype, python2_pickle, small_arrays

fired: list[str] = []

MODULE = __name__
EXTENSION_CODE = 0xF7
GENUINE = python2_pickle(small_arrays())


def fire(*arguments: object) -> str:
    """Stands for any function that an attacker would like to have called."""
    fired.append(repr(arguments))
    return "fired"


class Victim:
    """A class whose making or setting up is the harm."""

    def __new__(cls, *arguments: object) -> "Victim":
        fire(*arguments)
        return super().__new__(cls)

    def __setstate__(self, state: object) -> None:
        fire(state)


class VictimArray(np.ndarray[Any, Any]):
    """An array class that acts when it is made."""

    def __array_finalize__(self, source: NDArray[Any] | None, /) -> None:
        fire(source)


class Reduces:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self.recipe = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.recipe


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def name(dotted: str) -> bytes:
    module, _, attribute = dotted.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def stack_name(module: str, attribute: str) -> bytes:
    return text(module) + text(attribute) + b"\x93"


def call(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


FIRE, VICTIM = name(f"{MODULE}.fire"), name(f"{MODULE}.Victim")
RECONSTRUCT, NDARRAY = name("numpy.core.multiarray._reconstruct"), name("numpy.ndarray")
THIS_MODULE = call(name("importlib.import_module"), text(MODULE))
EMPTY_ARRAY = RECONSTRUCT + NDARRAY + b"K\x00\x85U\x01b\x87R"
BYTES = python2_dtype(np.dtype(np.uint8))


def attacks(marker: str) -> dict[str, bytes]:
    """Pickles that execute something under `pickle.load`: each calls `fire`, or makes the file `marker`."""
    code = text(f"open({marker!r}, 'w').close()")
    objects: NDArray[Any] = np.empty(1, object)
    objects[0] = Reduces(fire, "in an array")
    rebuilt = name("copyreg._reconstructor"), name("copy_reg._reconstructor"), name("builtins.object")
    bodies = {
        "builtins.exec": call(name("builtins.exec"), code),
        "builtins.eval": call(name("builtins.eval"), code),
        "Python 2's __builtin__.eval": b"\x80\x02" + call(name("__builtin__.eval"), code),
        "os.system": call(name("os.system"), text(f"echo > {marker}")),
        "the true name of os.system": call(name(f"{os.name}.system"), text(f"echo > {marker}")),
        "subprocess.call": call(name("subprocess.call"), b"(" + text("touch") + text(marker) + b"l"),
        "a method of pathlib": b"\x80\x04"
        + call(stack_name("pathlib", "Path.touch"), call(name("pathlib.Path"), text(marker))),
        "a function": call(FIRE),
        "a function by STACK_GLOBAL": b"\x80\x04" + call(stack_name(MODULE, "fire")),
        "a dotted name": b"\x80\x04" + call(stack_name(MODULE, "Victim.__new__"), stack_name(MODULE, "Victim")),
        "INST": f"(i{MODULE}\nfire\n".encode(),
        "OBJ": b"(" + FIRE + text("x") + b"o",
        "NEWOBJ": VICTIM + b")\x81",
        "NEWOBJ_EX": b"\x80\x04" + VICTIM + b")}\x92",
        "BUILD": call(rebuilt[0], VICTIM, rebuilt[2], b"N") + text("state") + b"b",
        "Python 2's copy_reg": b"\x80\x02" + call(rebuilt[1], VICTIM, rebuilt[2], b"N") + text("state") + b"b",
        "copyreg.__newobj__": call(name("copyreg.__newobj__"), VICTIM),
        "an extension code": b"\x80\x02" + call(b"\x82" + bytes([EXTENSION_CODE])),
        "functools.partial": call(call(name("functools.partial"), FIRE, text("x"))),
        "operator.methodcaller": call(call(name("operator.methodcaller"), text("fire")), THIS_MODULE),
        "getattr": call(call(name("builtins.getattr"), THIS_MODULE, text("fire"))),
        "map": call(name("builtins.list"), call(name("builtins.map"), FIRE, b"(" + text("x") + b"l")),
        "numpy.fromfunction": call(name("numpy.fromfunction"), FIRE, b"(K\x01t"),
        "numpy.apply_along_axis": call(name("numpy.apply_along_axis"), FIRE, b"K\x00", b"(K\x01l"),
        "numpy.savetxt": call(name("numpy.savetxt"), text(marker), b"(K\x01l"),
        "numpy.memmap": call(name("numpy.memmap"), text(marker), text("u1"), text("w+"), b"K\x00", b"(K\x01t"),
        "ndarray.tofile": b"\x80\x04"
        + call(stack_name("numpy", "ndarray.tofile"), call(name("numpy.zeros"), b"K\x01"), text(marker)),
        "a class in place of ndarray": call(RECONSTRUCT, name(f"{MODULE}.VictimArray"), b"(K\x00t", b"U\x01b"),
        "a call for a shape": RECONSTRUCT + NDARRAY + call(FIRE) + b"\x85U\x01b\x87R",
        "an array of objects": pickle.dumps(objects, 2)[:-1],
        "a dict": pickle.dumps(collections.OrderedDict(a=Reduces(fire, "in a dict")), 2)[:-1],
        "in the memo": FIRE + b"r\xff\xff\x00\x000j\xff\xff\x00\x00)R",
        "before the data": GENUINE[:2] + call(FIRE) + b"0" + GENUINE[2:-1],
        "after the data": GENUINE[:-1] + call(FIRE) + b"0",
    }
    return {title: body + b"." for title, body in bodies.items()}


def array_with(shape: bytes, dtype: bytes, data: bytes) -> bytes:
    return EMPTY_ARRAY + b"(K\x01" + shape + dtype + b"\x89" + data + b"tb"


def dtype_with(state: bytes) -> bytes:
    return b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03" + state + b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"


def dtype_of(kind: str) -> bytes:
    return call(DTYPE, text(kind), b"K\x00", b"K\x01")


DTYPE, ENCODE, FROMBUFFER = name("numpy.dtype"), name("_codecs.encode"), name("numpy.core.numeric._frombuffer")
NEGATIVE = b"J\xff\xff\xff\xffJ\xff\xff\xff\xff\x86"

CONTRADICTIONS: dict[str, tuple[bytes, str]] = {  # an array (or what stands in its place), and why it is refused
    "numpy.ndarray called": (call(NDARRAY, b"(K\x08t", text("O"), b"C\x0812345678"), "not a function"),
    "numpy.dtype of objects": (array_with(b"K\x01\x85", dtype_of("O8"), b"C\x0812345678"), "dtype 'O8'"),
    "numpy.dtype of strings": (array_with(b"K\x02\x85", dtype_of("S4"), b"C\x0812345678"), "dtype 'S4'"),
    "numpy.dtype of dates": (array_with(b"K\x01\x85", dtype_of("M8[s]"), b"C\x0812345678"), "dtype 'M8"),
    "numpy.dtype of fields": (call(DTYPE, b"(" + text("f4") + b"l", b"K\x00", b"K\x01"), "not a kind of number"),
    "numpy.dtype of an array": (call(DTYPE, EMPTY_ARRAY, b"K\x00", b"K\x01"), "not a kind of number"),
    "numpy.load": (call(name("numpy.load"), text("x.npy")), "it names 'numpy.load'"),
    "numpy.core.multiarray.scalar": (call(name("numpy.core.multiarray.scalar"), BYTES, b"C\x01\x05"), "it names"),
    "_reconstruct of a matrix": (
        call(RECONSTRUCT, name("numpy.matrix"), b"(K\x00t", b"U\x01b"),
        "names 'numpy.matrix'",
    ),
    "_reconstruct of terabytes": (
        call(RECONSTRUCT, NDARRAY, b"(\x8a\x06\0\0\0\0\0\x10t", b"U\x01b"),
        "start out empty",
    ),
    "_reconstruct of itself": (call(RECONSTRUCT, RECONSTRUCT, b"(K\x00t", b"U\x01b"), "start out empty"),
    "_frombuffer of a number": (call(FROMBUFFER, b"K\x01", BYTES, b"(K\x01t", text("C")), "other than bytes"),
    "_frombuffer of a negative shape": (
        call(FROMBUFFER, b"C\x01x", BYTES, NEGATIVE, text("C")),
        "one to three lengths",
    ),
    "_codecs.encode by another codec": (call(ENCODE, text("x"), text("idna")), "other than Latin-1"),
    "_codecs.encode beyond Latin-1": (call(ENCODE, text("\u20ac"), text("latin1")), "UnicodeEncodeError"),
    "_codecs.decode": (call(name("_codecs.decode"), text("x"), text("unicode_escape")), "it names '_codecs.decode'"),
    "a call of a string": (call(text("fire")), "not a function"),
    "a call of an array": (call(EMPTY_ARRAY), "not a function"),
    "a call without a tuple": (DTYPE + b"NR", "not a function"),
    "no state": (EMPTY_ARRAY, "an array without data"),
    "a list for data": (array_with(b"K\x01\x85", BYTES, b"(K\x05l"), "contents other than bytes"),
    "text for data": (array_with(b"K\x01\x85", BYTES, text("x")), "contents other than bytes"),
    "a dtype by name": (array_with(b"K\x01\x85", text("u1"), b"C\x01x"), "contents other than bytes"),
    "two states": (
        array_with(b"K\x01\x85", BYTES, b"C\x01x") + b"(K\x01K\x01\x85" + BYTES + b"\x89C\x01xtb",
        "contents",
    ),
    "a shape larger than the data": (
        array_with(b"K\x02\x85", BYTES, b"C\x01x"),
        r"1 bytes for an array of shape \(2,\)",
    ),
    "a shape of terabytes": (
        array_with(b"\x8a\x06\0\0\0\0\0\x10\x85", BYTES, b"C\x01x"),
        "1 bytes for an array of shape",
    ),
    "a negative shape": (array_with(NEGATIVE, BYTES, b"C\x01x"), "one to three lengths"),
    "a shape of truth values": (array_with(b"\x88\x85", BYTES, b"C\x01x"), "one to three lengths"),
    "no dimension": (array_with(b")", BYTES, b"C\x01x"), "one to three lengths"),
    "forty dimensions": (array_with(b"(" + b"K\x01" * 40 + b"t", BYTES, b"C\x01x"), "one to three lengths"),
    "a dtype with a state of fields": (dtype_with(b"U\x01|N(U\x01at}"), "instruction EMPTY_DICT has no place"),
    "a dtype with parts": (dtype_with(b"U\x01|(NtNN"), "fields or parts"),
    "a dtype with a strange byte order": (dtype_with(b"U\x01ONNN"), "fields or parts"),
    "a state for a tuple": (b"))b", "something that is not an array"),
    "items for a tuple": (b")(K\x00e", "something that is not a list"),
    "a name for an array": (NDARRAY, "expected a pair of arrays"),
}


def in_place(array: bytes) -> bytes:
    """A pickle of the right layout, with this for each of its six arrays."""
    return (array * 2 + b"\x86") * 3 + b"\x87."


OTHERS: dict[str, bytes] = {
    # not the data
    "nothing": b"",
    "only STOP": b".",
    "None": b"N.",
    "a number": b"K\x05.",
    "two pairs": pickle.dumps((([], []), ([], []))),
    "pairs of lists": pickle.dumps((([], []), ([], []), ([], []))),
    "pairs of strings": pickle.dumps((("ab", "cd"),) * 3),
    "a dict of bytes": pickle.dumps({"train_img": b""}),
    "a set": pickle.dumps({1, 2}),
    "a float": pickle.dumps(1.5),
    "data, then more": GENUINE + b"N.",
    "data, then an attack": GENUINE + call(FIRE) + b".",
    "data, cut before the end": GENUINE[:-1],
    "data, cut in an array": GENUINE[: len(GENUINE) // 2],
    # instructions that have no place here
    "a persistent identity": b"Pname\n.",
    "a binary persistent identity": text("name") + b"Q.",
    "an unknown extension code": b"\x80\x02\x82\xf8.",
    "an out-of-band buffer": b"\x80\x05\x97.",
    "no such instruction": b"\xff.",
    # sizes and nesting
    "a string of negative length": b"T\xff\xff\xff\xff." + bytes(2**25),
    "bytes of four exabytes": b"\x8e" + struct.pack("<Q", 2**62) + b"x.",
    "text of half a gigabyte": b"X" + struct.pack("<I", 2**29) + b"x.",
    "an integer of two gigabytes": b"\x8b" + struct.pack("<i", 2**31 - 1) + b"x.",
    "an integer of a million digits": b"I" + b"9" * 10**6 + b"\n.",
    "a line without end": b"c" + b"a" * 10**6,
    "lists that double forty times": b"]q\x00" + b"".join(b"]q%c(h%ch%ce" % (i + 1, i, i) for i in range(40)) + b".",
    "a list in itself": b"]q\x00h\x00a.",
    "a million marks": b"(" * 10**6,
    "the last memo index, often": b"K\x00" + b"r\xff\xff\xff\xff" * 100 + b".",
    "a memo index of five thousand digits": b"K\x00p-" + b"9" * 5000 + b"\n.",
    # damage
    "a memo entry that is not there": b"j\xff\xff\xff\xff.",
    "a memo entry of nothing": b"q\x00.",
    "an empty stack": b"0.",
    "an empty stack above a mark": b"K\x00(0.",
    "a tuple without a mark": b"K\x00t.",
    "items for nothing": b"(e.",
    "a string without quotes": b"Sabc\n.",
    "a string with a broken escape": b"S'\\x'\n.",
    "a string with an unknown escape": b"S'\\q'\n.",
    "text that is no UTF-8": b"X\x01\0\0\0\xff.",
    "a name with a carriage return": b"cnumpy\r\nndarray\r\n.",
    "a name that is not ASCII": b"cnumpy\n\xff\n.",
    "a name that is no text": b"\x80\x04K\x01K\x02\x93.",
    "a name with a line break": b"\x80\x04" + stack_name("numpy ndarray\n", "") + b".",
}
