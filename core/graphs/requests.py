"""What a graph should forget: nodes, edges, or the features of nodes, as a link or a file has it.

It stands beside `core.data.requests.ForgetRequest`: a graph forgets what images do not have.
`core.graphs.deletion` turns it into the nodes and edges of one data set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
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

FORMS = (
    "Use nodes:20, nodes:0.05, class:NAME, indices:FILE (one node a line), best-connected:20, "
    "edges:100, edges:FILE (two nodes a line) or features:20."
)


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
            raise EmptyForgetSet("Nothing is chosen to be forgotten.", FORMS)
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
        amount = f"{count:,}" if self.fraction is None else f"{100 * self.fraction:g} % of the"
        random = "random " if not (self.indices or self.pairs) else "chosen "
        plural = "" if amount == "1" else "s"
        if self.kind == "class":
            return f"every training node of the class {self.name}"
        if self.kind == "best-connected":
            return f"the {amount + ' ' if plural else ''}training node{plural} with most neighbours"
        if self.kind == "edges":
            return f"{amount} {random}edge{plural} between training nodes"
        nodes = f"{amount} {random}training node{plural}"
        return f"the features of {nodes}" if self.kind == "features" else nodes


def parse_graph_request(text: str, seed: int = 0) -> GraphRequest:
    """nodes:20 | nodes:0.05 | class:NAME | indices:FILE | best-connected:20 | edges:100 |
    edges:FILE | features:20

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
        if named == "indices":
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
