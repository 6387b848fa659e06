"""Drawings: what they show, that nothing a name holds gets out of its place, and that files are whole or untouched."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import re
import shutil
import stat
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T
from symgraph.printing import d3viz, pydotprint
from symgraph.printing.drawing import picture_of, save
from symgraph.printing.layout import arrange

HOSTILE = [
    "</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'; alert(1); '", "a\"b\\n\\", "\\N\\G",
    "]; evil [label=\"", "</title></svg></body>", "&lt;b&gt; &amp; &#60;", "<!--", "]]>", "-->", "{a|b}",
    "\n\r\t\0\x1b", "\u202eabc", "%s {0}", "日本語", "#include", "<table>", "javascript:alert(1)", "\ud800",
]


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)


def named(name: str) -> Any:
    """A function whose input, shared variable, expression and own name are all called something."""
    x = T.dvector(name)
    w = sg.shared(np.ones(3), name=name)
    y = T.exp(x) * w
    y.name = name
    return sg.function([x], y, updates=[(w, w + x)], name=name)


def plain_page() -> Page:
    return Page(d3viz(named("x")))  # type: ignore[arg-type]


def strings_of_dot(text: str) -> list[str]:
    """The quoted strings of a text for Graphviz, which must be all there is beside its signs."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"', text)
    rest = re.sub(r'"((?:[^"\\]|\\.)*)"', "S", text)
    sign = r"digraph \{|label=S;|node \[fontname=Helvetica, fontsize=11\];|edge \[[\w=, .]*\];|\}"
    box = r"n\d+ \[label=S, tooltip=S, [\w=, S]*\];"
    edge = r"n\d+ -> n\d+ \[label=S\];"
    for line in rest.splitlines():
        assert re.fullmatch(rf"\s*({sign}|{box}|{edge})", line), line
    return found


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_names(name: str) -> None:
    usual, page = plain_page(), Page(d3viz(named(name)))  # type: ignore[arg-type]
    assert not page.open
    assert page.tags == usual.tags
    assert page.texts["script"] == usual.texts["script"]
    assert page.texts["style"] == usual.texts["style"]
    assert [key for key, _ in page.attributes] == [key for key, _ in usual.attributes]
    assert not any(key.startswith("on") or key in ("src", "href") for key, _ in page.attributes)
    strings = strings_of_dot(pydotprint(named(name)))  # type: ignore[arg-type]
    assert len(strings) == len(strings_of_dot(pydotprint(named("x"))))  # type: ignore[arg-type]
    shown = "".join(c if c.isprintable() else "?" for c in " ".join(name.split()))
    assert any(shown in text for text in page.texts["text"]) or len(shown) > 30
    assert all(text.isprintable() for text in page.texts["text"])


@given(st.text(st.characters(exclude_categories=()), min_size=1, max_size=12))
def test_any_name(name: str) -> None:
    x = T.dvector(name)
    page = Page(d3viz(T.exp(x)))  # type: ignore[arg-type]
    assert page.tags.count("script") == 1
    assert not page.open
    strings_of_dot(pydotprint(T.exp(x)))  # type: ignore[arg-type]


def test_the_policy_lets_only_our_script_run() -> None:
    page = plain_page()
    policy = next(value for key, value in page.attributes if key == "content" and value and "default-src" in value)
    for tag in ("script", "style"):
        (code,) = page.texts[tag]
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    text: Any = d3viz(named("x"))
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")


def test_what_is_drawn() -> None:
    f = named("x")
    picture = picture_of(f)
    kinds = [box.kind for box in picture.boxes]
    assert {kind: kinds.count(kind) for kind in kinds} == {"input": 1, "shared": 1, "apply": 3, "output": 2}
    assert [box.label for box in picture.boxes if box.kind == "output"] == ["output", "update of x"]
    assert all(start < end for start, end, _ in picture.edges)
    assert len(picture.edges) == 1 + 2 + 2 + 2
    assert any("test_drawing.py:" in detail for box in picture.boxes for detail in box.details)
    assert (picture.title, picture.left_out) == ("function 'x'", 0)


