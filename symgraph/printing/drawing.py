"""Drawings of graphs: `pydotprint` as text for Graphviz, or images made by it; `d3viz` as a page for any browser.

Names are the user's and may be anything: whatever stands in a drawing is escaped for the place where it stands.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.traversal import toposort
from symgraph.printing.text import outputs_of
from symgraph.shared import SharedVariable
from symgraph.tensor.dims import shown_type

__all__ = ["Box", "Picture", "clean", "dot_text", "picture_of", "pydotprint", "save"]

MOST = 1000  # boxes
_HEATS = (0.02, 0.1, 0.25, 0.5)  # shares of the time
_FORMATS = ("png", "svg", "pdf", "ps", "jpg", "gif")
_PATIENCE = 300.0  # seconds that Graphviz may take


@dataclass(frozen=True)
class Box:
    """An application, an input or an output.

    Attributes
    ----------
    label : str
    kind : {'apply', 'input', 'shared', 'constant', 'output', 'more'}
    details : tuple of str
        What else there is to say: types, the user's line, the time it takes in a profiled function.
    op : str
        The class of an application's operation.
    heat : int
        From 0 to 4, how much of a profiled function's time it takes.
    """

    label: str
    kind: str
    details: tuple[str, ...] = ()
    op: str = ""
    heat: int = 0


@dataclass
class Picture:
    """What a drawing shows.

    Attributes
    ----------
    title : str
    boxes : list of Box
        Each behind those it reads.
    edges : list of (int, int, str)
        From which box to which, and what runs there.
    left_out : int
        How many applications are not shown, being farthest from the outputs.
    """

    title: str
    boxes: list[Box] = field(default_factory=list)
    edges: list[tuple[int, int, str]] = field(default_factory=list)
    left_out: int = 0


def picture_of(obj: Any, most: int = MOST, longest: int = 70) -> Picture:
    """What to draw of an expression, a list of them, or a compiled function.

    Parameters
    ----------
    obj : Variable, Apply, sequence of Variable, FunctionGraph or Function
    most : int
        The most applications to show: those nearest to the outputs.
    longest : int
        The most characters of a label.
    """
    outputs, _ = outputs_of(obj)
    if most < 1:
        raise ValueError(f"a drawing needs room for one application at least, not {most}")
    recipe = getattr(obj, "recipe", None)
    picture = Picture(clean(recipe.label) if recipe is not None else ", ".join(map(clean, map(str, outputs[:3]))))
    shown, count = _nearest(outputs, most)
    picture.left_out = count - len(shown)
    numbers: dict[Any, int] = {}
    profile = getattr(obj, "profile", None)
    times = {line.step.node: line for line in profile.steps() if line.count} if profile is not None else {}

    def add(thing: Any, box: Box) -> int:
        numbers[thing] = len(picture.boxes)
        picture.boxes.append(replace(box, label=_clip(clean(box.label), longest),
                                     details=tuple(filter(None, map(clean, box.details)))))
        return numbers[thing]

    def source(variable: Variable) -> int:
        thing = variable.owner if variable.owner is not None else variable
        return numbers[thing] if thing in numbers else add(thing, _leaf(variable))

    for node in toposort(outputs) if shown else ():
        if node not in shown:
            continue
        inside = [v for v in node.inputs if v.owner is None or v.owner in shown]
        starts = [(source(v), v) for v in inside]
        missing = len(node.inputs) - len(inside)
        if missing:
            more = add((node, "more"), Box("…", "more", (f"{missing} inputs that are not shown",)))
            picture.edges.append((more, len(picture.boxes), ""))
        number = add(node, _application(node, times.get(node)))
        picture.edges += [(start, number, shown_type(v)) for start, v in starts]
    for place, (variable, name) in enumerate(zip(outputs, _output_names(obj, outputs), strict=True)):
        start = source(variable)
        picture.edges.append((start, add((place, "output"), Box(name, "output", (shown_type(variable),))),
                              shown_type(variable)))
    return picture


def _nearest(outputs: Iterable[Variable], most: int) -> tuple[set[Apply], int]:
    """The applications nearest to the outputs, and how many there are in all."""
    found: dict[Apply, None] = dict.fromkeys(v.owner for v in outputs if v.owner is not None)
    line = list(found)
    for node in line:  # grows as it is walked
        for variable in node.inputs:
            if variable.owner is not None and variable.owner not in found:
                found[variable.owner] = None
                line.append(variable.owner)
    return set(line[:most]), len(line)


def _application(node: Apply, time: Any) -> Box:
    """The box of an application, and of what a profile says of it."""
    types = ", ".join(shown_type(v) for v in node.outputs)
    names = ", ".join(str(v.name) for v in node.outputs if v.name)
    spent, heat = "", 0
    if time is not None:
        spent = f"{time.share:.1%} of the time, {time.seconds / time.count * 1e6:.3g} µs a call"
        heat = sum(time.share >= least for least in _HEATS)
    label = f"{node.op}" + (f"  {names}" if names else "")
    return Box(label, "apply", (types, str(node.origin), spent), type(node.op).__name__, heat)


def _leaf(variable: Variable) -> Box:
    kind = ("shared" if isinstance(variable, SharedVariable) else "constant" if isinstance(variable, Constant)
            else "more" if variable.owner is not None else "input")
    label = "…" if kind == "more" else str(variable)
    return Box(label, kind, (shown_type(variable), str(variable.origin or "")))


def _output_names(obj: Any, outputs: list[Variable]) -> list[str]:
    plan = getattr(obj, "plan", None)
    updates = [f"update of {u.target}" for u in plan.updates] if plan is not None else []
    count = len(outputs) - len(updates)
    return [f"output {i}" if count > 1 else "output" for i in range(count)] + updates


def _clip(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: max(longest - 1, 1)] + "…"


def clean(text: str) -> str:
    """A text on one line, without characters that are not for display."""
    text = " ".join(text.split())
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


# ---- Graphviz -----------------------------------------------------------------------------------------------------

_STYLES = {
    "apply": 'shape=box, style="rounded,filled"', "input": 'style=filled, fillcolor="#d9ead3"',
    "shared": 'style=filled, fillcolor="#fff2cc"', "constant": "shape=plaintext", "more": "shape=plaintext",
    "output": 'style=filled, fillcolor="#cfe2f3"',
}
_WARMTH = ("#eef2f7", "#fdebd0", "#fad7a0", "#f5b041", "#ec7063")


def _quoted(text: str) -> str:
    """A string of Graphviz's: nothing in it is an escape, an entity, or the end of it."""
    text = text.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def dot_text(picture: Picture, with_ids: bool = False, colours: Mapping[str, str] | None = None) -> str:
    """A picture in Graphviz's language; colours are by the class of an application's operation."""
    lines = ["digraph {", f"  label={_quoted(_title(picture))};", "  node [fontname=Helvetica, fontsize=11];",
             "  edge [fontname=Helvetica, fontsize=9, arrowsize=0.7];"]
    for number, box in enumerate(picture.boxes):
        label = f"{number}: {box.label}" if with_ids else box.label
        style = _STYLES[box.kind]
        if box.kind == "apply":
            style += f", fillcolor={_quoted((colours or {}).get(box.op, _WARMTH[box.heat]))}"
        hint = " · ".join(box.details)
        lines.append(f"  n{number} [label={_quoted(label)}, tooltip={_quoted(hint)}, {style}];")
    for start, end, what in picture.edges:
        lines.append(f"  n{start} -> n{end} [label={_quoted(what)}];")
    return "\n".join([*lines, "}", ""])


