"""Every figure that the README, the design or an issue's acceptance promises, measured again.

What was promised stands in `benchmarks.promised`. A row is printed as soon as it is measured; what
falls short is said again at the end, and the exit code is then 1. Needs two idle cores, CIFAR-10
and a Chromium; at most 30 minutes, which is a promise too. A run of all rows writes
results/promises.md and promises.json, one of some writes nothing.

    python -m benchmarks.promises --data ../shared/data/cifar10
    python -m benchmarks.promises --only front-page app-memory
    python -m benchmarks.promises --list     # measures nothing
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import RESULTS, remeasure
from benchmarks.app import CHROMIUM
from benchmarks.promised import COMMAND, MEASUREMENTS, NOT_AGAIN, PROMISES, WHOLE, Promise, shown
from benchmarks.remeasure import Figures, Machine
from core.checkpoints.provenance import versions

DATA = Path("../shared/data/cifar10")


@dataclass(frozen=True)
class Row:
    """A promise as it was measured. value: None where it could not be, and `why` says why."""

    promise: Promise
    value: float | None
    why: str = ""

    @property
    def holds(self) -> bool:
        return self.value is not None and self.promise.holds(self.value)

    def cells(self) -> list[str]:
        """Name, measured, limit, whether it holds, command."""
        value = self.why if self.value is None else shown(self.value, self.promise.unit)
        word = "holds" if self.holds else "FALLS SHORT"
        return [self.promise.name, value, self.promise.says(), word, self.promise.command()]


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 1 where a promise falls short."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--chromium", default=CHROMIUM)
    names = [promise.name for promise in PROMISES]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME")
    parser.add_argument("--list", action="store_true", help="print the promises, measure nothing")
    options = parser.parse_args(arguments)
    wanted = [each for each in PROMISES if not options.only or each.name in options.only]
    if options.list:
        for each in wanted:
            print(" | ".join([each.name, each.what, each.says(), each.source, each.command()]))
        return 0
    rows, clock = [], time.monotonic()
    for row in measured(wanted, Machine(options.data, options.chromium)):
        rows.append(row)
        print(" | ".join(row.cells()), flush=True)
    if not options.only:
        rows.append(Row(WHOLE, (time.monotonic() - clock) / 60))
        write(rows)
        print("not measured again here:")
        for what, why, file in NOT_AGAIN:
            print(f"  {what}: {why}; {file}")
    short = [row for row in rows if not row.holds]
    print(f"{len(rows) - len(short)} of {len(rows)} promises hold.")
    for row in short:
        print("FALLS SHORT:", ", ".join([row.promise.what, row.promise.source, *row.cells()[1:3]]))
    return 1 if short else 0


def measured(promises: Sequence[Promise], machine: Machine) -> Iterator[Row]:
    """A row a promise, measurement by measurement; how long it takes goes to stderr."""
    needed = list(dict.fromkeys(promise.measurement for promise in promises))
    left = [MEASUREMENTS[name].about for name in needed]
    begun = time.monotonic()
    for place, name in enumerate(needed):
        spent, expected = (time.monotonic() - begun) / 60, sum(left[:place])
        slower = spent / expected if expected > 1 else 1.0  # than the machine of the estimates
        measurement = MEASUREMENTS[name]
        now, to_end = slower * measurement.about, slower * sum(left[place:])
        said = f"{measurement.what}: about {now:.1f} min, {to_end:.0f} min to the end"
        print(f"[{place + 1} of {len(needed)}] {said}", file=sys.stderr, flush=True)
        figures: Figures = {}
        why = ""
        try:
            figures = measurement.measure(machine)
        except Exception as error:  # the other promises are measured all the same
            why = f"cannot be measured: {str(error).strip() or type(error).__name__}".splitlines()[
                0
            ]
        for promise in promises:
            if promise.measurement == name:
                yield Row(promise, figures.get(promise.figure), why)


def write(rows: Sequence[Row]) -> None:
    """The table and its figures, without a date."""
    machine = {"processor": remeasure.processor(), "cores": os.cpu_count(), **versions()}
    text = [
        "# What was promised, measured again",
        "",
        f"`{COMMAND} --data {DATA}`; {', '.join(f'{k} {v}' for k, v in machine.items())}.",
        "",
        "| promise | source | measured | limit | | alone |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        _, value, limit, word, command = row.cells()
        alone = "" if row.promise is WHOLE else f"`{command}`"
        cells = [row.promise.what, row.promise.source, value, limit, word, alone]
        text.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    text += [
        "",
        "## Not measured again here",
        "",
        "| promise | why | where |",
        "| --- | --- | --- |",
    ]
    text += [f"| {what} | {why} | `{file}` |" for what, why, file in NOT_AGAIN]
    found: dict[str, Any] = {
        "command": f"{COMMAND} --data {DATA}",
        "machine": machine,
        "promises": [
            {"name": row.promise.name, "measured": row.value, "bound": row.promise.bound,
             "limit": row.promise.limit, "unit": row.promise.unit, "holds": row.holds,
             "why": row.why}
            for row in rows
        ],
    }  # fmt: skip
    (RESULTS / "promises.md").write_text("\n".join(text) + "\n")
    (RESULTS / "promises.json").write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