def test_expressions_lists_graphs_and_applications() -> None:
    x = T.dvector("x")
    y = T.exp(x) + 1
    assert sum(box.kind == "apply" for box in picture_of(y).boxes) == 2
    assert [box.label for box in picture_of([y, x]).boxes if box.kind == "output"] == ["output 0", "output 1"]
    assert len(picture_of(x).boxes) == 2
    assert picture_of(y.owner).title == str(y)
    assert "constant" in {box.kind for box in picture_of(y).boxes}
    f = sg.function([x], y)
    assert picture_of(f.fgraph).boxes == picture_of(f).boxes
    assert isinstance(d3viz([]), str)
    for drawn in (pydotprint, d3viz):
        with pytest.raises(TypeError, match="cannot print int"):
            drawn(3)  # type: ignore[operator]


def test_large_graphs_are_cut_at_what_is_farthest() -> None:
    x = T.dvector("x")
    y = x
    for _ in range(3000):
        y = T.exp(y) + x
    picture = picture_of(y)
    assert sum(box.kind == "apply" for box in picture.boxes) == 1000
    assert picture.left_out == 5000
    assert sum(box.kind == "more" for box in picture.boxes) >= 1
    page: Any = d3viz(y, most=10)
    assert "5990 more operations are not shown" in page
    assert "(5990 more operations are not shown)" in pydotprint(y, most=10)  # type: ignore[operator]
    assert len(page) < 20_000
    assert sum(box.kind == "apply" for box in picture_of(y, most=10_000).boxes) == 6000
    with pytest.raises(ValueError, match="one application at least"):
        picture_of(y, most=0)


def test_long_labels_are_cut() -> None:
    x = T.dvector("n" * 500)
    assert max(len(box.label) for box in picture_of(T.exp(x), longest=30).boxes) == 30


def test_profiled_functions_are_coloured_by_time() -> None:
    x = T.dmatrix("x")
    f = sg.function([x], T.sum(T.dot(x, x)), profile=True)
    assert not any(box.heat for box in picture_of(f).boxes)
    f(np.ones((300, 300)))
    (dot,) = (box for box in picture_of(f).boxes if box.op == "Dot")
    share = next(line.share for line in f.profile.steps() if str(line.step.node.op) == "dot")
    assert f"{share:.1%} of the time" in dot.details[-1]
    assert dot.heat == sum(share >= least for least in (0.02, 0.1, 0.25, 0.5))
    assert dot.heat == 0 or f"apply heat{dot.heat}" in d3viz(f)  # type: ignore[operator]


def test_colours_by_class() -> None:
    x = T.dmatrix("x")
    text: Any = pydotprint(T.exp(x) @ x, colorCodes={"Dot": 'r"ed'}, compact=True, high_contrast=False)
    assert sum('fillcolor="r\\"ed"' in line for line in text.splitlines()) == 1
    strings_of_dot(text)


def test_boxes_can_be_numbered() -> None:
    assert '[label="0: x",' in pydotprint(T.exp(T.dvector("x")), with_ids=True)  # type: ignore[operator]


# ---- layout -------------------------------------------------------------------------------------------------------


@given(st.data())
def test_boxes_stand_below_what_they_read_and_apart(data: Any) -> None:
    count = data.draw(st.integers(0, 25))
    pairs = list(itertools.combinations(range(count), 2))
    edges = data.draw(st.lists(st.sampled_from(pairs), max_size=40)) if pairs else []
    widths = data.draw(st.lists(st.floats(10, 200), min_size=count, max_size=count))
    layout = arrange(widths, edges)
    for start, end in edges:
        assert layout.centres[start][1] < layout.centres[end][1]
    for (i, a), (j, b) in itertools.combinations(enumerate(layout.centres), 2):
        if a[1] == b[1]:
            assert abs(a[0] - b[0]) >= (widths[i] + widths[j]) / 2
    for (x, y), width in zip(layout.centres, widths, strict=True):
        assert width / 2 <= x <= layout.width - width / 2
        assert 0 <= y <= layout.height
    for (start, end), route in zip(edges, layout.routes, strict=True):
        assert (route[0], route[-1]) == (layout.centres[start], layout.centres[end])
        assert [y for _, y in route] == sorted({y for _, y in route})