def _title(picture: Picture) -> str:
    more = f" ({picture.left_out} more operations are not shown)" if picture.left_out else ""
    return picture.title + more


def pydotprint(fct: Any, outfile: str | os.PathLike[str] | None = None, compact: bool = True,
               format: str | None = None, with_ids: bool = False, high_contrast: bool = True,
               cond_highlight: Any = None, colorCodes: Mapping[str, str] | None = None, max_label_size: int = 70,
               scan_graphs: bool = False, var_with_name_simple: bool = False, print_output_file: bool = True,
               return_image: bool = False, most: int = MOST) -> str | bytes | None:
    """Draw an expression or a compiled function with Graphviz.

    Without a file, the drawing is returned as text in Graphviz's language, which needs no Graphviz. Images are made by
    its program ``dot``. `d3viz` needs neither.

    Parameters
    ----------
    fct : Variable, Apply, sequence of Variable, FunctionGraph or Function
        Of a function, the rewritten graph is drawn, with its updates; of one with a profile, the dearest operations are
        the warmest in colour.
    outfile : path, optional
        Where to draw; by its ending ``.dot``, ``.gv``, ``.png``, ``.svg``, ``.pdf``, ``.ps``, ``.jpg`` or ``.gif``.
        What is there is replaced when the drawing is finished; a call that fails leaves it.
    format : str, optional
        One of these, whatever the ending.
    with_ids : bool
        Number the boxes.
    colorCodes : dict of str to str, optional
        Colours of operations, by the name of their class: ``{"Dot": "red"}``.
    max_label_size : int
        The most characters of a label.
    compact, high_contrast, cond_highlight, scan_graphs, var_with_name_simple
        Accepted for programs that pass them: boxes are operations, inputs and outputs, and there is one style.
    print_output_file : bool
        Say where the drawing is.
    return_image : bool
        Return the drawing's bytes instead of writing a file.
    most : int
        The most operations to draw, nearest to the outputs first.

    Returns
    -------
    str, bytes or None
        Text without `outfile`; bytes for `return_image`; else None.

    Raises
    ------
    TypeError, ValueError
        When `fct` cannot be drawn, or there is no such format.
    RuntimeError
        When Graphviz is needed and cannot be found or fails.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> x = T.dvector("x")
    >>> print(pydotprint(T.exp(x)).splitlines()[4])
      n0 [label="x", tooltip="float64[?] · ...", style=filled, fillcolor="#d9ead3"];
    """
    text = dot_text(picture_of(fct, most, max_label_size), with_ids, colorCodes)
    if outfile is None and not return_image:
        if format not in (None, "dot", "gv"):
            raise ValueError(f"pydotprint: give a file for the {format}, or return_image=True")
        return text
    ending = (format or (os.path.splitext(outfile)[1][1:] if outfile is not None else "png")).lower()
    if ending not in ("dot", "gv", *_FORMATS):
        raise ValueError(f"pydotprint draws dot, gv, {', '.join(_FORMATS)}, not {ending!r}: say which by the file's "
                         "ending or by format=")
    data = text.encode() if ending in ("dot", "gv") else _drawn(text, ending)
    if return_image or outfile is None:
        return data
    save(outfile, data)
    if print_output_file:
        print(f"The drawing is in {os.fspath(outfile)}")
    return None


def _drawn(text: str, ending: str) -> bytes:
    """An image made by Graphviz."""
    import shutil
    import subprocess

    program = shutil.which("dot")
    if program is None:
        raise RuntimeError(f"pydotprint: a {ending} is drawn by Graphviz, whose program dot is not installed. Install "
                           "it (apt install graphviz, brew install graphviz, conda install graphviz), write a .dot "
                           "file, or use symgraph.printing.d3viz, which needs nothing")
    try:
        done = subprocess.run([program, f"-T{ending}"], input=text.encode(), capture_output=True, timeout=_PATIENCE,
                              check=False)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"pydotprint: Graphviz took longer than {_PATIENCE:g} s; draw less with most=") from None
    if done.returncode:
        said = clean(done.stderr.decode(errors="replace"))[:300]
        raise RuntimeError(f"pydotprint: Graphviz ended with {done.returncode}: {said}")
    return done.stdout


def save(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file whole: beside its place first, then over what is there."""
    import secrets
    import shutil

    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    beside = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(6)}")
    try:
        with open(beside, "xb") as file:
            file.write(data)
        if os.path.exists(target):
            shutil.copymode(target, beside)
        os.replace(beside, target)
    except BaseException:
        with suppress(OSError):
            os.remove(beside)
        raise
