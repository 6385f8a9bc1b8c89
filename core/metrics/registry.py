"""Every metric by name, discovered: a new file in this folder with a `Metric` in it is a new
metric, and an attack (`core.attacks`) is two: against all test images, and against those of the
same classes."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import TypeVar

import core.attacks
import core.metrics
from core.attacks.attack import Attack
from core.metrics.metric import Metric

Kind = TypeVar("Kind")


def _declared(package: ModuleType, kind: type[Kind]) -> Iterator[Kind]:
    """What the modules of a package declare, by file name, then in the order written."""
    for module_info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{module_info.name}")
        if module.__name__ != __name__:
            yield from (item for item in vars(module).values() if isinstance(item, kind))


ATTACKS: dict[str, Attack] = {attack.name: attack for attack in _declared(core.attacks, Attack)}
"""Every attack by name."""
METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *_declared(core.metrics, Metric),
        *(metric for attack in ATTACKS.values() for metric in attack.metrics()),
    )
}
"""Every metric by name, in the order of tables."""
