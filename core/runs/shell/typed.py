"""What may be typed for an option: seeds, settings, names of files; and the options that several
commands have."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer import Option

from core.data.requests import MOST_SEED
from core.errors import BadRequest, short


def seed(text: str | int) -> int:
    """A number from 0 to `MOST_SEED`."""
    if not re.fullmatch("[0-9]{1,10}", str(text)) or int(text) > MOST_SEED:
        raise typer.BadParameter(f"{short(str(text))} is not a seed from 0 to {MOST_SEED}")
    return int(text)


def setting(text: str) -> tuple[str, str]:
    """NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals:
        raise BadRequest(f"--set {short(text)} cannot be read.", "Write --set name=value.")
    return name, value


def file(text: str | Path) -> Path:
    """Any name but an option's: `--json --seed 1` has forgotten the file."""
    if str(text).startswith("--"):
        raise typer.BadParameter(f"{short(str(text))} is an option, and here should be a file")
    return Path(text)


def file_or_nothing(text: str) -> str:
    """The same, and "" where nothing is written."""
    return str(file(text)) if text else ""


Model = Annotated[str, Option(help="compact, resnet18 or sisa; of a graph: gcn or sage")]
Dataset = Annotated[str, Option(help="cifar10, digits, or a name; cora, citeseer, digits-graph")]
Data = Annotated[Path | None, Option(help="folder with the data")]
Seed = Annotated[int, Option(parser=seed, metavar="N", help="of the method")]
Forget = Annotated[
    str,
    Option(
        help="random:0.1 | random:500 | class:cat | class:cat,dog | class:cat:0.5 | "
        "indices:FILE | memorised-v2:500 | memorised:500 | fold:3; of a graph: nodes:20 | "
        "nodes:0.05 | class:NAME | best-connected:20 | edges:100 | features:20 | indices:FILE"
    ),
]
Settings = Annotated[
    list[Any] | None,
    Option("--set", parser=setting, metavar="NAME=VALUE", help="of the method"),
]
ForgetSeed = Annotated[int, Option(parser=seed, metavar="N", help="of the forget set")]
Keep = Annotated[
    Literal["weights", "half", "logits"], Option(help="half: in float16; logits: no weights")
]
Unlearned = Annotated[
    Path | None, Option(parser=file, metavar="FILE", help="where the unlearned weights go")
]
JSON = "write JSON (- for the screen)"
Json = Annotated[str, Option(parser=file_or_nothing, metavar="FILE", help=JSON)]
