"""A file of results with one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benchmarks import RESULTS
from core.runs.run_files import to_json

Line = dict[str, Any]


class Log:
    """Lines are only ever added, so that a script can be broken off and started anew."""

    def __init__(self, name: str) -> None:
        self.file = RESULTS / name

    def lines(self) -> list[Line]:
        """Everything in it."""
        if not self.file.exists():
            return []
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    def has(self, key: Mapping[str, Any]) -> bool:
        """Whether a line holds all of these."""
        return any(all(line.get(k) == v for k, v in key.items()) for line in self.lines())

    def add(self, line: Mapping[str, Any]) -> None:
        """Appends one line."""
        with self.file.open("a") as log:
            log.write(to_json(line) + "\n")
