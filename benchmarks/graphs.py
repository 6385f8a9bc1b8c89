"""GraphEraser on Cora and Citeseer: what cutting a graph into ten shards costs, and what it saves.

For GCN and GraphSAGE, with a node among its own neighbours and without, and five seeds (of the test
nodes, the shards and the weights): one network on the whole graph, and GraphEraser by four
partitions and three aggregations. Of each the accuracy and macro-F1 on test nodes, and what it
takes to forget one node (the median of three) and a hundred at once, apart from it what LBAggr
takes of that. One network is trained for twice as many steps, too, to see whether it had converged.
Seconds are of one CPU core's own time, so that other work beside it does not count. What has its
line in results/graphs.jsonl is not run again; with several processes at once (--share 0/2, --share
1/2) each does a part.

    python -m benchmarks.graphs --data ../shared/data/planetoid
    python -m benchmarks.graphs --table       # writes the table from the log, runs nothing
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks import RESULTS
from benchmarks.graphs_table import summary, table
from benchmarks.log import Line, Log
from core.curvature.products import finish
from core.files import SHIPPED
from core.graphs.aggregation import AGGREGATIONS
from core.graphs.data.load import load_graph
from core.graphs.deletion import deletion_of
from core.graphs.ensemble import WEIGHING, Ensemble
from core.graphs.evaluation import Questions
from core.graphs.methods import make
from core.graphs.methods.base import Task
from core.graphs.partitions import PARTITIONS
from core.graphs.recipe import GraphRecipe, kind_named
from core.graphs.requests import GraphRequest
from core.graphs.training import Training

LOG, SUMMARY = Log("graphs.jsonl"), SHIPPED / "graphs.json"
DATASETS, KINDS, SEEDS = ("cora", "citeseer"), ("gcn", "sage"), 5
SINGLES, MANY = 3, 100
"""So many single nodes are forgotten, each by the same model; and so many at once."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs what the log lacks, then writes the table and what the app shows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--datasets", nargs="*", default=DATASETS)
    parser.add_argument("--kinds", nargs="*", default=KINDS)
    parser.add_argument("--methods", nargs="*", default=("retrain", *PARTITIONS))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--share", default="0/1", help="I/N: every Nth, from the Ith on")
    parser.add_argument("--table", action="store_true", help="write the table, run nothing")
    options = parser.parse_args(arguments)
    if not options.table:
        torch.set_num_threads(1)
        number, of = map(int, options.share.split("/"))
        wanted = itertools.product(
            range(options.seeds), options.datasets, options.kinds, (True, False), options.methods
        )
        to_do = [key for key in itertools.islice(wanted, number, None, of) if not _has(key)]
        for done, key in enumerate(to_do):
            clock = time.perf_counter()
            LOG.add(_key(key) | measured(*key, options.data))
            spent = time.perf_counter() - clock
            left = spent * (len(to_do) - done - 1)
            print(f"{done + 1} of {len(to_do)}: {key}, {spent:.0f} s, {left / 60:.0f} min left")
    text = table(LOG.lines())
    (RESULTS / "graphs.md").write_text(text)
    SUMMARY.write_text(json.dumps(summary(LOG.lines()), indent=1) + "\n")
    print(text)


Key = tuple[int, str, str, bool, str]


def measured(
    seed: int, name: str, kind: str, loops: bool, method: str, folder: Path | None
) -> dict[str, Any]:
    """One network, or GraphEraser by a partition: seconds with LBAggr and LBAggr's own, the numbers
    of the same shards by every aggregation."""
    dataset = load_graph(name, folder, seed=seed)
    recipe = GraphRecipe(kind_named(kind), self_loops=loops)
    single = method == "retrain"
    how = make("retrain") if single else make("graph_eraser", {"partition": method})
    line: dict[str, Any] = {"shards": []}
    spent: dict[str, list[tuple[float, float]]] = {"one": [], "many": []}
    before: Any = None
    for many, request in _requests(dataset.train, seed, 1 if single else SINGLES):
        deletion = deletion_of(dataset, request)
        task, questions = (
            Task(dataset, deletion, recipe, seed),
            Questions(dataset, request, deletion),
        )
        if before is None:
            before, (line["training"], _) = _timed(how.train(task))
            line["before"] = _numbers(before, questions)
            if single:
                twice = replace(task, recipe=replace(recipe, epochs=2 * recipe.epochs))
                line["twice"] = _numbers(finish(how.train(twice)), questions)
        after, seconds = _timed(how.forget(before, task))
        spent["many" if many else "one"].append(seconds)
        if isinstance(after, Ensemble):
            line["shards"].append(len(after.trained))
        if many:
            line["after"] = _numbers(after, questions)
    for name, each in spent.items():
        whole, weighing = zip(*each, strict=True)
        line[name], line[f"{name}_weighing"] = statistics.median(whole), statistics.median(weighing)
    return line


def _requests(
    train: NDArray[np.int64], seed: int, singles: int
) -> Iterator[tuple[bool, GraphRequest]]:
    """Single nodes, then a hundred; whether it is the hundred."""
    drawn = np.random.default_rng((seed, 5)).permutation(train)
    for node in drawn[:singles]:
        yield False, GraphRequest("indices", indices=(int(node),))
    yield True, GraphRequest("indices", indices=tuple(map(int, drawn[:MANY])))


def _timed(work: Training[Any]) -> tuple[Any, tuple[float, float]]:
    """A model, the seconds of all, and those of learning how to weigh shards."""
    clock, weighing = time.process_time(), 0.0
    began = clock
    while True:
        try:
            step = next(work)
        except StopIteration as ended:
            return ended.value, (round(time.process_time() - began, 3), round(weighing, 3))
        if step.phase == WEIGHING:
            weighing += time.process_time() - clock
        clock = time.process_time()


def _numbers(model: Any, questions: Questions) -> dict[str, dict[str, float]]:
    """By aggregation ("" of one network), accuracy and macro-F1 on test nodes."""
    models = {"": model}
    if isinstance(model, Ensemble):
        models = {name: replace(model, aggregation=name, weights=None) for name in AGGREGATIONS}
        models["lbaggr"] = model
    names = ("test_accuracy", "macro_f1")
    measured = {how: questions.evaluate(each, only=names) for how, each in models.items()}
    return {how: {n: found.value(n) for n in names} for how, found in measured.items()}


def _key(key: Key) -> Line:
    names = ("seed", "dataset", "kind", "self_loops", "method")
    return dict(zip(names, key, strict=True))


def _has(key: Key) -> bool:
    return LOG.has(_key(key))


if __name__ == "__main__":
    main()
