"""Configuration: where flags come from, what they take, and how far they reach."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.config import FLAGS, INERT, Config, _from_environment, _from_file, config
from symgraph.errors import ConfigError


def test_every_flag_has_a_default_it_takes_and_a_meaning() -> None:
    for name, flag in FLAGS.items():
        assert flag.doc
        assert flag.parse(flag.default) == flag.default
        assert name in dir(config)
        assert name in repr(config)


@pytest.mark.parametrize(("name", "value", "stored"), [
    ("floatX", "float32", "float32"), ("fold_limit", "10", 10), ("profile", "True", True), ("profile", 0, False),
    ("profile", "off", False), ("allow_input_downcast", "None", None), ("allow_input_downcast", "yes", True),
    ("mode", "DebugMode", "DebugMode"),
])
def test_values_are_parsed(name: Any, value: Any, stored: Any) -> None:
    with config.change_flags(**{name: value}):
        assert getattr(config, name) == stored


@pytest.mark.parametrize(("name", "value", "text"), [
    ("floatX", "float23", r"floatX takes one of float16, float32, float64, not 'float23' \(did you mean 'float32'\?\)"),
    ("fold_limit", "-1", "fold_limit does not take '-1': it cannot be negative"),
    ("fold_limit", "many", "fold_limit does not take 'many'"),
    ("profile", "maybe", "a boolean is written True or False"),
    ("device", "gpu", "device takes one of cpu, cuda, auto, emulated, not 'gpu'"),
    ("flaotX", "float32", r"unknown configuration flag 'flaotX' \(did you mean 'floatX'\?\)"),
    ("openpm", True, r"unknown configuration flag 'openpm' \(did you mean 'openmp'\?\)"),
])
def test_bad_flags_are_refused_and_nothing_changes(name: Any, value: Any, text: Any) -> None:
    before = repr(config)
    with pytest.raises(ConfigError, match=text):
        setattr(config, name, value)
    enter = config.change_flags(warn_float64="warn", **{name: value}).__enter__
    with pytest.raises(ConfigError, match=text):
        enter()
    assert repr(config) == before


def test_unknown_flags_cannot_be_read_or_deleted() -> None:
    with pytest.raises(AttributeError, match="did you mean 'device'"):
        config.devise  # noqa: B018
    with pytest.raises(AttributeError):
        del config.floatX
    assert not hasattr(config, "compute_test_values")


def test_flags_of_theano_without_effect_are_kept_and_read_back() -> None:
    assert (config.allow_gc, config.openmp, config.warn.subtensor_merge_bug) == (True, False, None)
    with config.change_flags(**{"allow_gc": False, "nvcc.fastmath": True}):
        assert (config.allow_gc, config.nvcc.fastmath) == (False, True)
        config.nvcc.fastmath = False
        assert config.nvcc.fastmath is False
    assert (config.allow_gc, config.nvcc.fastmath) == (True, None)
    made = Config(("SYMGRAPH_FLAGS", {"blas.ldflags": "-lopenblas", "cxx": "g++"}))
    assert (made.blas.ldflags, made.cxx) == ("-lopenblas", "g++")
    assert not set(INERT) & set(FLAGS)
    assert all(name not in repr(config) for name in INERT)


def test_theano_s_flag_for_the_default_mode() -> None:
    x = T.dvector("x")
    for value, fired in [("fast_run", True), ("fast_compile", True), ("None", False), ("", True)]:
        with config.change_flags(optimizer=value):
            assert bool(sg.function([x], T.log(1 + T.exp(x))).fired) == fired
            assert sg.function([x], x, mode="FAST_RUN").recipe.mode.name == "FAST_RUN"


def test_changes_are_undone_whatever_happens() -> None:
    @config.change_flags(floatX="float32")
    def fail() -> None:
        assert config.floatX == "float32"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert config.floatX == "float64"


def test_changes_nest_and_decorate() -> None:
    with config.change_flags(floatX="float32", profile=True):
        with config.change_flags(floatX="float16"):
            assert (config.floatX, config.profile) == ("float16", True)
        assert config.floatX == "float32"

    @config.change_flags(floatX="float32")
    def dtype() -> Any:
        return T.vector().dtype

    assert (dtype(), dtype(), T.vector().dtype) == ("float32", "float32", "float64")


def test_an_assignment_inside_a_block() -> None:
    with config.change_flags(floatX="float32"):
        config.floatX = "float16"  # a flag the block has set: until its end
        config.fold_limit = 5      # another: for good
        assert (config.floatX, config.fold_limit) == ("float16", 5)
    try:
        assert (config.floatX, config.fold_limit) == ("float64", 5)
    finally:
        config.fold_limit = FLAGS["fold_limit"].default


def test_a_block_holds_for_its_own_thread_only() -> None:
    seen: dict[str, str] = {}
    with config.change_flags(floatX="float32"):
        t = threading.Thread(target=lambda: seen.update(dtype=config.floatX))
        t.start()
        t.join()
    assert seen == {"dtype": "float64"}


def test_an_assignment_holds_for_all_threads() -> None:
    seen: dict[str, str] = {}
    config.floatX = "float32"
    try:
        t = threading.Thread(target=lambda: seen.update(dtype=config.floatX))
        t.start()
        t.join()
    finally:
        config.floatX = ""
    assert seen == {"dtype": "float32"}
    assert config.floatX == "float64"


def test_floatx_follows_the_device_unless_set() -> None:
    assert Config(("", {"device": "cuda"})).floatX == "float32"
    assert Config(("", {"device": "cuda", "floatX": "float64"})).floatX == "float64"
    with config.change_flags(device="cuda"):
        assert config.floatX == "float32"


def test_later_sources_win_and_errors_name_the_source() -> None:
    made = Config(("file", {"floatX": "float16", "profile": "1"}), ("SYMGRAPH_FLAGS", {"floatX": "float32"}))
    assert (made.floatX, made.profile) == ("float32", True)
    with pytest.raises(ConfigError, match="SYMGRAPH_FLAGS: unknown configuration flag 'floatx'"):
        Config(("SYMGRAPH_FLAGS", {"floatx": "float32"}))


@pytest.mark.parametrize(("text", "flags"), [
    ("", {}), (" , ,", {}), ("device=cpu,floatX=float32", {"device": "cpu", "floatX": "float32"}),
    (" profile = True , ", {"profile": "True"}), ("mode=a=b", {"mode": "a=b"}),
])
def test_environment(text: Any, flags: Any) -> None:
    assert _from_environment(text) == flags


def test_bad_environment() -> None:
    with pytest.raises(ConfigError, match="holds 'floatX'; write name=value"):
        _from_environment("floatX")


@pytest.mark.parametrize(("text", "flags"), [
    ("[global]\nfloatX = float32\nprofile=%True\n", {"floatX": "float32", "profile": "%True"}),
    ("", {}), ("# only a comment\n", {}),
])
def test_file(tmp_path: Any, text: Any, flags: Any) -> None:
    path = tmp_path / ".symgraphrc"
    path.write_text(text, encoding="utf-8")
    assert _from_file(path) == flags


@pytest.mark.parametrize(("data", "text"), [
    (b"floatX = float32\n", r"\.symgraphrc cannot be read"),
    (b"[global]\nfloatX = float32\n[nvcc]\nfast = 1\n", r"unknown section \[nvcc\]"),
    (b"[global\n", r"\.symgraphrc cannot be read"),
    (b"\xff\xfe\x00\x01", r"\.symgraphrc cannot be read"),
])
def test_bad_files(tmp_path: Any, data: Any, text: Any) -> None:
    path = tmp_path / ".symgraphrc"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=text):
        _from_file(path)
    assert _from_file(tmp_path / "none") == {}
    assert _from_file(tmp_path) == {}


def run(code: Any, tmp_path: Any, **environment: Any) -> Any:
    known = {"HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120,
                          env={**known, **environment})


def test_a_process_reads_file_and_environment(tmp_path: Any) -> None:
    (tmp_path / ".symgraphrc").write_text("[global]\nfloatX = float32\nfold_limit = 7\n", encoding="utf-8")
    code = "import symgraph as sg, symgraph.tensor as T; print(T.vector().dtype, sg.config.fold_limit)"
    assert run(code, tmp_path).stdout.split() == ["float32", "7"]
    assert run(code, tmp_path, SYMGRAPH_FLAGS="floatX=float16").stdout.split() == ["float16", "7"]
    failed = run(code, tmp_path, SYMGRAPH_FLAGS="floatx=float16")
    assert failed.returncode != 0
    assert "SYMGRAPH_FLAGS: unknown configuration flag 'floatx' (did you mean 'floatX'?)" in failed.stderr
