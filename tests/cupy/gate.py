"""The compile gate: what is generated compiles for GPUs, old and new, and keeps its numbers in registers."""

from __future__ import annotations

import re

from backends.cupy.devices.compiler import Usage, compile_cuda

ARCHITECTURES = ("75", "90")


def check_compiles(*sources: str) -> dict[str, dict[str, Usage]]:
    """Compile kernels for sm_75 and sm_90 and refuse those that spill. Without a compiler this is an error, not a skip.

    Several texts become one, which is much faster; their names may be the same.

    Returns
    -------
    dict
        For each architecture and kernel what it takes; kernels of several texts are named ``0.name``, ``1.name``.
    """
    text = sources[0] if len(sources) == 1 else "\n".join(_apart(i, source) for i, source in enumerate(sources))
    found = {}
    for arch in ARCHITECTURES:
        usage = {_readable(name): use for name, use in compile_cuda(text, arch).usage().items()}
        spilled = {name: use for name, use in usage.items() if use.spilled}
        assert usage, "no kernel was compiled"
        assert not spilled, f"kernels spill registers on sm_{arch}: {spilled}"
        found[arch] = usage
    return found


def _apart(number: int, source: str) -> str:
    """A text in a namespace of its own; its errors name it by its number."""
    cpp = re.sub(r'extern\s+"C"\s+', "", source)
    return f'namespace text{number} {{\n#line 1 "text{number}"\n{cpp}\n}}'


def _readable(name: str) -> str:
    """From ``_ZN5text13sumEPf`` to ``1.sum``: lengths and names take turns in it."""
    if not name.startswith("_ZN"):
        return name
    parts, rest = [], name[3:]
    while (length := re.match(r"\d+", rest)) is not None:
        start = length.end()
        end = start + int(length[0])
        parts.append(rest[start:end])
        rest = rest[end:]
    return ".".join([parts[0].removeprefix("text"), *parts[1:]])
