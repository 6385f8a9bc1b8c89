"""The lab from a shell: python -m core COMMAND, see python -m core --help

Exit codes: 0 done, 1 failed, 2 bad request (one line on stderr), 130 cancelled.
Only what a command needs is imported, and only once it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from typer import Argument, Option, Typer

from core.data.request_text import parse_request
from core.errors import BadRequest, StoreCorrupt
from core.files import SHIPPED, cache_folder
from core.runs.shell import beyond_images, progress, typed
from core.runs.shell.exit_codes import run_command
from core.runs.shell.output import answer, put, run_kept, say, show_run
from core.runs.shell.report import trained_line
from core.runs.shell.robustness import forget_set, robustness
from core.runs.shell.targets import check_targets, write_json
from core.runs.shell.typed import (
    Data,
    Dataset,
    Forget,
    ForgetSeed,
    Json,
    Keep,
    Model,
    Seed,
    Settings,
)  # fmt: skip

app = Typer(
    help="Forgetting Lab from a shell.",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich" if progress.terminal(sys.stdout) else None,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    return run_command(app, "python -m core", sys.argv[1:] if arguments is None else arguments)


@app.command(help="what this machine has: data, models, runs")
def info(data: Data = None, json: Json = "") -> None:
    from core.runs.shell.inventory import inventory, inventory_lines

    facts = inventory(data, (SHIPPED, cache_folder() / "models"))
    answer(facts, inventory_lines(facts), json)


@app.command(help="train a base model or a retrained reference")
def train(
    model: Model = "compact",
    dataset: Dataset = "cifar10",
    data: Data = None,
    without: Annotated[str, Option(help="forget request: trains its reference")] = "",
    forget_seed: ForgetSeed = 0,
    seed: Annotated[
        int | None,
        Option(parser=typed.seed, metavar="N", help="0 for a base, 1 for a reference"),
    ] = None,
    ship: Annotated[bool, Option("--ship", help="write into models_cache/")] = False,
    recipe: Annotated[str, Option(help="sgd or muon; kept in a folder of that name")] = "",
    keep: Keep = "weights",
) -> None:
    from core.checkpoints.references import train_model
    from core.checkpoints.storage import Checkpoint
    from core.data.load import load_dataset
    from core.ideal import keep_memorisation
    from core.models.precision import best_device
    from core.models.registry import recipe_for

    root = SHIPPED if ship else cache_folder() / "models"
    images = load_dataset(dataset, data)
    lines = []
    with progress.progress(every=5) as show:
        for item in train_model(
            model,
            images,
            recipe_for(model, dataset, recipe),
            without=parse_request(without, forget_seed) if without else None,
            seed=seed,
            root=root / recipe,
            device=best_device(),
            keep=keep,
        ):
            if isinstance(item, Checkpoint):
                lines.append(trained_line(item))
            else:
                show(progress.of_training(item))
    if not recipe:
        keep_memorisation(model, images, root)
    put(lines)


@app.command(help="unlearn and measure")
def unlearn(
    forget: Forget,
    method: Annotated[str, Option(help="see: python -m core methods")],
    model: Model = "compact",
    dataset: Dataset = "cifar10",
    data: Data = None,
    forget_seed: ForgetSeed = 0,
    settings: Settings = None,
    seed: Seed = 0,
    json: Json = "",
    weights: typed.Unlearned = None,
) -> int:
    from core.data.load import load_dataset
    from core.runs.plan import Plan
    from core.runs.store.store import Store
    from core.runs.task import prepare

    given = dict(settings or ())
    if model in beyond_images.MODELS:
        asked = (model, dataset, data, forget, forget_seed, method, given, seed, json, weights)
        return beyond_images.unlearn(beyond_images.Asked(*asked))
    request = parse_request(forget, forget_seed)
    plan = Plan(model, dataset, request, method, given, seed)
    images = load_dataset(dataset, data)
    check_targets(json, weights)
    return run_kept(prepare(plan, dataset=images), Store(), json, weights)


@app.command(help="judge weights that were unlearned elsewhere, by whatever method")
def judge(
    weights: Annotated[
        Path,
        Option(parser=typed.file, metavar="FILE", help=".safetensors, or a .pth state dict"),
    ],
    forget: Annotated[str, Option(help="what they should have forgotten; as in unlearn")],
    model: Model = "compact",
    dataset: Dataset = "cifar10",
    data: Data = None,
    forget_seed: ForgetSeed = 0,
    json: Json = "",
) -> int:
    from core.data.load import load_dataset
    from core.runs import brought
    from core.runs.plan import Plan
    from core.runs.store.store import Store
    from core.runs.task import prepare

    request = parse_request(forget, forget_seed)
    images = load_dataset(dataset, data)
    check_targets(json, None)
    settings = {"weights": brought.keep(weights)}
    plan = Plan(model, dataset, request, brought.NAME, settings)
    return run_kept(prepare(plan, dataset=images), Store(), json, None)


app.command(help="what three models withstand: before, after and retrained")(robustness)
app.command("forget-set", help="write the indices of images that are hard to forget")(forget_set)


@app.command(help="run a grid of plans, several at a time; goes on where it was broken off")
def sweep(
    file: Annotated[Path, Argument(help="TOML: methods, requests, seeds, settings; see README")],
    data: Data = None,
    processes: Annotated[int | None, Option(min=1, help="here; one for each core")] = None,
    dask: Annotated[str, Option(metavar="ADDRESS", help="of a Dask scheduler, instead")] = "",
) -> int:
    from core.runs import sweep as sweeps
    from core.runs.shell.kept import recovered
    from core.runs.store.store import Store

    plans = sweeps.read_sweep(file)
    store = Store()
    say(*recovered(store))
    failed = 0
    with progress.progress(every=2) as show:
        for item in sweeps.sweep(plans, store, folder=data, processes=processes, dask=dask):
            show(progress.of_sweep(item))
            failed += item.run.status == "failed"
    finished = len(plans) - len(sweeps.to_do(plans, store))
    print(f"{finished} of {len(plans)} runs are in the store.")
    return 1 if failed else 0


@app.command(help="every method and its parameters")
def methods(json: Json = "") -> None:
    from core.runs.measured import measured_methods
    from core.runs.shell.method_list import method_lines, methods_with_costs

    entries = methods_with_costs(measured_methods())
    answer(entries, method_lines(entries), json)


@app.command(help="finished runs")
def runs(id: Annotated[str | None, Argument(help="show this one")] = None, json: Json = "") -> None:
    from core.runs.shell.run_list import run_lines, run_reports, run_table
    from core.runs.store.store import Store

    store = Store()
    if id:
        show_run(store.load(id), json)
    elif json:
        write_json(json, run_reports(store))
    elif (summaries := store.summaries()) and (console := progress.terminal(sys.stdout)):
        console.print(run_table(summaries))
    else:
        put(run_lines(summaries))


@app.command(help="fetch CIFAR-10, or a graph, for this machine")
def download(
    dataset: Annotated[str, Argument(help="cifar10, cora or citeseer")] = "cifar10",
) -> None:
    from core.data.download import download

    if os.environ.get("FORGETTING_LAB_DATA"):
        raise BadRequest(
            "FORGETTING_LAB_DATA names a folder, so a download would not be looked at.",
            "Unset it first.",
        )
    with progress.progress(every=2) as show:
        for status in progress.of_download(download(dataset)):
            show(status)
    print(f"{'CIFAR-10' if dataset == 'cifar10' else dataset.capitalize()} is here.")


@app.command(help="put a damaged database of runs aside, start anew")
def repair() -> None:
    from core.runs.store.reset import reset_aside
    from core.runs.store.store import Store

    try:
        store = Store()
    except StoreCorrupt as error:
        say(str(error))
        store = reset_aside()
        print(f"The damaged database was set aside. The new one has {store.count()} runs.")
        put(store.notes)
    else:
        print("The database of runs is not damaged, so nothing was changed.")
    store.close()


if __name__ == "__main__":
    sys.exit(main())
