"""Made-up runs and a runner that does no work, for the screens' tests. Needs no torch."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from core.attacks.curve import auc
from core.data.request_text import parse_request
from core.errors import LabError
from core.metrics.measures import AttackMeasure, Evaluation, Measure
from core.runs.plan import Plan
from core.runs.run import Probe, Run, Snapshot


def losses(n: int, share_right: float, seed: int, scale: float = 1.0) -> np.ndarray:
    """Cross-entropy losses as a trained network has them: most near 0, a tail of mistakes."""
    rng = np.random.default_rng(seed)
    right = np.exp(rng.normal(-4.5, 1.8, n)) * scale
    wrong = 0.7 + rng.gamma(2.0, 0.9, n)
    return np.where(rng.random(n) < share_right, np.minimum(right, 0.69), wrong).astype("float32")


def evaluation(
    forget: float = 0.99,
    test: float = 0.87,
    mia: float = 0.58,
    matched: float | None = None,
    n: int = 1000,
    direction: str = "forget lower",
) -> Evaluation:
    """An evaluation with these numbers and losses that look like them: those of any two are of the
    same images. A fresh read-out knows as much more of the forgotten as the network does."""

    def share(value: float, count: int = n) -> Measure:
        return Measure(value, value - 0.003, value + 0.003, count)

    def attack(value: float) -> AttackMeasure | None:
        if n < 10:
            return None
        side = direction if abs(value - 0.5) > 0.012 else "none"
        return AttackMeasure(value, value - 0.012, value + 0.012, n, side)

    f, t = losses(n, forget, 0), losses(1000, test, 1)
    inside = forget - test
    return Evaluation(
        {
            "forget_accuracy": share(forget),
            "retain_accuracy": share(0.995, 45_000),
            "test_accuracy": share(test, 10_000),
            "retained_test_accuracy": share(test, 10_000),
            "class_matched_test_accuracy": share(test),
            "mia": attack(mia),
            "mia_class_matched": attack(mia if matched is None else matched),
            "margin_auc": auc(-f.astype(float), -t.astype(float)),
            "re_head": Measure(inside, inside - 0.01, inside + 0.01, n),
            "overlap": Measure(min(1.0, 1.2 - abs(forget - test)), math.nan, math.nan, n),
        },
        forget_losses=f,
        test_losses=t,
        class_matched_losses=t[:500],
    )


def probe(step: int, total: int = 40, n: int = 500) -> Probe:
    """A quick look that gets better with the steps."""
    done = step / total
    f, t = losses(n, 0.99 - 0.11 * done, step), losses(n, 0.87, 999)
    return Probe(
        f, t, 0.99 - 0.11 * done, 0.87, 0.58 - 0.07 * done, False, n, *map(margins, (f, t)),
        photo_losses=f[:12], photo_predictions=np.full(12, step % 10),
    )  # fmt: skip


def margins(losses: np.ndarray) -> np.ndarray:
    """By how much the own class leads where there are two of them."""
    return -np.log(np.expm1(losses)).astype("float32")


def snapshot(step: int, total: int = 40, with_probe: bool = True) -> Snapshot:
    """The state after `step` steps."""
    return Snapshot(
        step,
        total if step else 0,
        "unlearning",
        step * 0.5,
        step * 0.05,
        (total - step) * 0.5 if step >= 3 else None,
        0.3 + 0.2 / (step + 1),
        probe=probe(step, total) if with_probe else None,
        rolling=None if with_probe else probe(step, total, 24),
    )


def plan(forget: str = "random:0.1", method: str = "fine_tune", dataset: str = "digits") -> Plan:
    """A plan on the compact model."""
    return Plan("compact", dataset, parse_request(forget), method, {"epochs": 1.0}, 0)


def run(
    id: str = "run-1",
    of: Plan | None = None,
    status: str = "finished",
    n: int = 1000,
    after: dict[str, object] | None = None,
    **fields: object,
) -> Run:
    """A finished run with a replay, before, after and retrained."""
    of = of or plan()
    found = Run(
        id,
        of,
        status,
        "2026-11-23T06:00:00+00:00",
        dict(of.settings),  # type: ignore[arg-type]
        {"unlearning": 21.0, "measuring": 4.0},
        {"python": "3.11", "torch": "2"},
        {"dataset": of.dataset, "forget": n, "test": 1000},
        before=evaluation(n=n),
        after=evaluation(**{"forget": 0.875, "test": 0.866, "mia": 0.506, "n": n, **(after or {})}),
        retrained=evaluation(0.87, 0.87, 0.502, n=n),
        replay=tuple(snapshot(step) for step in (0, 10, 20, 30, 40)),
        weights_sha256="a" * 64,
        reference="retrained-0",
        steps_done=40,
        total_steps=40,
    )
    return replace(found, **fields)


def class_run(id: str = "run-class", dataset: str = "digits") -> Run:
    """A whole class forgotten by fine-tuning: the trap."""
    of = plan("class:automobile" if dataset == "cifar10" else "class:1", dataset=dataset)
    found = run(id, of)
    return replace(
        found,
        after=evaluation(0.0, 0.866, 0.95, 0.51, direction="forget higher"),
        retrained=evaluation(0.0, 0.87, 0.96, 0.50, direction="forget higher"),
    )


@dataclass
class Runner:
    """Stands where `core.runs.record.in_core` does: snapshots up to `hold`, then waits for
    `release`.

    fail: raises this instead of finishing. slow: seconds between steps. measured: what the record
    "running" says of before and retrained (and after, where the verdict can be read), which comes
    ahead of the steps; empty: it does not come. plans: those that it was given.
    """

    hold: int = 20
    total: int = 40
    slow: float = 0.0
    fail: Exception | None = None
    measured: dict[str, object] = field(default_factory=dict)
    release: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)
    plans: list[Plan] = field(default_factory=list)

    def __call__(
        self,
        plan: Plan,
        *,
        folder: str | Path | None = None,
        stop: Callable[[], bool] = lambda: False,
        run_id: str = "",
    ) -> Iterator[Snapshot | Run]:
        self.plans.append(plan)
        for step in range(self.total + 1):
            if stop():
                yield run(run_id, plan, "partial", steps_done=step, total_steps=self.total)
                return
            yield snapshot(step, self.total, with_probe=step % 10 == 0)
            if step == 0 and self.measured:
                begun = run(run_id, plan, "running", replay=())
                yield replace(begun, **{"after": None, **self.measured})
            threading.Event().wait(self.slow)
            if step == self.hold:
                self.reached.set()
                while not self.release.wait(0.02) and not stop():
                    pass
        if self.fail is not None:
            raise self.fail
        yield run(run_id, plan)


FAILURE = LabError("The loss became infinite.", "A smaller learning rate helps.")
