"""What weights every method ends with on digits, as one digest a line: a change of structure must
not change one. The same seed, machine and thread count give the same lines, so run it on both
commits:

    python -m benchmarks.digests > before.txt
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

CASES = ("random:0.1", "class:3")


def main() -> None:
    """Prints case, method and digest."""
    with tempfile.TemporaryDirectory() as folder:
        own = {"FORGETTING_LAB_CACHE": folder, "FORGETTING_LAB_PRECISION": "float32"}
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **own}
        listed = _shell("methods", "--json", "-", environment=environment)
        for method in json.loads(listed):
            model = "sisa" if "sisa" in method["name"] else "compact"
            for case in CASES:
                weights = Path(folder) / "weights.safetensors"
                weights.unlink(missing_ok=True)
                plan = ["--model", model, "--dataset", "digits", "--forget", case]
                _shell(
                    "unlearn", *plan, "--method", method["name"], "--weights", str(weights),
                    environment=environment,
                )  # fmt: skip
                found = weights.read_bytes() if weights.exists() else b""
                digest = hashlib.sha256(found).hexdigest()[:16] if found else "no weights"
                print(case, method["name"], digest, flush=True)


def _shell(*arguments: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "-m", "core", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        print(arguments, done.stderr[-300:], file=sys.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
