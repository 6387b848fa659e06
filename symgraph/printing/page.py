"""Pages: a drawing as one HTML file that needs no network and no other program."""

from __future__ import annotations

import base64
import itertools
import os
from html import escape
from typing import Any

from symgraph.printing.drawing import MOST, Box, Picture, clean, picture_of, save
from symgraph.printing.layout import Point, arrange

__all__ = ["d3viz", "page_text"]

_HEIGHT = 26.0
_LETTER = 6.6  # the width of a letter

_STYLE = """
body { margin: 0; font: 13px Helvetica, Arial, sans-serif; color: #222; background: #fff; }
header { position: fixed; top: 0; left: 0; right: 0; padding: 6px 12px; background: #ffffffd9; }
header b { margin-right: 12px; } header input { width: 12em; }
#details { position: fixed; bottom: 0; left: 0; right: 0; padding: 6px 12px; background: #ffffffd9; min-height: 1.2em; }
svg { width: 100vw; height: 100vh; display: block; cursor: grab; }
.box rect { stroke: #99a; stroke-width: 1; fill: #eef2f7; }
.box text { font-size: 11px; text-anchor: middle; dominant-baseline: central; pointer-events: none; }
.input rect { fill: #d9ead3; } .shared rect { fill: #fff2cc; } .output rect { fill: #cfe2f3; }
.heat1 rect { fill: #fdebd0; } .heat2 rect { fill: #fad7a0; } .heat3 rect { fill: #f5b041; }
.heat4 rect { fill: #ec7063; }
.constant rect, .more rect { fill: #fff; stroke: #ddd; }
.edge { fill: none; stroke: #99a; stroke-width: 1.2; }
.near rect { stroke: #c00; stroke-width: 2; } .edge.near { stroke: #c00; stroke-width: 2; } .found rect { fill: #f9b; }
"""

# Nothing of the user's stands in here: what the page shows stands in its elements, escaped.
_SCRIPT = """
"use strict";
const svg = document.querySelector("svg"), details = document.querySelector("#details");
const find = document.querySelector("input");
const boxes = [...svg.querySelectorAll(".box")], edges = [...svg.querySelectorAll(".edge")];
let view = svg.getAttribute("viewBox").split(" ").map(Number), drag = null;
const scale = () => Math.max(view[2] / svg.clientWidth, view[3] / svg.clientHeight);
const show = () => svg.setAttribute("viewBox", view.join(" "));
svg.addEventListener("wheel", event => {
  event.preventDefault();
  const factor = Math.exp(event.deltaY * 0.0015);
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
  view = [point.x - (point.x - view[0]) * factor, point.y - (point.y - view[1]) * factor,
          view[2] * factor, view[3] * factor];
  show();
}, { passive: false });
svg.addEventListener("pointerdown", event => { drag = [event.clientX, event.clientY]; });
addEventListener("pointerup", () => { drag = null; });
svg.addEventListener("pointermove", event => {
  if (!drag) return;
  view[0] -= (event.clientX - drag[0]) * scale();
  view[1] -= (event.clientY - drag[1]) * scale();
  drag = [event.clientX, event.clientY];
  show();
});
for (const box of boxes) {
  box.addEventListener("pointerenter", () => {
    details.textContent = box.querySelector("title").textContent;
    for (const edge of edges) {
      if (edge.dataset.from !== box.dataset.number && edge.dataset.to !== box.dataset.number) continue;
      edge.classList.add("near");
      boxes[edge.dataset.from].classList.add("near");
      boxes[edge.dataset.to].classList.add("near");
    }
  });
  box.addEventListener("pointerleave", () => {
    for (const marked of svg.querySelectorAll(".near")) marked.classList.remove("near");
  });
}
find.addEventListener("input", () => {
  for (const box of boxes) {
    const words = box.querySelector("title").textContent.toLowerCase();
    box.classList.toggle("found", find.value !== "" && words.includes(find.value.toLowerCase()));
  }
});
"""


