"""airbench94 (Muon) as its author released it, on this machine: the same images, cores and attack
as `benchmarks.training`, into whose log it goes.

Its one file is for CUDA and float16; here the same code runs on the CPU in the precision that our
own training has there. What is changed is listed in `CHANGES`, nothing else is: the network, the
eight epochs, the optimisers, their rates and the data's order are the author's.

    python -m benchmarks.airbench airbench94_muon.py --data ../shared/data/cifar10 --seeds 3
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import RANDOM
from benchmarks.training import LOG
from core.checkpoints.provenance import versions
from core.data.dataset import ImageDataset
from core.data.load import load_dataset
from core.data.request_text import parse_request
from core.data.splits import split
from core.evaluation import evaluate, outcome_of
from core.models.precision import training_precision

CPU = torch.device("cpu")
CHANGES = (
    ("@torch.compile\n", ""),
    ("torch.backends.cudnn.benchmark = True", ""),
    ("X = G.bfloat16()", "X = G.float()"),
    ('torch.device("cuda")', 'torch.device("cpu")'),
    ("self.images.half()", "self.images.float()"),
    ("mod.half()", "mod.float()"),
    (", fused=True", ""),  # gives wrong weights on CPUs, see design.md
    ("torch.cuda.Event(enable_timing=True)", "Clock()"),
    ("torch.cuda.synchronize()", ""),
    ("outputs = model(", "outputs = forward(model, "),
)
"""Text in the released file, and what stands there instead."""


class Clock:
    """CUDA's events, of the processor's clock."""

    def record(self) -> None:
        """Now."""
        self.at = time.perf_counter()

    def elapsed_time(self, end: Clock) -> float:
        """Milliseconds."""
        return 1000 * (end.at - self.at)


def forward(model: torch.nn.Module, inputs: torch.Tensor, **options: Any) -> torch.Tensor:
    """Logits of a training step, in the precision that this CPU trains in."""
    with training_precision(CPU):
        logits: torch.Tensor = model(inputs, **options)
    return logits.float()


def main() -> None:
    """Runs what the log lacks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("released", type=Path, help="airbench94_muon.py")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    code = options.released.read_text()
    dataset = load_dataset("cifar10", options.data)
    for seed in range(options.seeds):
        key = {"released": hashlib.sha256(code.encode()).hexdigest(), "seed": seed}
        if not LOG.has(key):
            LOG.add({"name": "airbench94 (Muon), released"} | key | run(code, dataset, seed))


def run(code: str, dataset: ImageDataset, seed: int) -> dict[str, Any]:
    """One training by the released code; JSON-ready."""
    for old, new in CHANGES:
        if old not in code:
            sys.exit(f"The released file is another one: it has no {old!r}.")
        code = code.replace(old, new)
    code = code[: code.index('if __name__ == "__main__":')]
    released: dict[str, Any] = {"Clock": Clock, "forward": forward, "__name__": "airbench94"}
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("cifar10").mkdir()
        for part in ("train", "test"):
            images, labels = (getattr(dataset, f"{part}_{what}") for what in ("images", "labels"))
            saved = {"images": images.permute(0, 2, 3, 1).contiguous(), "labels": labels}
            torch.save(saved | {"classes": list(dataset.class_names)}, f"cifar10/{part}.pt")
        Path("code.py").write_text(code)
        sys.argv = ["code.py"]
        exec(compile(code, "code.py", "exec"), released)
        epochs: list[dict[str, Any]] = []

        def note(variables: dict[str, Any], is_final_entry: bool) -> None:
            row = {"seconds": variables["time_seconds"]}
            if is_final_entry:
                row["mirrored_and_shifted_test"] = variables["tta_val_acc"]
            else:
                row |= {"epoch": variables["epoch"] + 1, "test": variables["val_acc"]}
            epochs.append(row)
            print(seed, row, flush=True)

        released["print_training_details"] = note
        torch.manual_seed(seed)
        model = released["CifarNet"]().to(memory_format=torch.channels_last)
        released["main"](seed, model)
        outcomes = []
        for part in ("train", "test"):
            loader = released["CifarLoader"]("cifar10", train=part == "train", batch_size=2000)
            logits = released["infer"](model, loader)
            outcomes.append(outcome_of(logits, loader.labels))
    parts = split(dataset, parse_request(RANDOM))
    numbers = evaluate(*outcomes, dataset.train_labels, dataset.test_labels, parts)
    last = epochs.pop()
    return {
        "test": numbers.value("test_accuracy"),
        "train": float(np.mean(outcomes[0].predictions == dataset.train_labels.numpy())),
        "mia": numbers.value("mia"),
        "seconds": epochs[-1]["seconds"],
        "mirrored_and_shifted_test": last["mirrored_and_shifted_test"],
        "epochs": epochs,
        "versions": versions(CPU),
    }


if __name__ == "__main__":
    main()
