"""How a request to a graph is written: "nodes:20", "class:Theory"."""

from __future__ import annotations

from pathlib import Path

from core.errors import BadRequest, short
from core.graphs.requests import KINDS, GraphRequest, Kind

FORMS = (
    "Use nodes:20, nodes:0.05, class:NAME, indices:FILE (one node a line), best-connected:20, "
    "edges:100, edges:FILE (two nodes a line), features:20 or features:FILE (one node a line)."
)


def graph_request_text(request: GraphRequest) -> str:
    """The inverse of `parse_graph_request`, without the seed; FILE stands for a list of nodes or
    edges that the request names."""
    if request.kind == "class":
        return f"class:{request.name}"
    if request.indices or request.pairs:
        return f"{request.kind}:FILE"
    return f"{request.kind}:{request.fraction if request.count is None else request.count}"


def chosen_text(request: GraphRequest) -> str:
    """What such a FILE holds: a node a line, or the two ends of an edge; "" of a request that names
    none."""
    lines = [str(node) for node in request.indices] or [f"{a} {b}" for a, b in request.pairs]
    return "".join(f"{line}\n" for line in lines)


def parse_graph_request(text: str, seed: int = 0) -> GraphRequest:
    """nodes:20 | nodes:0.05 | class:NAME | indices:FILE | best-connected:20 | edges:100 |
    edges:FILE | features:20 | features:FILE

    seed: of the kinds that draw at random. Raises BadRequest.
    """
    kind, _, rest = text.partition(":")
    wrong = BadRequest(f"The forget request {short(text)} cannot be read.", FORMS)
    if kind not in KINDS or not rest.strip():
        raise wrong
    named: Kind = kind
    try:
        if named == "class":
            return GraphRequest(named, name=rest.strip(), seed=seed)
        amount = _amount(rest) if named != "indices" else None
        if isinstance(amount, int):
            return GraphRequest(named, count=amount, seed=seed)
        if amount is not None:
            return GraphRequest(named, fraction=amount, seed=seed)
        if named in ("indices", "features"):
            return GraphRequest(named, indices=tuple(_numbers(rest)), seed=seed)
        if named == "edges":
            found = _numbers(rest)
            pairs = tuple(zip(found[::2], found[1::2], strict=True))
            return GraphRequest(named, pairs=pairs, seed=seed)
    except (ValueError, UnicodeDecodeError, OverflowError) as error:
        raise wrong from error
    except (OSError, RuntimeError) as error:  # RuntimeError: ~NAME of no known user
        raise BadRequest(f"The file {short(rest)} cannot be read.", FORMS) from error
    raise wrong


def _amount(text: str) -> int | float | None:
    """A count, a fraction, or None for what is no number."""
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return None


def _numbers(file: str) -> list[int]:
    return [int(number) for number in Path(file).expanduser().read_text().split()]
