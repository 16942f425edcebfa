"""A slow cell complex of a ReLU network in two or three dimensions, by splitting polytopes.

Independent of the engine: every cell is a list of floating-point vertices (a polygon) or of
faces (a polyhedron), cut unit by unit by the values of the pre-activation at its vertices; the
complex is glued together at the end. The tests of the pictures draw it, and it is a reference
for areas, counts, adjacency and numbers of faces. For small networks in general position:
positions closer than ``TIE`` are one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

import linregions as lr

TIE = 1e-9


@dataclass
class Cell:
    """A convex cell: its faces (k = 2: one polygon), the row behind each side, and its signs."""

    faces: list  # k = 2: [(m, 2) vertices]; k = 3: one (m, 3) array per face
    rows: list  # k = 2: one per side of the polygon; k = 3: one per face
    signs: tuple = ()


class Stub:
    """What `linregions.subdivide` returns, as far as pictures need it; ``net`` holds (W, b)."""

    exact, in_doubt, seconds, stats = False, 0, 0.0, {}

    def __init__(self, net, domain):
        self.pairs = [(np.asarray(W, float), np.asarray(b, float)) for W, b in net]
        self.network = lr.load(net)
        self.problem = lr.restrict(self.network, domain)
        self.dimension = self.problem.dimension
        start = _polygon if self.dimension == 2 else _polyhedron
        self._domain = np.asarray(self.problem.A, float), np.asarray(self.problem.b, float)
        self._cells = [start(*self._domain)]
        row = 0
        for layer, (W, _) in enumerate(self.pairs[:-1]):
            for unit in range(len(W)):
                self._cut(layer, unit, row)
                row += 1
        self.units = row
        self._glue()

    def embed(self, y):
        """Input coordinates of points of the domain."""
        return self.problem.embed(y)

    # -- splitting --------------------------------------------------------------------------

    def _values(self, y, layer):
        """Pre-activations of a layer (the outputs: the last) at points of the domain."""
        x = self.embed(np.asarray(y))
        for W, b in self.pairs[:layer]:
            x = np.maximum(x @ W.T + b, 0.0)
        W, b = self.pairs[layer]
        return x @ W.T + b

    def _cut(self, layer, unit, row):
        split = _split_polygon if self.dimension == 2 else _split_polyhedron
        out = []
        for cell in self._cells:
            values = [self._values(face, layer)[:, unit] for face in cell.faces]
            low, high = min(v.min() for v in values), max(v.max() for v in values)
            if high <= TIE or low >= -TIE:  # a tie belongs to the lower piece
                cell.signs += (1 if high > TIE else -1,)
                out.append(cell)
                continue
            for sign in (-1, 1):
                part = split(cell, [sign * v for v in values], row)
                part.signs = (*cell.signs, sign)
                out.append(part)
        self._cells = out

    # -- gluing -----------------------------------------------------------------------------

    def _glue(self):
        if self.dimension == 2:
            sides = [np.array(c.faces[0]) for c in self._cells]
            owners = np.arange(len(sides))
        else:
            sides, owners = self._common_faces()
        index = _Points(np.concatenate(sides))
        self.points = index.points
        at = np.cumsum([0] + [len(s) for s in sides])
        loops = [index.between(index.ids[a:b].tolist()) for a, b in pairwise(at)]
        self._loops = loops
        pairs = {}
        for i, loop in enumerate(loops):
            for v, w in zip(loop, loop[1:] + loop[:1], strict=True):
                pairs.setdefault((min(v, w), max(v, w)), []).append(i)
        self.edges = np.array(sorted(pairs), dtype=np.int32)
        if self.dimension == 2:
            self.facet_cells = np.array([(*pairs[tuple(e)], -1)[:2] for e in self.edges.tolist()])
            middles = self.points[self.edges].mean(axis=1)
        else:
            self.facet_cells = np.array(owners)
            middles = np.array([self.points[loop].mean(axis=0) for loop in loops])
        self.facet_row = np.array(
            [self._row(c, m) for c, m in zip(self.facet_cells, middles, strict=True)], np.int32
        )
        ends = np.cumsum([len(W) for W, _ in self.pairs[:-1]])
        layer = np.searchsorted(ends, self.facet_row, side="right") + 1
        self.facet_layer = np.where(self.facet_row < 0, 0, layer).astype(np.int32)
        self.facet_unit = np.maximum(self.facet_row, -1) + 1  # ReLU: a row is a unit

    def _row(self, cells, middle):
        """The first unit on which two cells differ, or the inequality of the domain."""
        a, b = cells
        if b >= 0:
            signs = self._signs
            return int(np.argmax(signs[a] != signs[b]))
        A, b = self._domain
        return -1 - int(np.argmin(np.abs(A @ middle - b) / np.linalg.norm(A, axis=1)))

    def _common_faces(self):
        """Facets of the complex: what the faces of two cells on one row have in common."""
        found, owners = [], []
        for i, cell in enumerate(self._cells):
            for face, row in zip(cell.faces, cell.rows, strict=True):
                if row < 0:
                    found.append(face)
                    owners.append((i, -1))
                    continue
                for j in range(i + 1, len(self._cells)):
                    other = self._cells[j]
                    for there, r in zip(other.faces, other.rows, strict=True):
                        if r == row and other.signs[row] != cell.signs[row]:
                            common = _intersection(face, there)
                            if common is not None:
                                found.append(common)
                                owners.append((i, j))
        return found, owners

    @cached_property
    def _signs(self):
        return np.array([c.signs for c in self._cells], np.int8).reshape(self.cells, self.units)

    # -- the contract -----------------------------------------------------------------------

    @property
    def cells(self):
        """Number of activation cells."""
        return len(self._cells)

    def signs(self, cells=None):
        """(n, rows) -1 or +1."""
        return self._signs if cells is None else self._signs[cells]

    def patterns(self, cells=None):
        """(n, units) 0 or 1."""
        return (self.signs(cells) > 0).astype(np.uint8)

    @cached_property
    def interior_points(self):
        """The mean of the vertices of each cell."""
        return np.array([np.concatenate(c.faces).mean(axis=0) for c in self._cells])

    def affine_maps(self, cells=None):
        """W (n, outputs, k) and b (n, outputs) in domain coordinates."""
        k = self.dimension
        lift = np.eye(k) if self.problem.basis is None else self.problem.basis
        base = self.embed(np.zeros(k))
        maps = []
        for signs in self.signs(cells):
            slope, shift, at = lift, base, 0
            for W, b in self.pairs[:-1]:
                on = (signs[at : at + len(W)] > 0).astype(float)
                at += len(W)
                slope, shift = on[:, None] * (W @ slope), on * (W @ shift + b)
            W, b = self.pairs[-1]
            maps.append((W @ slope, W @ shift + b))
        return np.array([m for m, _ in maps]), np.array([c for _, c in maps])

    @cached_property
    def outputs(self):
        """The network at the vertices."""
        return self._values(self.points, len(self.pairs) - 1)

    def polygons(self):
        """(ptr, vertex ids) of the cells, k = 2."""
        return _csr(self._loops)

    def face_polygons(self):
        """(ptr, vertex ids) of all 2-faces, k = 3."""
        return _csr(self._loops)

    def faces(self, d):
        """(ptr, ids of the (d-1)-faces)."""
        if d == 1:
            return np.arange(0, 2 * len(self.edges) + 1, 2), self.edges.ravel()
        if d == self.dimension:
            return _csr(
                [np.nonzero((self.facet_cells == i).any(axis=1))[0] for i in range(self.cells)]
            )
        number = {tuple(e): i for i, e in enumerate(self.edges.tolist())}
        return _csr(
            [
                [number[min(e), max(e)] for e in zip(p, p[1:] + p[:1], strict=True)]
                for p in self._loops
            ]
        )

    @property
    def face_counts(self):
        """(f_0, ..., f_k)."""
        middle = () if self.dimension == 2 else (len(self.facet_row),)
        return (len(self.points), len(self.edges), *middle, self.cells)

    @property
    def euler(self):
        """The alternating sum of the numbers of faces: 1."""
        return sum((-1) ** d * f for d, f in enumerate(self.face_counts))

    @cached_property
    def volumes(self):
        """Area or volume of each cell."""
        if self.dimension == 2:
            return np.array([_area(c.faces[0]) for c in self._cells])
        from scipy.spatial import ConvexHull

        return np.array([ConvexHull(np.concatenate(c.faces)).volume for c in self._cells])

    @cached_property
    def facet_volumes(self):
        """Length or area of each facet."""
        if self.dimension == 2:
            a, b = self.points[self.edges].transpose(1, 0, 2)
            return np.linalg.norm(a - b, axis=1)
        return np.array([_area(self.points[loop]) for loop in self._loops])

    @property
    def boundary_volume(self):
        """Total of the facets between cells."""
        return float(self.facet_volumes[self.facet_row >= 0].sum())

    @cached_property
    def surfaces(self):
        """Perimeter or surface of each cell."""
        out = np.zeros(self.cells)
        for side in self.facet_cells.T:
            np.add.at(out, side[side >= 0], self.facet_volumes[side >= 0])
        return out

    @cached_property
    def affine(self):
        """Label of the affine map of each cell."""
        W, b = self.affine_maps()
        flat = np.column_stack([W.reshape(len(W), -1), b])
        return np.unique(np.round(flat, 8) + 0.0, axis=0, return_inverse=True)[1].ravel()

    @cached_property
    def linear(self):
        """Label of the linear region of each cell."""
        a, b = self.facet_cells[self.facet_cells[:, 1] >= 0].T
        same = self.affine[a] == self.affine[b]
        graph = coo_array((np.ones(same.sum()), (a[same], b[same])), (self.cells,) * 2)
        return connected_components(graph, directed=False)[1]

    def count(self, kind="activation"):
        """Number of regions."""
        if kind == "activation":
            return self.cells
        return int(getattr(self, kind).max()) + 1

    def level_set(self):
        """The zero set, or where the top two outputs tie, k = 2."""
        W, b = self.affine_maps()
        pieces, cells, classes = [], [], []
        outputs = b.shape[1]
        for i, (cell, slope, shift) in enumerate(zip(self._cells, W, b, strict=True)):
            polygon = cell.faces[0]
            ties = [(0, -1)] if outputs == 1 else [(p, q) for q in range(outputs) for p in range(q)]
            for p, q in ties:
                s = slope[p] - (slope[q] if outputs > 1 else 0)
                t = shift[p] - (shift[q] if outputs > 1 else 0)
                ends = _crossing(polygon, polygon @ s + t)
                for other in range(outputs if outputs > 1 else 0):
                    if other not in (p, q) and ends is not None:
                        gap = ends @ (slope[p] - slope[other]) + shift[p] - shift[other]
                        ends = _shorten(ends, gap)
                if ends is not None:
                    pieces.append(ends)
                    cells.append(i)
                    classes.append((p, q))
        return LevelSet(
            np.array(pieces).reshape(-1, 2, 2),
            np.array(cells, int),
            np.array(classes, int).reshape(-1, 2),
            float(sum(np.linalg.norm(p[0] - p[1]) for p in pieces)),
        )

    def layers(self):
        """The partitions after 1, 2, ... layers."""
        out = []
        for n in range(1, len(self.pairs)):
            W, _ = self.pairs[n - 1]
            cut = [*self.pairs[:n], (np.eye(len(W)), np.zeros(len(W)))]
            out.append(Stub(cut, self.problem.domain))
        return out


@dataclass
class LevelSet:
    """Segments of a level set (m, 2, 2), the cell of each, its classes, the total length."""

    segments: np.ndarray
    cell: np.ndarray
    classes: np.ndarray
    measure: float


# -- polygons ---------------------------------------------------------------------------------


def _polygon(A, b):
    """The polygon A y <= b, cut out of a large square."""
    size = 1e3 * (1 + np.abs(b).max())
    cell = Cell([size * np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])], [-9] * 4)
    for i, (a, c) in enumerate(zip(A, b, strict=True)):
        cell = _split_polygon(cell, [c - cell.faces[0] @ a], -1 - i)
    return cell


def _split_polygon(cell, values, row):
    """The part where the values are positive; a new side gets ``row``."""
    polygon, v = cell.faces[0], values[0]
    points, rows = [], []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if v[i] >= -TIE:
            points.append(polygon[i])
            rows.append(row if v[i] <= TIE and v[j] < -TIE else cell.rows[i])
        if (v[i] > TIE and v[j] < -TIE) or (v[i] < -TIE and v[j] > TIE):
            points.append(polygon[i] + (polygon[j] - polygon[i]) * (v[i] / (v[i] - v[j])))
            rows.append(row if v[i] > 0 else cell.rows[i])
    return Cell([np.array(points)], rows)


def _area(polygon):
    """Area of a flat polygon in two or three dimensions."""
    p = np.asarray(polygon) - polygon[0]
    cross = np.cross(np.pad(p, ((0, 0), (0, 3 - p.shape[1]))), np.roll(
        np.pad(p, ((0, 0), (0, 3 - p.shape[1]))), -1, axis=0))  # fmt: skip
    return float(np.linalg.norm(cross.sum(axis=0)) / 2)


def _crossing(polygon, values):
    """Both ends of the chord of a polygon where the values vanish."""
    ends = []
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        if (values[i] > 0) != (values[j] > 0):
            part = values[i] / (values[i] - values[j])
            ends.append(polygon[i] + part * (polygon[j] - polygon[i]))
    return np.array(ends) if len(ends) == 2 else None


def _shorten(ends, values):
    """The part of a segment where the values are not negative."""
    if (values < 0).all():
        return None
    ends = ends.copy()
    for i in (0, 1):
        if values[i] < 0:
            part = values[i] / (values[i] - values[1 - i])
            ends[i] += part * (ends[1 - i] - ends[i])
    return ends


# -- polyhedra --------------------------------------------------------------------------------


def _polyhedron(A, b):
    """The polyhedron A y <= b, cut out of a large cube."""
    size = 1e3 * (1 + np.abs(b).max())
    square = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
    faces = [
        size * np.insert(square, axis, side, axis=1) for axis in range(3) for side in (-1.0, 1.0)
    ]
    cell = Cell(faces, [-9] * 6)
    for i, (a, c) in enumerate(zip(A, b, strict=True)):
        cell = _split_polyhedron(cell, [c - face @ a for face in cell.faces], -1 - i)
    return cell


def _split_polyhedron(cell, values, row):
    """The part where the values are positive, closed by a new face with ``row``."""
    faces, rows, rim = [], [], []
    for face, mine, v in zip(cell.faces, cell.rows, values, strict=True):
        if v.max() <= TIE:
            continue
        part = _split_polygon(Cell([face], [0] * len(face)), [v], 1).faces[0]
        faces.append(part)
        rows.append(mine)
        inside = np.abs(v) <= TIE
        rim += list(face[inside])
        rim += [p for p in part if np.linalg.norm(face - p, axis=1).min() > TIE]
    faces.append(_in_order(np.array(rim)))
    return Cell(faces, [*rows, row])


def _in_order(points):
    """Distinct points of a plane in order around their centre."""
    distinct = []
    for p in points:
        if all(np.linalg.norm(p - q) > TIE for q in distinct):
            distinct.append(p)
    points = np.array(distinct)
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred)
    return points[np.argsort(np.arctan2(centred @ axes[1], centred @ axes[0]))]


def _intersection(face, other):
    """What two polygons of one plane have in common, or None if it has no area."""
    centre = other.mean(axis=0)
    _, _, axes = np.linalg.svd(other - centre)
    normal, out = axes[2], face
    if np.abs((face - centre) @ normal).max() > 100 * TIE:
        return None
    for i in range(len(other)):
        inward = np.cross(normal, other[(i + 1) % len(other)] - other[i])
        inward /= np.linalg.norm(inward)
        inward *= np.sign((centre - other[i]) @ inward)
        values = (out - other[i]) @ inward
        if values.max() <= TIE:
            return None
        out = _split_polygon(Cell([out], [0] * len(out)), [values], 0).faces[0]
        if len(out) < 3:
            return None
    return out if _area(out) > TIE else None


# -- gluing -----------------------------------------------------------------------------------


class _Points:
    """Points with those closer than a hundred ties made one."""

    def __init__(self, raw):
        tree = cKDTree(raw)
        near = np.array(sorted(tree.query_pairs(100 * TIE)), int).reshape(-1, 2)
        graph = coo_array((np.ones(len(near)), near.T), (len(raw),) * 2)
        count, self.ids = connected_components(graph, directed=False)
        self.points = np.zeros((count, raw.shape[1]))
        self.points[self.ids] = raw

    def between(self, loop):
        """A loop of vertices with the vertices that lie on its sides put in."""
        out = []
        for v, w in zip(loop, loop[1:] + loop[:1], strict=True):
            if v == w:
                continue
            a, b = self.points[v], self.points[w]
            length = np.linalg.norm(b - a)
            part = (self.points - a) @ (b - a) / length
            off = np.linalg.norm(self.points - a - part[:, None] * (b - a) / length, axis=1)
            on = (off < 100 * TIE) & (part > 100 * TIE) & (part < length - 100 * TIE)
            on[[v, w]] = False
            ids = np.nonzero(on)[0]
            out += [v, *ids[np.argsort(part[ids])].tolist()]
        return out


def _csr(lists):
    ptr = np.cumsum([0] + [len(x) for x in lists])
    return ptr, np.array([v for x in lists for v in x], dtype=np.int64)
