"""How a graph network is built and trained."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from core.errors import BadRequest, short

Kind = Literal["gcn", "sage", "sgc"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class GraphRecipe:
    """kind: "gcn" (Kipf & Welling, ICLR 2017), "sage" (GraphSAGE with the mean, Hamilton et al.,
    NeurIPS 2017) or "sgc" (simplified, linear, without dropout; Wu et al., ICML 2019). Two layers
    with `hidden` units between them. self_loops: whether a node is among its own neighbours.
    """

    kind: Kind = "gcn"
    hidden: int = 64
    epochs: int = 200
    learning_rate: float = 0.01
    weight_decay: float = 5e-4
    dropout: float = 0.5
    self_loops: bool = True

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def kind_named(name: str) -> Kind:
    """Raises BadRequest for another name."""
    for kind in KINDS:
        if kind == name:
            return kind
    raise BadRequest(f"There is no graph network {short(name)}.", f"There are {', '.join(KINDS)}.")
