"""Compiling: what compilers say, and what is done without one."""

from __future__ import annotations

import pytest

from backends.cupy.devices import compiler
from backends.cupy.devices.compiler import compile_cuda, cuda_compiler, emulated_library
from backends.cupy.devices.device import KernelError
from tests.cupy.gate import check_compiles

SCALE = """
extern "C" __global__ void scale(float *y, const float *x, float a, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i];
}
"""


@pytest.mark.parametrize("arch", ["75", "90"])
def test_machine_code_and_what_it_takes(arch: str) -> None:
    result = compile_cuda(SCALE, arch)
    assert result.image.startswith(b"\x7fELF")
    usage = result.usage()["scale"]
    assert 0 < usage.registers < 32
    assert (usage.spilled, usage.shared, usage.stack) == (0, 0, 0)


def test_errors_name_the_line_and_what_is_wrong() -> None:
    with pytest.raises(KernelError, match=r"does not compile[\s\S]*4[\s\S]*nothing_known") as caught:
        compile_cuda(SCALE.replace("a * x[i]", "nothing_known"), "90")
    assert len(str(caught.value).splitlines()) <= 12


def test_kernels_that_spill_do_not_pass_the_gate() -> None:
    names = [f"v{i}" for i in range(80)]
    body = "".join(f"  float {name} = x[threadIdx.x * 80 + {i}];\n" for i, name in enumerate(names))
    uses = "".join(f"  y[threadIdx.x * 80 + {i}] = {name} * {names[-i - 1]} + {names[i * 7 % 80]};\n"
                   for i, name in enumerate(names))
    source = (f'extern "C" __global__ void __launch_bounds__(1024, 2) k(float *y, const float *x) {{\n{body}'
              f"  __syncthreads();\n{uses}}}\n")
    with pytest.raises(AssertionError, match="spill"):
        check_compiles(source)


def test_texts_with_the_same_names_pass_the_gate_together() -> None:
    usage = check_compiles(SCALE, SCALE.replace("a * x", "a + x"))
    assert set(usage) == {"75", "90"}
    assert set(usage["90"]) == {"0.scale", "1.scale"}


def test_without_a_compiler_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "load_library", lambda name: None)
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    monkeypatch.delenv("CXX", raising=False)
    cuda_compiler.cache_clear()
    try:
        with pytest.raises(KernelError, match=r"pip install 'symgraph\[cuda13\]'"):
            compile_cuda(SCALE + "// never compiled", "90")
        with pytest.raises(KernelError, match=r"install g\+\+"):
            emulated_library(SCALE, ["scale"])
    finally:
        cuda_compiler.cache_clear()


def test_both_compilers_where_both_are() -> None:
    found = 0
    for kind in ("nvrtc", "nvcc"):
        try:
            cuda_compiler(kind)
        except KernelError:
            continue
        assert compile_cuda(SCALE, "90", kind).usage()["scale"].spilled == 0
        found += 1
    assert found, "no compiler for CUDA is here: install one, the gate cannot do without"


def test_a_device_newer_than_the_compiler_gets_text_for_the_driver() -> None:
    try:
        cuda_compiler("nvrtc")
    except KernelError:
        pytest.skip("NVRTC is not installed here; nvcc knows the devices it knows")
    assert b".target sm_" in compile_cuda(SCALE, "990", "nvrtc").image


def test_kernels_for_the_host_say_what_does_not_compile() -> None:
    with pytest.raises(KernelError, match=r"kernels\.cu:4:\d+: error: .nothing_known"):
        emulated_library(SCALE.replace("a * x[i]", "nothing_known"), ["scale"])
