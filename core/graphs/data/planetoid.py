"""The citation graphs Cora and Citeseer in the Planetoid files (Yang, Cohen & Salakhutdinov, ICML
2016, arXiv 1603.08861): eight files `ind.NAME.*`, seven of them Python 2 pickles.

A node is a paper, an edge a citation, a feature a word that stands in the paper or does not. Rows
of features are scaled to sum to one, as Kipf & Welling (ICLR 2017) have it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import BadRequest, DataCorrupt, DataMissing, short
from core.graphs.data.graph import NO_LABEL, Graph, Ids, undirected
from core.graphs.data.pickles import AGAIN, read_pickle

if TYPE_CHECKING:
    from scipy.sparse import csr_array

CLASSES = {
    "cora": (
        "Theory", "Reinforcement_Learning", "Genetic_Algorithms", "Neural_Networks",
        "Probabilistic_Methods", "Case_Based", "Rule_Learning",
    ),
    "citeseer": ("AI", "ML", "IR", "DB", "Agents", "HCI"),
}  # fmt: skip
"""By the counts of each class, which the original releases give with their names."""

PARTS = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")


def find_files(folder: Path, name: str) -> dict[str, Path]:
    """The eight files by part, in the folder or in NAME/raw, NAME or raw below it. Raises
    DataMissing, which names the first one that is not there."""
    if name not in CLASSES:
        raise BadRequest(f"There is no graph {short(name)}.", f"There are {', '.join(CLASSES)}.")
    if not folder.is_dir():
        raise DataMissing(
            f"The data folder {folder} does not exist.", "Check its name, or download the data."
        )
    missing = ""
    for here in (folder / name / "raw", folder / name, folder / "raw", folder):
        files = {part: here / f"ind.{name}.{part}" for part in PARTS}
        absent = [file for file in files.values() if not file.is_file()]
        if not absent:
            return files
        if len(absent) < len(files):
            missing = missing or f"{absent[0].name} is not in {here}."
    raise DataMissing(
        missing or f"There is no {name} in {folder}.",
        f"It needs the Planetoid files ind.{name}.*, which are downloaded by: "
        f"python -m core download {name}",
    )


def read_planetoid(folder: Path, name: str) -> Graph:
    """The whole graph. Raises DataMissing, DataCorrupt."""
    files = find_files(folder, name)
    try:
        parts = {part: read_pickle(files[part]) for part in PARTS if part != "test.index"}
        test = np.array([int(line) for line in files["test.index"].read_text().split()], np.int64)
        return _assembled(parts, test, len(CLASSES[name]))
    except DataCorrupt:
        raise
    except (OSError, ValueError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise DataCorrupt(
            f"The files of {name} in {files['graph'].parent} do not fit together.", AGAIN
        ) from error


def _assembled(parts: dict[str, Any], test: Ids, classes: int) -> Graph:
    """Nodes 0 .. len(allx)-1 stand in `allx`, those of `test` in `tx`, in its order. Citeseer's
    numbers of test nodes have gaps: nodes of which nothing is known, neither words nor class."""
    from scipy.sparse import csr_array, vstack

    known, tested = parts["allx"].tocsr(), parts["tx"].tocsr()
    nodes = int(test.max()) + 1
    if len(test) != tested.shape[0] or test.min() < known.shape[0] or nodes > 1 << 24:
        raise ValueError("test nodes that do not fit")
    gap = csr_array((nodes - known.shape[0], known.shape[1]), dtype=np.float32)
    rows = np.arange(nodes)
    rows[test] = nodes + np.arange(len(test))
    features = vstack([known, gap, tested]).tocsr()[rows]
    labels = np.full(nodes, NO_LABEL, np.int64)
    for where, ones in ((np.arange(known.shape[0]), parts["ally"]), (test, parts["ty"])):
        said = ones.sum(axis=1) > 0
        labels[where[said]] = ones[said].argmax(axis=1)
    ends = [(int(node), int(other)) for node, more in parts["graph"].items() for other in more]
    first, second = (np.array(side, np.int64) for side in zip(*ends, strict=True))
    used = np.concatenate([first, second])
    if used.min() < 0 or used.max() >= nodes or labels.max() >= classes:
        raise ValueError("a node or a class that is not there")
    return Graph(np.arange(nodes), _by_row_sums(features), labels, undirected(first, second))


def _by_row_sums(features: csr_array) -> csr_array:
    from scipy.sparse import diags_array

    sums = np.asarray(features.sum(axis=1)).ravel()
    scaled = (diags_array(1 / np.where(sums == 0, 1, sums)) @ features).astype(np.float32).tocsr()
    scaled.sum_duplicates()
    return scaled