def test_a_chain_is_a_straight_line() -> None:
    layout = arrange([20.0] * 5, [(i, i + 1) for i in range(4)])
    assert len({round(x, 6) for x, _ in layout.centres}) == 1


# ---- files --------------------------------------------------------------------------------------------------------


def test_files(tmp_path: Path, capsys: Any) -> None:
    f = named("x")
    assert d3viz(f, tmp_path / "f.html") is None
    assert (tmp_path / "f.html").read_text(encoding="utf-8") == d3viz(f)
    for name in ("f.dot", "f.gv"):
        assert pydotprint(f, str(tmp_path / name)) is None
        assert (tmp_path / name).read_text(encoding="utf-8") == pydotprint(f)
    assert capsys.readouterr().out.count("The drawing is in") == 2
    pydotprint(f, tmp_path / "g.txt", format="dot", print_output_file=False)
    assert capsys.readouterr().out == ""
    assert pydotprint(f, return_image=True, format="dot") == pydotprint(f).encode()  # type: ignore[union-attr]
    assert sorted(os.listdir(tmp_path)) == ["f.dot", "f.gv", "f.html", "g.txt"]


def test_a_failing_call_leaves_the_file(tmp_path: Path, monkeypatch: Any) -> None:
    place = tmp_path / "f.png"
    place.write_bytes(b"before")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"Graphviz, whose program dot is not installed\. Install it"):
        pydotprint(named("x"), place)
    with pytest.raises(TypeError):
        d3viz(3, place)
    with pytest.raises(ValueError, match="not 'bmp'"):
        pydotprint(named("x"), place, format="bmp")
    with pytest.raises(ValueError, match="draws dot"):
        pydotprint(named("x"), tmp_path / "noending")
    with pytest.raises(FileNotFoundError):
        d3viz(named("x"), tmp_path / "nowhere" / "f.html")
    assert place.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["f.png"]


def test_an_interrupted_write_leaves_the_file(tmp_path: Path, monkeypatch: Any) -> None:
    place = tmp_path / "page.html"
    place.write_bytes(b"before")

    def fail(*args: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        save(place, b"after")
    assert place.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["page.html"]


@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
def test_modes_and_links_are_kept(tmp_path: Path) -> None:
    place, link = tmp_path / "page.html", tmp_path / "link.html"
    place.write_bytes(b"before")
    place.chmod(0o640)
    link.symlink_to(place)
    save(link, b"after")
    assert link.is_symlink()
    assert place.read_bytes() == b"after"
    assert stat.S_IMODE(place.stat().st_mode) == 0o640


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands in for Graphviz")
def test_graphviz_is_called_and_its_errors_are_told(tmp_path: Path, monkeypatch: Any) -> None:
    program = tmp_path / "dot"
    program.write_text('#!/bin/sh\necho "$1"\nexec /bin/cat\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    f = named("x")
    image: Any = pydotprint(f, return_image=True)
    assert image == b"-Tpng\n" + pydotprint(f).encode()  # type: ignore[union-attr]
    pydotprint(f, tmp_path / "f.svg", print_output_file=False)
    assert (tmp_path / "f.svg").read_bytes().startswith(b"-Tsvg\n")
    program.write_text('#!/bin/sh\necho "syntax error" >&2\nexit 3\n')
    with pytest.raises(RuntimeError, match="Graphviz ended with 3: syntax error"):
        pydotprint(f, tmp_path / "f.svg")
    assert (tmp_path / "f.svg").read_bytes().startswith(b"-Tsvg\n")


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("name", ["x", *HOSTILE])
def test_graphviz_reads_what_we_write(name: str) -> None:
    image: Any = pydotprint(named(name), return_image=True, format="svg")
    page = Page(image.decode())
    assert "script" not in page.tags
    shown = " ".join("".join(c if c.isprintable() else "?" for c in " ".join(name.split())).split())
    assert any(shown in " ".join(text.split()) for text in page.texts["text"]), page.texts["text"]
