"""The sentences of the screen about graphs, each computed from what it says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.metrics.differences import difference
from core.metrics.measures import Measure
from core.verdict import Verdict
from ui.wording.numbers import duration
from ui.wording.verdicts import said_of

PARTITIONS = {
    "random": "At random",
    "metis": "METIS",
    "blpa": "BLPA",
    "bekm": "BEKM",
}
NETWORKS = {"gcn": "GCN", "sage": "GraphSAGE"}

_PROBE = "A first probe had found this advantage gone once a node listens to itself"
PROBES = {
    "confirmed": f"{_PROBE}: confirmed. ",
    "refuted": f"{_PROBE}: refuted, it stays. ",
    "never better": f"{_PROBE}: in neither case is there one that is surely there. ",
}
"""What five seeds made of the first probe."""

MEASURED = {
    "forget_accuracy": "Right on what is forgotten",
    "retain_accuracy": "Right on what is kept",
    "test_accuracy": "Right on new digits",
    "macro_f1": "Macro-F1 on new digits",
    "mia": "Spy's score",
    "margin_auc": "Margin spy (AUC)",
}
"""The numbers that stand beside a verdict."""

INTRODUCTION = (
    "In a graph nobody stands alone: a network that labels a node listens to its neighbours, so a "
    "node leaves traces in what is said of others. **GraphEraser** cuts the graph into ten shards "
    "and teaches each a network of its own. To forget a node, only the network of its shard starts "
    "anew."
)

NOTHING_YET = (
    "Every point is a handwritten digit, every line joins two that look alike. Choose what to "
    "forget, and see which shards have to learn again."
)


def takeaway(
    shards: int,
    trained: int,
    seconds: Mapping[str, float],
    accuracy: Mapping[str, Measure],
) -> str:
    """What a visitor takes away. seconds: "deletion", "retraining". accuracy: "after" and "one
    network", on test nodes."""
    share = seconds["deletion"] / seconds["retraining"]
    cheap = (
        f"**{trained} of {shards} shards** learned again, in {seconds['deletion']:.1f} s; one "
        f"network for the whole graph takes {seconds['retraining']:.1f} s"
    )
    if share < 0.9:
        cheap += f", so splitting made forgetting {1 / share:.1f} times as fast."
    elif share < 1.1:
        cheap += ": where every shard is hit, splitting saves nothing."
    else:
        cheap += ": where so many shards are hit, splitting costs more than it saves."
    apart, _ = difference(accuracy["one network"], accuracy["after"])
    price = (
        f"The shards together label {_percent(accuracy['after'])} of new digits correctly, one "
        f"network {_percent(accuracy['one network'])}: "
    )
    if apart.low <= 0 <= apart.high:
        price += f"on {apart.n:,} digits that cannot be told apart from luck."
    elif apart.value > 0:
        price += f"{100 * apart.value:.1f} points are the price of splitting."
    else:
        price += f"here they are {-100 * apart.value:.1f} points ahead."
    return f"{cheap} {price}"


def exactness(exact: bool, repartition: bool, partition: str) -> str:
    """What may be left of what was forgotten."""
    if not exact:
        return (
            f"Nearly exact: no network has seen what is forgotten, but {PARTITIONS[partition]} "
            "looked at it when the others were dealt into shards, and they stay where they are. "
            "Deal them anew and the last trace is gone, at the price of more training."
        )
    why = (
        "what is left was dealt into shards anew"
        if repartition
        else "the shards were dealt without looking at it"
    )
    return f"Exact: {why}, and every network is, to the last bit, one that never saw it."


def verdict_offer(seconds: Mapping[str, float]) -> str:
    """What the verdict takes. seconds: of the live deletion."""
    return (
        "The shards are retrained without what is forgotten, from three seeds, and spies ask the "
        "models before, after and retrained about it. That takes some "
        f"{duration(max(5.0, 8 * seconds['retraining']))}."
    )


def verdict(found: Verdict, identical: bool) -> str:
    """The verdict that an image classifier would get."""
    if identical:
        return (
            "**Forgotten exactly**: every answer is, to the last bit, that of shards that never "
            "saw it."
        )
    return f"**{said_of(found, 'digits')}**"


def on_citations(found: Mapping[str, Any] | None) -> str:
    """What the benchmark says of BLPA beside random shards; "" where it did not run."""
    if not found or found.get("blpa_less_random_on") is None:
        return ""
    said = [
        f"{_direction(found[f'blpa_less_random_{name}'])} {words} (better in "
        f"{found[f'blpa_better_{name}']} of {found[f'settings_{name}']} comparisons)"
        for name, words in (
            ("on", "where a node listens to itself"),
            ("off", "where it does not, as in the released code"),
        )
        if found.get(f"blpa_less_random_{name}") is not None
    ]
    probe = PROBES.get(found.get("probe") or "", "")
    return (
        "Measured on Cora and Citeseer: shards that keep communities together (BLPA) label new "
        f"papers {' and '.join(said)} than shards dealt at random. {probe}Forgetting one node "
        f"there costs {100 * found['median_share_of_one']:.0f} % of retraining one network."
    )


def asked(what: str, partition: str, kind: str) -> str:
    """The heading of a result. what: the request in words."""
    shards = {"random": "shards dealt at random"}.get(
        partition, f"shards by {PARTITIONS[partition]}"
    )
    return f"Forgotten: {what} ({NETWORKS[kind]}, {shards})"


def trained_again(shards: int, trained: int) -> str:
    return f"{trained} of {shards} shards {'is' if trained == 1 else 'are'} trained again."


def forgotten(part: str, nodes: int, edges: int, neighbours: int) -> str:
    """What is marked in the drawing."""
    if part == "edges":
        return f"{_count(edges, 'edge')} forgotten, drawn strongly; their ends are ringed."
    lost = "forgotten" if part == "nodes" else "without features"
    return (
        f"{_count(nodes, 'digit')} {lost}, ringed large; {_count(neighbours, 'neighbour')} small."
    )


def drawing(lost: float) -> str:
    """lost: the share of the edges that run between shards."""
    return (
        "Digits that look alike lie together. Faint lines are edges within a shard; the other "
        f"{100 * lost:.0f} % run between shards, and no network learns from them."
    )


def _percent(measure: Measure) -> str:
    return f"{100 * measure.value:.1f} %"


def _direction(apart: float) -> str:
    return f"{abs(100 * apart):.1f} points {'better' if apart > 0 else 'worse'}"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
