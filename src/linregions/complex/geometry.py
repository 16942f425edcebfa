"""In a face lattice: volumes of all dimensions, polygons in order, the cells of a facet."""

from __future__ import annotations

import numpy as np

from ..jit import kernel

FAR = 100  # binary exponent of coordinates


def measures(k: int, lists: list, points: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Volume and an interior point of every face, by dimension.

    ``lists[d]`` is ``(ptr, idx)`` of the d-faces' facets. A face is the union of pyramids from an
    interior point c over its facets, so ``vol_d = sum_i h_i vol_{d-1}(facet i) / d`` with the
    distance ``h_i`` from c to the plane of the facet: what is left of ``c - c_i`` after projecting
    on an orthonormal basis of the facet's directions. The rest of the largest pyramid extends that
    basis (that of a sliver would be noise).
    """
    e = int(np.max(np.frexp(points)[1], where=np.isfinite(points) & (points != 0.0), initial=-5000))
    if len(points) and abs(e) > FAR:  # where squares of lengths might leave the floats
        with np.errstate(all="ignore"):
            volumes, centres = measures(k, lists, np.ldexp(points, -e))
            volumes = [np.ldexp(v, d * e) for d, v in enumerate(volumes)]
            return volumes, [points, *(np.ldexp(c, e) for c in centres[1:])]
    volumes, centres = [np.ones(len(points))], [points]
    basis = np.zeros((len(points), 0, k))
    for d in range(1, k + 1):
        ptr, idx = lists[d]
        many = np.diff(ptr)
        owner = np.repeat(np.arange(len(many)), many)
        centre = np.stack(
            [np.bincount(owner, centres[-1][idx, j], len(many)) for j in range(k)], axis=1
        )
        centre /= many[:, None]
        rest = centre[owner] - centres[-1][idx]
        for e in range(d - 1):
            b = basis[idx, e]
            rest -= np.einsum("ij,ij->i", rest, b)[:, None] * b
        height = np.linalg.norm(rest, axis=1)
        pyramid = height * volumes[-1][idx]
        volumes.append(np.bincount(owner, pyramid, len(many)) / d)
        centres.append(centre)
        if d < k:
            order = np.lexsort((pyramid, owner))
            best = order[ptr[1:] - 1]
            step = rest[best] / np.maximum(height[best], 1e-300)[:, None]
            basis = np.concatenate([basis[idx[best]], step[:, None]], axis=1)
    return volumes, centres


@kernel("facets")
def sides(facets, ptr, idx, out):
    """The two cells of each facet, -1 where there is none."""
    for f in range(facets):
        out[f, 0] = out[f, 1] = -1
    for c in range(len(ptr) - 1):
        for e in range(ptr[c], ptr[c + 1]):
            f = idx[e]
            if out[f, 0] < 0:
                out[f, 0] = c
            else:
                out[f, 1] = c


@kernel("polygons")
def trace(ptr, idx, edges, out):
    """Vertices of each polygon in order around it, from its edges in any order."""
    for face in range(len(ptr) - 1):
        a, n = ptr[face], ptr[face + 1] - ptr[face]
        out[a], at = edges[idx[a], 0], edges[idx[a], 1]
        last = idx[a]
        for i in range(1, n):
            out[a + i] = at
            for e in range(n):
                edge = idx[a + e]
                if edge == last:
                    continue
                if edges[edge, 0] == at:
                    at, last = edges[edge, 1], edge
                    break
                if edges[edge, 1] == at:
                    at, last = edges[edge, 0], edge
                    break


@kernel("polygons")
def orient(ptr, out, x):
    """Turn polygons in the plane counter-clockwise."""
    for face in range(len(ptr) - 1):
        a, b = ptr[face], ptr[face + 1]
        twice = 0.0
        for i in range(a + 1, b - 1):
            p, q, r = out[a], out[i], out[i + 1]
            twice += (x[q, 0] - x[p, 0]) * (x[r, 1] - x[p, 1])
            twice -= (x[q, 1] - x[p, 1]) * (x[r, 0] - x[p, 0])
        if twice < 0.0:
            i, j = a, b - 1
            while i < j:
                out[i], out[j] = out[j], out[i]
                i += 1
                j -= 1
