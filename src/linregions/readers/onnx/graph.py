"""The graphs of an ONNX model: what a node reads, in which order nodes run, local functions."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import onnx

from ...errors import LinregionsError
from ..refusals import BROKEN, Refusal


def part_of(node: onnx.NodeProto, opset: int | str, inside: str = "") -> Refusal:
    """How messages name a node; ``inside`` is the function or branch that holds it."""
    name = node.name or next((o for o in node.output if o), "without a name")
    domain = f"{node.domain} " if node.domain not in ("", "ai.onnx") else ""
    return Refusal("node", f"{inside}{name}", node.op_type, f"{domain}opset {opset}")


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that a node holds: branches, bodies of loops."""
    for a in node.attribute:
        if a.type == a.GRAPH:
            yield a.g
        elif a.type == a.GRAPHS:
            yield from a.graphs


def reads(node: onnx.NodeProto) -> list[str]:
    """Names that a node reads, those that its graphs take from outside included."""
    names = [n for n in node.input if n]
    for graph in subgraphs(node):
        made = {i.name for i in graph.input} | {t.name for t in graph.initializer}
        made |= {o for inner in graph.node for o in inner.output}
        names += [n for inner in graph.node for n in reads(inner) if n not in made]
        names += [o.name for o in graph.output if o.name not in made]
    return list(dict.fromkeys(names))


def needed(nodes: Sequence[onnx.NodeProto], targets: Sequence[str]) -> tuple[set[int], set[str]]:
    """The nodes that some tensors depend on, and the names that these read from outside."""
    maker = {o: i for i, n in enumerate(nodes) for o in n.output if o}
    found: set[int] = set()
    outside: set[str] = set()
    stack = list(targets)
    while stack:
        name = stack.pop()
        if name not in maker:
            outside.add(name)
        elif maker[name] not in found:
            found.add(maker[name])
            stack += reads(nodes[maker[name]])
    return found, outside


def ordered(
    nodes: Sequence[onnx.NodeProto], targets: Sequence[str], known: Collection[str]
) -> list[onnx.NodeProto]:
    """The nodes that the targets need, each after what it reads, else as in the file."""
    nodes = list(nodes)
    maker = {o: i for i, n in enumerate(nodes) for o in n.output if o}
    found, _ = needed(nodes, targets)
    for target in targets:
        if target not in maker and target not in known:
            raise LinregionsError(f"output '{target}' is made by no node; the file is damaged")
    waits: dict[int, set[int]] = {}
    readers: dict[int, list[int]] = {}
    for i in sorted(found):
        waits[i] = set()
        for name in reads(nodes[i]):
            if name in maker:
                waits[i].add(maker[name])
                readers.setdefault(maker[name], []).append(i)
            elif name not in known:
                raise LinregionsError(
                    f"{part_of(nodes[i], '?')} reads '{name}', which no node, initializer or "
                    f"input provides; the file may be truncated: {BROKEN}"
                )
    ready = [i for i in sorted(found) if not waits[i]]
    order = []
    while ready:
        i = heapq.heappop(ready)
        order.append(nodes[i])
        for j in dict.fromkeys(readers.get(i, [])):
            waits[j].discard(i)
            if not waits[j]:
                heapq.heappush(ready, j)
    if len(order) < len(found):
        raise LinregionsError(f"the nodes of the graph form a cycle; {BROKEN}")
    return order


def body(function: onnx.FunctionProto, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """The nodes of a local function, with the attributes that a call gives them."""
    given = {a.name: a for a in function.attribute_proto}
    given |= {a.name: a for a in node.attribute}
    return [_bound(inner, given) for inner in function.node]


def _bound(node: onnx.NodeProto, given: Mapping[str, Any]) -> onnx.NodeProto:
    out = onnx.NodeProto()
    out.CopyFrom(node)
    del out.attribute[:]
    for a in node.attribute:
        if a.ref_attr_name:
            if a.ref_attr_name in given:
                made = out.attribute.add()
                made.CopyFrom(given[a.ref_attr_name])
                made.name = a.name
            continue
        made = out.attribute.add()
        made.CopyFrom(a)
        for graph in [made.g] if made.type == made.GRAPH else list(made.graphs):
            inner = [_bound(n, given) for n in graph.node]
            del graph.node[:]
            graph.node.extend(inner)
    return out
