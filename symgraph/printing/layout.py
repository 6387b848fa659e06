"""Where the boxes of a drawing stand: in layers, each below what it reads.

References
----------
Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures", IEEE Transactions on
Systems, Man, and Cybernetics 11 (1981): layers, places for edges to pass through, ordering by barycentres. Positions
along a layer are the nearest to the wanted ones that keep their distances: an isotonic regression, by pooling adjacent
violators (Ayer and others, Annals of Mathematical Statistics 26, 1955).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

__all__ = ["Layout", "arrange"]

Point = tuple[float, float]

LAYER = 72.0   # from layer to layer
_GAP = 18.0    # between neighbours
_SWEEPS = 8
_MOST_PASSES = 20_000  # of edges through layers; drawings with more have straight edges


class Layout:
    """Positions.

    Attributes
    ----------
    centres : list of (x, y)
        Of each box.
    routes : list of list of (x, y)
        The points each edge goes through, from its source's centre to its reader's.
    width, height : float
    """

    def __init__(self, centres: list[Point], routes: list[list[Point]], width: float, height: float) -> None:
        self.centres, self.routes, self.width, self.height = centres, routes, width, height


def arrange(widths: Sequence[float], edges: Sequence[tuple[int, int]]) -> Layout:
    """Place boxes of some widths, numbered so that each edge runs from a lower number to a higher one.

    Parameters
    ----------
    widths : sequence of float
    edges : sequence of (int, int)
    """
    sizes = list(widths)
    layers = _layers(len(sizes), edges)
    spans = sum(layers[b] - layers[a] - 1 for a, b in edges)
    chains = []  # each edge as the boxes and places it goes through
    for a, b in edges:
        through = range(layers[a] + 1, layers[b]) if spans <= _MOST_PASSES else range(0)
        first = len(sizes)
        sizes += [4.0] * len(through)
        layers += list(through)
        chains.append([a, *range(first, len(sizes)), b])
    up: list[list[int]] = [[] for _ in sizes]
    down: list[list[int]] = [[] for _ in sizes]
    for chain in chains:
        for a, b in itertools.pairwise(chain):
            down[a].append(b)
            up[b].append(a)
    rows: list[list[int]] = [[] for _ in range(max(layers, default=-1) + 1)]
    for i, layer in enumerate(layers):
        rows[layer].append(i)
    _order(rows, up, down, len(sizes))
    places = _positions(rows, up, down, sizes)
    left = min((places[i] - sizes[i] / 2 for i in range(len(sizes))), default=0.0) - _GAP
    right = max((places[i] + sizes[i] / 2 for i in range(len(sizes))), default=0.0) + _GAP
    points = [(places[i] - left, (layers[i] + 0.5) * LAYER) for i in range(len(sizes))]
    return Layout(points[: len(widths)], [[points[i] for i in chain] for chain in chains], right - left,
                  len(rows) * LAYER)


def _layers(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each box: one below the lowest it reads; what reads nothing stands just above its first reader."""
    sources: list[list[int]] = [[] for _ in range(count)]
    readers: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        sources[b].append(a)
        readers[a].append(b)
    layers = [0] * count
    for i in range(count):
        layers[i] = max((layers[a] + 1 for a in sources[i]), default=0)
    for i in range(count):
        if not sources[i] and readers[i]:
            layers[i] = min(layers[b] for b in readers[i]) - 1
    return layers


def _order(rows: list[list[int]], up: list[list[int]], down: list[list[int]], count: int) -> None:
    """Order each row so that edges cross little: by the mean place of neighbours, downwards and upwards in turn."""
    place = [0.0] * count

    def number(row: list[int]) -> None:
        for k, i in enumerate(row):
            place[i] = k / max(len(row) - 1, 1)

    for row in rows:
        number(row)
    for sweep in range(_SWEEPS):
        near = down if sweep % 2 else up
        for row in reversed(rows) if sweep % 2 else rows:
            row.sort(key=lambda i: sum(place[j] for j in near[i]) / len(near[i]) if near[i] else place[i])
            number(row)


def _positions(rows: list[list[int]], up: list[list[int]], down: list[list[int]],
               sizes: Sequence[float]) -> list[float]:
    """Along the rows: near the mean of the neighbours, and not upon each other."""
    x = [0.0] * len(sizes)
    for row in rows:
        at = 0.0
        for i in row:
            x[i] = at + sizes[i] / 2
            at += sizes[i] + _GAP
        for i in row:
            x[i] -= at / 2
    for sweep in range(_SWEEPS):
        for row in reversed(rows) if sweep % 2 else rows:
            near = [(down[i] if sweep % 2 else up[i]) or [i] for i in row]
            wanted = [sum(x[j] for j in some) / len(some) for some in near]
            found = _apart(wanted, [(sizes[a] + sizes[b]) / 2 + _GAP for a, b in itertools.pairwise(row)])
            for i, position in zip(row, found, strict=True):
                x[i] = position
    return x


def _apart(wanted: Sequence[float], distances: Sequence[float]) -> list[float]:
    """The positions nearest to the wanted ones (least squares) of which each is so far behind the one before it."""
    offsets = [0.0]
    for distance in distances:
        offsets.append(offsets[-1] + distance)
    pools: list[tuple[float, int]] = []  # mean and number of those that stand together
    for value, offset in zip(wanted, offsets, strict=False):
        mean, count = value - offset, 1
        while pools and pools[-1][0] > mean:
            other, number = pools.pop()
            mean, count = (mean * count + other * number) / (count + number), count + number
        pools.append((mean, count))
    flat = [mean for mean, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(flat, offsets, strict=False)]
