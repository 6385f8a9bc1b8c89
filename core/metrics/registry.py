"""Every metric by name, discovered: a new file in this folder or in `core/attacks` with a `Metric`
in it is a new metric; an attack is several."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import core.attacks
import core.metrics
from core.attacks.attack import Attack, ThresholdAttack
from core.metrics.metric import Metric


def _declared(package: ModuleType) -> Iterator[Metric | Attack | ThresholdAttack]:
    """What the modules of a package declare, by file name, then in the order written."""
    for module_info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{module_info.name}")
        if module.__name__ == __name__:
            continue
        for item in vars(module).values():
            if isinstance(item, Metric | Attack | ThresholdAttack):
                yield item


_FOUND = [item for package in (core.metrics, core.attacks) for item in _declared(package)]
METRICS: dict[str, Metric] = {
    metric.name: metric
    for item in _FOUND
    for metric in ([item] if isinstance(item, Metric) else item.metrics())
}
"""Every metric by name, in the order of tables."""
SPIES: dict[str, ThresholdAttack] = {
    item.name: item for item in _FOUND if isinstance(item, ThresholdAttack)
}
"""Every attack that looks at the outputs and accuses above a threshold, by name."""
