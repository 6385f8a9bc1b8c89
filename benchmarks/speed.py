"""Training and evaluation of `compact` as fractions of this machine's matrix-multiply rate.

Pairs of (matrix multiply, training, evaluation) are interleaved in one run, so that what else the
machine does hits all alike; the median of the ratios is what counts.

    python -m benchmarks.speed
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks import RESULTS
from core.checkpoints.provenance import versions
from core.evaluation import per_image
from core.models.arithmetic import multiply_adds
from core.models.precision import best_device, training_precision
from core.models.registry import build_model
from core.training.augmentation import augment
from core.training.optimisers import make_optimiser

SIZE = 2048
BATCH = 128


def main() -> None:
    """Measures and writes results/speed.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=11)
    parser.add_argument("--model", default="compact")
    options = parser.parse_args()
    text = json.dumps(measure(options.model, options.pairs), indent=2)
    (RESULTS / f"speed-{options.model}-{best_device().type}.json").write_text(text + "\n")
    print(text)


def measure(architecture: str = "compact", pairs: int = 11) -> dict[str, Any]:
    """Rates, and what fraction of the matrix-multiply rate they are: medians over the pairs."""
    device = best_device()
    generator = torch.Generator().manual_seed(0)
    model = build_model(architecture, 10, generator, device)
    optimiser = make_optimiser(model, 0.01)
    images = torch.randint(256, (2048, 3, 32, 32), generator=generator, dtype=torch.uint8)
    labels = torch.randint(10, (2048,), generator=generator)
    images, labels = images.to(device), labels.to(device)
    left, right = (torch.randn(SIZE, SIZE, device=device) for _ in range(2))
    left16, right16 = left.bfloat16(), right.bfloat16()

    def train() -> None:
        model.train()
        for start in range(0, 8 * BATCH, BATCH):
            x = augment(images[start : start + BATCH], 2, generator)
            with training_precision(device):
                logits = model(x)
            loss = F.cross_entropy(logits.float(), labels[start : start + BATCH])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()

    def evaluate() -> None:
        per_image(model, images, labels)

    per_image_flops = 2 * multiply_adds(model)
    multiply = 2 * SIZE**3
    rates: dict[str, list[float]] = {
        name: [] for name in ("sgemm", "bf16 gemm", "training", "evaluation")
    }
    work: list[tuple[str, Callable[[], object], float]] = [
        ("sgemm", lambda: [left @ right for _ in range(8)], 8 * multiply),
        ("training", train, 8 * BATCH * per_image_flops * 3),
        ("evaluation", evaluate, len(images) * per_image_flops),
        ("bf16 gemm", lambda: [left16 @ right16 for _ in range(8)], 8 * multiply),
    ]
    for _, function, _ in work:
        function()
    for _ in range(pairs):
        for name, function, operations in work:
            started = time.perf_counter()
            function()
            if device.type == "cuda":
                torch.cuda.synchronize()
            rates[name].append(operations / (time.perf_counter() - started))

    def ratio(part: str, whole: str) -> float:
        return statistics.median(a / b for a, b in zip(rates[part], rates[whole], strict=True))

    median = {name: statistics.median(values) for name, values in rates.items()}
    return {
        "command": "python -m benchmarks.speed",
        "model": architecture,
        "pairs": pairs,
        "multiply_adds_per_image": per_image_flops // 2,
        "gflops": {name: round(value / 1e9, 1) for name, value in median.items()},
        "training_images_per_second": round(median["training"] / per_image_flops / 3, 1),
        "evaluation_images_per_second": round(median["evaluation"] / per_image_flops, 1),
        "training_share_of_sgemm": round(ratio("training", "sgemm"), 3),
        "training_share_of_bf16_gemm": round(ratio("training", "bf16 gemm"), 3),
        "evaluation_share_of_sgemm": round(ratio("evaluation", "sgemm"), 3),
        "versions": versions(device),
    }


if __name__ == "__main__":
    main()
