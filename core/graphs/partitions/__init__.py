"""How the training nodes are dealt into shards, by name."""

from __future__ import annotations

from core.errors import BadSetting
from core.graphs.partitions.at_random import AT_RANDOM
from core.graphs.partitions.bekm import BEKM
from core.graphs.partitions.blpa import BLPA
from core.graphs.partitions.metis import METIS
from core.graphs.partitions.partition import Partition

PARTITIONS: dict[str, Partition] = {
    partition.name: partition for partition in (AT_RANDOM, METIS, BLPA, BEKM)
}


def partition_named(name: str) -> Partition:
    """Raises BadSetting for another name."""
    if name not in PARTITIONS:
        raise BadSetting(f"There is no partition {name!r}.", f"There are {', '.join(PARTITIONS)}.")
    return PARTITIONS[name]
