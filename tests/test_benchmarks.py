"""The methods' table: what the logs say is what ships, controls are controls, ties are ties."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks import RESULTS, methods
from benchmarks.controls import CONTROLS, Divided, Masked
from benchmarks.gap import TERMS
from core.data.request_text import parse_request
from core.files import SHIPPED


def test_what_ships_is_made_from_the_logs() -> None:
    assert methods._table() == (RESULTS / "methods.md").read_text()
    assert methods._for_the_app() == json.loads((SHIPPED / "methods.json").read_text())


class Given(nn.Module):
    """Gives its input back as logits."""

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        return logits


def test_the_controls_change_the_output_alone() -> None:
    logits = torch.randn(200, 10, generator=torch.Generator().manual_seed(0))
    kept = logits.clone()
    masked = Masked(Given(), (3,))(logits)
    assert (masked.argmax(1) != 3).all()
    others = [i for i in range(10) if i != 3]
    assert torch.equal(masked[:, others], logits[:, others])
    divided = Divided(Given(), 20)(logits)
    assert torch.equal(divided.argmax(1), logits.argmax(1))
    torch.testing.assert_close(divided * 20, logits)
    assert torch.equal(logits, kept)


def line(method: str, gap: float, seed: int = 0, **fields: Any) -> dict[str, Any]:
    """Of a log; the gap is all in the forget accuracy."""
    ideal = dict.fromkeys(TERMS[False], 0.5) | {"retained_test_accuracy": 0.5}
    after = ideal | {"forget_accuracy": 0.5 + 4 * gap / 100}
    run = {"method": method, "seed": seed, "after": after, "retrained": ideal, "gap": gap}
    return {**run, "seconds": {"unlearning": 5.0}, "retraining_seconds": 100.0, **fields}


def control(row: str, gap: float, n: int) -> dict[str, Any]:
    counts = dict.fromkeys(TERMS[False], n)
    numbers = line("", gap)["after"]
    return {"row": row, "numbers": numbers, "gap": gap, "interval": [gap - 0.1, gap + 0.1],
            "counts": counts}  # fmt: skip


def read(n: int, *lines: dict[str, Any]) -> dict[str, methods.Row]:
    case = "random:0.1"
    assert parse_request(case)
    beside = [control("before", 6.0, n), control("divide", 3.0, n)]
    return {row.name: row for row in methods.rows_of(case, lines, beside)}


def test_more_images_untie() -> None:
    lines = line("scrub", 1.0), line("salun", 2.0), line("ssd", 2.9), line("fisher", 5.0)
    few, many = read(3000, *lines), read(1_000_000, *lines)
    assert [row.tied for row in few.values() if row.gaps] == [True, True, True, False]
    assert [row.tied for row in many.values() if row.gaps] == [True, False, False, False]
    assert {name for name, row in many.items() if row.no_nearer_than} == {"ssd", "fisher"}
    assert many["fisher"].no_nearer_than == CONTROLS["divide"] == few["salun"].no_nearer_than
    said = " ".join(methods._sentences(list(few.values())))
    assert "tied for nearest are scrub (1.00), salun (2.00), ssd (2.90)." in said
    said = " ".join(methods._sentences(list(many.values())))
    assert "nearest is scrub (1.00)." in said
    assert "nearer than dividing the logits by 20 (3.00), which forgets nothing, are scrub" in said


def test_a_logged_interval_is_taken_and_seeds_are_averaged() -> None:
    narrow = {"interval": [0.9, 1.1]}
    lines = line("scrub", 1.0, **narrow), line("scrub", 2.0, 1, interval=[1.9, 2.1])
    row = read(500, *lines)["scrub"]
    assert row.gap == pytest.approx((1.5, 1.4, 1.6))
    assert row.gaps == [1.0, 2.0]


def test_seconds_of_machines_that_differ_compare() -> None:
    """Half as fast, the same share of retraining: the same seconds."""
    slow = {"seconds": {"unlearning": 10.0}, "retraining_seconds": 200.0}
    lines = line("scrub", 1.0), line("salun", 2.0, **slow), line("ssd", 2.9)
    found = read(500, *lines)
    assert found["scrub"].seconds == found["salun"].seconds == found["ssd"].seconds == 5.0
    assert found["salun"].share == 0.05
