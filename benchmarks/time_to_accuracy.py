"""How long `compact` trains on CIFAR-10 until it is right on 85 % of the test images.

Trains the shipped base's recipe once more and measures the test accuracy after each epoch, off the
clock. The weights are not kept.

    python -m benchmarks.time_to_accuracy --data ../shared/data/cifar10
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

from benchmarks import RESULTS
from core.checkpoints.provenance import versions
from core.data.images import Images
from core.data.load import load_dataset
from core.evaluation import per_image
from core.models.precision import best_device
from core.models.registry import build_model, recipe_for
from core.training.loop import Trained, TrainingProgress, train


def main() -> None:
    """Measures and writes results/time-to-accuracy.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--accuracy", type=float, default=0.85)
    options = parser.parse_args()
    device = best_device()
    dataset = load_dataset("cifar10", options.data)
    recipe = recipe_for("compact", "cifar10")
    model = build_model("compact", 10, torch.Generator().manual_seed(0), device)
    everything = torch.arange(len(dataset.train_labels))
    images = Images(dataset.train_images, dataset.train_labels, everything)
    per_epoch = images.steps(recipe.batch_size)
    epochs: list[dict[str, float]] = []
    measuring = 0.0
    for item in train("compact", images, recipe, 0, device=device, into=model):
        if isinstance(item, Trained) or item.step % per_epoch:
            continue
        assert isinstance(item, TrainingProgress)
        seconds = item.seconds - measuring
        clock = time.perf_counter()
        found = per_image(model, dataset.test_images, dataset.test_labels)
        accuracy = float((found.predictions == dataset.test_labels.numpy()).mean())
        measuring += time.perf_counter() - clock
        epochs.append({"epoch": item.epoch + 1, "seconds": round(seconds, 1), "test": accuracy})
        print(epochs[-1], flush=True)
    reached = [row["seconds"] for row in epochs if row["test"] >= options.accuracy]
    result = {
        "command": "python -m benchmarks.time_to_accuracy --data ../shared/data/cifar10",
        "accuracy": options.accuracy,
        "seconds_to_accuracy": reached[0] if reached else None,
        "seconds_in_all": epochs[-1]["seconds"],
        "images_per_second": round(len(images) * recipe.epochs / epochs[-1]["seconds"], 1),
        "epochs": epochs,
        "versions": versions(device),
    }
    (RESULTS / "time-to-accuracy.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
