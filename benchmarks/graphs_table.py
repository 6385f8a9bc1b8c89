"""What the table of GraphEraser says, from the lines of its log."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.log import Line

NETWORKS = {"gcn": "GCN", "sage": "GraphSAGE"}
SAID = {
    "retrain": "one network",
    "random": "random",
    "metis": "METIS",
    "blpa": "BLPA",
    "bekm": "BEKM",
}
HOW = ("mean", "majority", "lbaggr")


def table(lines: Sequence[Line]) -> str:
    """One row a data set, network, setting of self-loops and partition, as Markdown."""
    rows = [
        "# GraphEraser on Cora and Citeseer, ten shards",
        "",
        "`python -m benchmarks.graphs --data ../shared/data/planetoid`; accuracy and macro-F1 on "
        "test nodes in percent, mean and standard deviation over the seeds, by the aggregation "
        "(mean, majority, LBAggr). Seconds of one core: to forget one node (median of three) and a "
        "hundred at once, with LBAggr. Share: of training one network on what is left.",
        "",
        "| graph | network | self-loops | shards by | accuracy | macro-F1 | one, s | share "
        "| hundred, s | share |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for key in sorted({_setting(line) for line in lines}, key=_order):
        chosen = [line for line in lines if _setting(line) == key]
        for method, said in SAID.items():
            ours = [line for line in chosen if line["method"] == method]
            if ours:
                cells = _cells(ours, chosen)
                name, kind, loops = key
                first = (name.capitalize(), NETWORKS[kind], "on" if loops else "off", said)
                rows.append(f"| {' | '.join((*first, *cells))} |")
    return "\n".join([*rows, "", *_sentences(lines)]) + "\n"


def summary(lines: Sequence[Line]) -> dict[str, Any]:
    """What the app says of it, JSON-ready; numbers None where the log has no lines of both."""
    found: dict[str, Any] = {"seeds": len({line["seed"] for line in lines})}
    for loops in (True, False):
        apart = _apart(lines, loops)
        name = "on" if loops else "off"
        found[f"blpa_less_random_{name}"] = statistics.mean(apart) if apart else None
        found[f"settings_{name}"] = len(apart)
        found[f"blpa_better_{name}"] = sum(difference > 0 for difference in apart)
    shares = _shares(lines)
    found["median_share_of_one"] = statistics.median(shares) if shares else None
    return found


def _sentences(lines: Sequence[Line]) -> list[str]:
    known = summary(lines)
    said = []
    if known["median_share_of_one"] is not None:
        share = 100 * known["median_share_of_one"]
        said.append(
            f"Forgetting one node costs {share:.0f} % of training one network, at the median of "
            "all rows and seeds (acceptance: at most 15 %)."
        )
    for name in ("on", "off"):
        if known[f"settings_{name}"]:
            said.append(
                f"Self-loops {name}: BLPA with LBAggr is "
                f"{100 * known[f'blpa_less_random_{name}']:+.1f} points of accuracy from random "
                f"shards with LBAggr, on average, and better in {known[f'blpa_better_{name}']} of "
                f"{known[f'settings_{name}']} settings and seeds."
            )
    return said


def _cells(ours: Sequence[Line], chosen: Sequence[Line]) -> list[str]:
    how = [name for name in ("", *HOW) if name in ours[0]["before"]]
    cells = [
        ", ".join(_spread([line["before"][name][metric] for line in ours]) for name in how)
        for metric in ("test_accuracy", "macro_f1")
    ]
    for time in ("one", "many"):
        seconds = [line[time] for line in ours]
        cells.append(f"{statistics.mean(seconds):.2f}")
        shares = [line[time] / single for line in ours if (single := _single(chosen, line["seed"]))]
        cells.append(f"{100 * statistics.median(shares):.0f} %" if shares else "-")
    return cells


def _spread(values: Sequence[float]) -> str:
    apart = f" ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * statistics.mean(values):.1f}{apart}"


def _single(lines: Sequence[Line], seed: int) -> float | None:
    """Seconds of training one network on what is left after a single node, same seed."""
    found = [x for x in lines if x["method"] == "retrain" and x["seed"] == seed]
    return float(found[0]["one"]) if found else None


def _shares(lines: Sequence[Line]) -> list[float]:
    """Of one deletion with LBAggr, every line of a partition."""
    found = []
    for line in lines:
        if line["method"] != "retrain":
            same = [other for other in lines if _setting(other) == _setting(line)]
            if single := _single(same, line["seed"]):
                found.append(line["one"] / single)
    return found


def _apart(lines: Sequence[Line], loops: bool) -> list[float]:
    """BLPA's accuracy less that of random shards, both with LBAggr, for each setting and seed."""
    by_key: dict[tuple[Any, ...], dict[str, float]] = {}
    for line in lines:
        if line["self_loops"] == loops and line["method"] in ("blpa", "random"):
            found = by_key.setdefault((*_setting(line), line["seed"]), {})
            found[line["method"]] = line["before"]["lbaggr"]["test_accuracy"]
    return [f["blpa"] - f["random"] for f in by_key.values() if len(f) == 2]


def _setting(line: Line) -> tuple[str, str, bool]:
    return line["dataset"], line["kind"], line["self_loops"]


def _order(key: tuple[str, str, bool]) -> tuple[bool, bool, bool]:
    return key[0] != "cora", key[1] != "gcn", not key[2]
