"""What a graph should forget: nodes, edges, or the features of nodes, as a link or a file has it.

It stands beside `core.data.requests.ForgetRequest`: a graph forgets what images do not have.
`core.graphs.request_text` reads and writes it, `core.graphs.deletion` turns it into the nodes and
edges of one data set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from core.data.names import is_class_name
from core.data.requests import MOST_IMAGES as MOST
from core.data.requests import MOST_SEED
from core.errors import BadRequest, EmptyForgetSet, IndexOutOfRange, UnknownClass, short

Kind = Literal["nodes", "class", "indices", "best-connected", "edges", "features"]
KINDS: tuple[Kind, ...] = get_args(Kind)

USED: dict[Kind, tuple[str, ...]] = {
    "nodes": ("count", "fraction"),
    "class": ("name",),
    "indices": ("indices",),
    "best-connected": ("count",),
    "edges": ("count", "fraction", "pairs"),
    "features": ("count", "fraction", "indices"),
}


@dataclass(frozen=True)
class GraphRequest:
    """kind: "nodes" (a count or a fraction of the training nodes, at random), "class" (every
    training node of the class `name`), "indices" (chosen training nodes), "best-connected" (the
    `count` training nodes with the most neighbours), "edges" (so many at random of those between
    training nodes, or these `pairs`), "features" (all that is said of so many random training
    nodes, or of `indices`, but their edges and labels). seed: of what is drawn at random.
    Raises BadRequest where the kind lacks what it needs, or is given what it does not use.
    """

    kind: Kind
    count: int | None = None
    fraction: float | None = None
    name: str = ""
    indices: tuple[int, ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadRequest(
                f"A graph cannot forget {short(str(self.kind))}.", f"It forgets {', '.join(KINDS)}."
            )
        object.__setattr__(self, "indices", tuple(sorted(set(self.indices))))
        pairs = {(min(pair), max(pair)) for pair in self.pairs}
        object.__setattr__(self, "pairs", tuple(sorted(pairs)))
        given = [
            name
            for name in ("count", "fraction", "name", "indices", "pairs")
            if getattr(self, name) not in (None, (), "")
        ]
        for name in given:
            if name not in USED[self.kind]:
                raise BadRequest(f"A graph's request of kind {self.kind!r} has no {name}.")
        if not given:
            raise EmptyForgetSet("Nothing is chosen to be forgotten.", "Choose nodes or edges.")
        if len(given) > 1:
            raise BadRequest(f"A graph's request has either {given[0]} or {given[1]}, not both.")
        self._check_numbers()

    def _check_numbers(self) -> None:
        if self.fraction is not None and not 0 < self.fraction < 1:
            raise BadRequest(
                f"A fraction of {self.fraction:g} makes no sense.", "Give one between 0 and 1."
            )
        if self.count is not None and not 0 < self.count <= MOST:
            raise BadRequest(f"{self.count:,} cannot be forgotten.", "Give a positive count.")
        if not 0 <= self.seed <= MOST_SEED:
            raise BadRequest(f"The forget seed goes from 0 to {MOST_SEED}.")
        ends = (end for pair in self.pairs for end in pair)
        if any(abs(node) > MOST for node in (*self.indices, *ends)):
            raise IndexOutOfRange("No graph has a node of that number.")
        if self.kind == "class" and not is_class_name(self.name):
            raise UnknownClass(f"No class can be named {short(self.name)}.")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the fields that this request does not use."""
        fields: dict[str, Any] = {"kind": self.kind, "seed": self.seed}
        for name in USED[self.kind]:
            if (value := getattr(self, name)) not in (None, (), ""):
                fields[name] = list(value) if isinstance(value, tuple) else value
        return fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> GraphRequest:
        """The inverse of `to_dict`; raises BadRequest on anything else."""
        try:
            known = dict(fields)
            known["indices"] = tuple(int(node) for node in known.get("indices", ()))
            known["pairs"] = tuple((int(a), int(b)) for a, b in known.get("pairs", ()))
            return cls(**known)
        except (TypeError, ValueError, OverflowError) as error:
            raise BadRequest("This request to a graph cannot be read.") from error

    def describe(self) -> str:
        """In plain words: "20 random training nodes", say."""
        count = self.count if self.count is not None else len(self.indices) or len(self.pairs)
        amount = f"{count:,} {'chosen' if self.indices or self.pairs else 'random'} "
        if self.fraction is not None:
            amount = f"a random {100 * self.fraction:g} % of the "
        plural = "" if count == 1 else "s"
        if self.kind == "class":
            return f"every training node of the class {self.name}"
        if self.kind == "best-connected":
            many = f"{count:,} " if plural else ""
            return f"the {many}training node{plural} with most neighbours"
        if self.kind == "edges":
            return f"{amount}edge{plural} between training nodes"
        nodes = f"{amount}training node{plural}"
        return f"the features of {nodes}" if self.kind == "features" else nodes
