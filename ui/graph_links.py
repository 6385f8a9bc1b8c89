"""What a link to a graph carries: what is forgotten, the network, and how shards are dealt.

Chosen nodes and edges stand in the link by their numbers: it never names a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from core.errors import BadRequest, short
from core.graphs.partitions import partition_named
from core.graphs.recipe import kind_named
from core.graphs.request_text import graph_request_text, parse_graph_request
from core.graphs.requests import GraphRequest

MOST = 200
"""Nodes or edges that the screen forgets at once."""
CHOSEN = {"indices": "indices", "edge": "edges", "features-of": "features"}
"""How a link names a request for chosen nodes or edges."""
NAMES = ("graph", "network", "shards", "anew")
"""The parameters of a link."""


@dataclass(frozen=True)
class Choice:
    """kind: of network. partition: how the shards are dealt. repartition: whether anew."""

    kind: str
    partition: str
    repartition: bool
    request: GraphRequest


def to_params(choice: Choice) -> dict[str, str]:
    """Of a link that opens this view."""
    request = choice.request
    text = graph_request_text(request)
    if request.indices or request.pairs:
        name = next(name for name, kind in CHOSEN.items() if kind == request.kind)
        text = f"{name}:{chosen(request)}"
    params = {"graph": text, "network": choice.kind, "shards": choice.partition}
    return params | ({"anew": "1"} if choice.repartition else {})


def from_params(params: Mapping[str, str]) -> Choice | None:
    """The inverse of `to_params`; None where the link asks for nothing. Raises LabError."""
    text = params.get("graph", "")
    if not text:
        return None
    kind, partition = params.get("network", "gcn"), params.get("shards", "blpa")
    if kind_named(kind) == "sgc":
        raise BadRequest("This screen has GCN and GraphSAGE.")
    name, _, rest = text.partition(":")
    if name in CHOSEN:
        request = picked(CHOSEN[name], rest)
    elif name == "class" or re.fullmatch("[0-9]{1,9}", rest):  # else it would name a file
        request = parse_graph_request(text)
    else:
        raise BadRequest(f"What the link wants forgotten, {short(text)}, cannot be read.")
    if (request.count or 0) > MOST:
        raise BadRequest(f"The link asks for {request.count:,}; this screen forgets up to {MOST}.")
    return Choice(kind, partition_named(partition).name, params.get("anew") == "1", request)


def chosen(request: GraphRequest) -> str:
    """The nodes or edges that a request names: "12,40", "12-40,7-9"."""
    edges = (f"{first}-{second}" for first, second in request.pairs)
    return ",".join([*map(str, request.indices), *edges])


def picked(kind: str, text: str) -> GraphRequest:
    """A request of a kind of `CHOSEN` for what a visitor writes. Raises BadRequest."""
    edges = kind == "edges"
    parts = [part.strip() for part in re.split(r"[,;\n]", text) if part.strip()]
    one = r"([0-9]{1,9})\s*-\s*([0-9]{1,9})" if edges else "([0-9]{1,9})"
    found = [match for part in parts if (match := re.fullmatch(one, part))]
    if not parts or len(found) < len(parts):
        wanted = "the two nodes of each edge: 12-40, 7-9" if edges else "numbers of nodes: 12, 40"
        what = f"{short(text)} cannot be read." if parts else "Nothing is chosen yet."
        raise BadRequest(what, f"Write {wanted}.")
    if len(parts) > MOST:
        raise BadRequest(f"{len(parts):,} are more than this screen forgets ({MOST}).")
    if edges:
        return GraphRequest("edges", pairs=tuple((int(m[1]), int(m[2])) for m in found))
    indices = tuple(int(match[1]) for match in found)
    return GraphRequest("features" if kind == "features" else "indices", indices=indices)
