"""A graph by its name: from a folder that is named, from an earlier download, or built in. Nothing
is ever downloaded from here."""

from __future__ import annotations

import functools
from pathlib import Path

from core.data.sources import data_folder
from core.errors import BadRequest, DataMissing, short
from core.files import cache_folder
from core.graphs.data.digits import digits_graph
from core.graphs.data.graph import GraphDataset, dataset_of
from core.graphs.data.planetoid import CLASSES, find_files, read_planetoid

GRAPHS = ("digits-graph", *CLASSES)


def load_graph(
    name: str, folder: str | Path | None = None, cache: Path | None = None, seed: int = 0
) -> GraphDataset:
    """ "digits-graph", "cora" or "citeseer".

    folder: where the Planetoid files are; without it the environment's FORGETTING_LAB_DATA, then
    what a download left in the cache. seed: of the deal into training and test nodes; 0 but for
    experiments, so that a request means the same nodes in every run. Raises BadRequest,
    DataMissing or DataCorrupt.
    """
    if name not in GRAPHS:
        raise BadRequest(f"There is no graph {short(name)}.", f"There are {', '.join(GRAPHS)}.")
    if name == "digits-graph":
        return digits_graph(seed)
    location, named = data_folder(name, folder, cache_folder() if cache is None else cache)
    try:
        written = max(file.stat().st_mtime_ns for file in find_files(location, name).values())
    except DataMissing as error:
        if named:
            raise
        raise DataMissing(
            f"{name.capitalize()} is not on this machine.",
            f"Download it (python -m core download {name}), or name its folder with --data or "
            "FORGETTING_LAB_DATA.",
        ) from error
    return _read(name, location, written, seed)


@functools.lru_cache(4)
def _read(name: str, location: Path, written: int, seed: int) -> GraphDataset:
    """written: when the files were, so that none is kept longer than it is so."""
    graph = read_planetoid(location, name)
    edges = graph.edges.shape[1]
    return dataset_of(
        name,
        graph,
        CLASSES[name],
        f"{name.capitalize()}: {len(graph):,} papers, joined by {edges:,} citations, with the "
        "words that stand in each (Planetoid files).",
        seed,
    )