def d3viz(fct: Any, outfile: str | os.PathLike[str] | None = None, max_label_size: int = 40,
          most: int = MOST) -> str | None:
    """Draw an expression or a compiled function as a page to look at in a browser.

    The page is one file: it needs no Graphviz, no network and no other file. The wheel zooms, dragging moves, a box
    under the pointer shows its types, the line of the program it comes from, and what it reads and is read by; boxes
    that hold the words typed above are coloured.

    Parameters
    ----------
    fct : Variable, Apply, sequence of Variable, FunctionGraph or Function
        Of a function, the rewritten graph is drawn, with its updates; of one with a profile, the dearest operations are
        the warmest in colour.
    outfile : path, optional
        Where to write the page; without it, the page's text is returned. What is there is replaced when the page is
        finished; a call that fails leaves it.
    max_label_size : int
        The most characters of a label.
    most : int
        The most operations to draw, nearest to the outputs first.

    Returns
    -------
    str or None

    Raises
    ------
    TypeError, ValueError
        When `fct` cannot be drawn.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> x = T.dvector("x")
    >>> page = d3viz(T.exp(x))
    >>> page[:15], page.count('class="box')
    ('<!DOCTYPE html>', 3)
    """
    text = page_text(picture_of(fct, most, max_label_size))
    if outfile is None:
        return text
    save(outfile, text.encode())
    return None


def _permitted(code: str) -> str:
    """A script or style sheet as a page's policy names it."""
    import hashlib

    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"


def page_text(picture: Picture) -> str:
    """A picture as a page. Its policy lets the one script and style sheet of ours work, and nothing else."""
    widths = [len(box.label) * _LETTER + 20 for box in picture.boxes]
    layout = arrange(widths, [(start, end) for start, end, _ in picture.edges])
    lines = []
    for (start, end, what), route in zip(picture.edges, layout.routes, strict=True):
        lines.append(f'<path class="edge" data-from="{start}" data-to="{end}" d="{_curve(route)}" '
                     f'marker-end="url(#tip)"><title>{_shown(what)}</title></path>')
    for number, (box, width, (x, y)) in enumerate(zip(picture.boxes, widths, layout.centres, strict=True)):
        lines.append(_box_text(number, box, width, x, y))
    policy = f"default-src 'none'; style-src {_permitted(_STYLE)}; script-src {_permitted(_SCRIPT)}"
    left_out = f"{picture.left_out} more operations are not shown" if picture.left_out else ""
    title = _shown(picture.title)
    size = f"0 -40 {layout.width:.0f} {layout.height + 80:.0f}"
    return "\n".join([
        "<!DOCTYPE html>", '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
        f"<title>{title}</title>", f"<style>{_STYLE}</style></head><body>",
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#99a"/></marker></defs>',
        *lines, "</svg>",
        f'<header><b>{title}</b> <input placeholder="find" aria-label="find"> {left_out}</header>',
        '<div id="details"></div>', f"<script>{_SCRIPT}</script>", "</body></html>", "",
    ])


def _shown(text: str) -> str:
    return escape(clean(text), quote=True)


def _box_text(number: int, box: Box, width: float, x: float, y: float) -> str:
    hint = " · ".join((box.label, *box.details))
    kind = f"{box.kind} heat{box.heat}" if box.heat else box.kind
    corner = 4 if box.kind == "apply" else _HEIGHT / 2
    return (f'<g class="box {kind}" data-number="{number}"><title>{_shown(hint)}</title>'
            f'<rect x="{x - width / 2:.1f}" y="{y - _HEIGHT / 2:.1f}" width="{width:.1f}" height="{_HEIGHT:.0f}" '
            f'rx="{corner:g}"/><text x="{x:.1f}" y="{y:.1f}">{_shown(box.label)}</text></g>')


def _curve(route: list[Point]) -> str:
    """A smooth line from below the first point to above the last, vertical at each."""
    points = [(route[0][0], route[0][1] + _HEIGHT / 2), *route[1:-1], (route[-1][0], route[-1][1] - _HEIGHT / 2)]
    parts = [f"M{points[0][0]:.1f},{points[0][1]:.1f}"]
    for (x, y), (u, v) in itertools.pairwise(points):
        middle = (y + v) / 2
        parts.append(f"C{x:.1f},{middle:.1f} {u:.1f},{middle:.1f} {u:.1f},{v:.1f}")
    return " ".join(parts)
