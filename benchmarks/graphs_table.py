"""What the table of GraphEraser says, from the lines of its log."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from scipy.stats import t

from benchmarks.log import Line

NETWORKS = {"gcn": "GCN", "sage": "GraphSAGE"}
SAID = {
    "retrain": "one network",
    "random": "random",
    "metis": "METIS",
    "blpa": "BLPA",
    "bekm": "BEKM",
}
FLOORS = {"cora": 0.85, "citeseer": 0.74}
"""What the issue asks of one network, as shares of the test nodes."""
HOW = ("mean", "majority", "lbaggr")


def table(lines: Sequence[Line]) -> str:
    """One row a data set, network, setting of self-loops and partition, as Markdown."""
    rows = [
        "# GraphEraser on Cora and Citeseer, ten shards",
        "",
        "`python -m benchmarks.graphs --data ../shared/data/planetoid`; accuracy and macro-F1 on "
        "test nodes in percent, mean and standard deviation over the seeds, by the aggregation "
        "(mean, majority, LBAggr). Seconds of one core, by the aggregation too (mean and majority "
        "learn nothing, so they take the same): to forget one node (median of three) and a hundred "
        "at once. Share: with LBAggr, of training one network on what is left.",
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
        by_seed = _apart(lines, loops)
        apart = [one for seed in by_seed.values() for one in seed]
        name = "on" if loops else "off"
        found[f"blpa_less_random_{name}"] = statistics.mean(apart) if apart else None
        found[f"interval_{name}"] = _interval([statistics.mean(s) for s in by_seed.values()])
        found[f"settings_{name}"] = len(apart)
        found[f"blpa_better_{name}"] = sum(difference > 0 for difference in apart)
    found["probe"] = probe(found["interval_on"], found["interval_off"])
    shares = _shares(lines)
    found["median_share_of_one"] = statistics.median(shares) if shares else None
    return found


def probe(on: Sequence[float] | None, off: Sequence[float] | None) -> str | None:
    """Of "BLPA is better than random shards, and no longer so once self-loops are on": "confirmed",
    "refuted" (still so with them), or "never better"; None where too little was measured. on, off:
    95 % intervals of the advantage."""
    if on is None or off is None:
        return None
    if on[0] > 0:
        return "refuted"
    return "confirmed" if off[0] > 0 else "never better"


def _interval(values: Sequence[float]) -> list[float] | None:
    """95 %, of the mean over seeds, by Student's t: settings of one seed share their test nodes."""
    if len(values) < 2:
        return None
    half = t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return [statistics.mean(values) - half, statistics.mean(values) + half]


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
                f"shards with LBAggr, on average{_between(known[f'interval_{name}'])}, and better "
                f"in {known[f'blpa_better_{name}']} of {known[f'settings_{name}']} settings and "
                "seeds."
            )
    if known["probe"]:
        said.append(f"That its advantage is gone once self-loops are on: {known['probe']}.")
    return said + [_one_network(lines, name) for name in FLOORS if _single_lines(lines, name)]


def _between(interval: Sequence[float] | None) -> str:
    if interval is None:
        return ""
    low, high = (100 * end for end in interval)
    return f" (95 % over the seeds: {low:+.1f} to {high:+.1f})"


def _single_lines(lines: Sequence[Line], name: str) -> list[Line]:
    found = [x for x in lines if x["method"] == "retrain" and x["dataset"] == name]
    return [x for x in found if x["self_loops"]]


def _one_network(lines: Sequence[Line], name: str) -> str:
    """What retraining reaches, and whether more steps reach more."""
    found = []
    for kind, said in NETWORKS.items():
        ours = [x for x in _single_lines(lines, name) if x["kind"] == kind]
        if ours:
            once, twice = (
                _spread([x[which][""]["test_accuracy"] for x in ours])
                for which in ("before", "twice")
            )
            found.append(f"{said} {once} % ({twice} % after twice as many steps)")
    return (
        f"One network with self-loops on {name.capitalize()}: {', '.join(found)}; acceptance: at "
        f"least {100 * FLOORS[name]:.0f} %."
    )


def _cells(ours: Sequence[Line], chosen: Sequence[Line]) -> list[str]:
    how = [name for name in ("", *HOW) if name in ours[0]["before"]]
    cells = [
        ", ".join(_spread([line["before"][name][metric] for line in ours]) for name in how)
        for metric in ("test_accuracy", "macro_f1")
    ]
    for time in ("one", "many"):
        whole = [line[time] for line in ours]
        free = [line[time] - line[f"{time}_weighing"] for line in ours]
        each = (free if name in ("mean", "majority") else whole for name in how)
        cells.append(", ".join(map(_seconds, each)))
        shares = [line[time] / single for line in ours if (single := _single(chosen, line["seed"]))]
        cells.append(f"{100 * statistics.median(shares):.0f} %" if shares else "-")
    return cells


def _seconds(values: Sequence[float]) -> str:
    apart = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{apart}"


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


def _apart(lines: Sequence[Line], loops: bool) -> dict[int, list[float]]:
    """By seed, BLPA's accuracy less that of random shards, both with LBAggr, in each setting."""
    by_key: dict[tuple[Any, ...], dict[str, float]] = {}
    for line in lines:
        if line["self_loops"] == loops and line["method"] in ("blpa", "random"):
            found = by_key.setdefault((*_setting(line), line["seed"]), {})
            found[line["method"]] = line["before"]["lbaggr"]["test_accuracy"]
    found_by_seed: dict[int, list[float]] = {}
    for key, f in by_key.items():
        if len(f) == 2:
            found_by_seed.setdefault(key[-1], []).append(f["blpa"] - f["random"])
    return found_by_seed


def _setting(line: Line) -> tuple[str, str, bool]:
    return line["dataset"], line["kind"], line["self_loops"]


def _order(key: tuple[str, str, bool]) -> tuple[bool, bool, bool]:
    return key[0] != "cora", key[1] != "gcn", not key[2]
