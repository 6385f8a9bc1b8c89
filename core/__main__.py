"""The lab from a shell: python -m core info | train | unlearn | methods | runs | download | repair

Exit codes: 0 done, 1 failed, 2 bad request (one line on stderr), 130 cancelled.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from core.data.requests import MOST_SEED, ForgetRequest
from core.errors import BadRequest, LabError, StoreCorrupt, short
from core.files import SHIPPED, cache_folder
from core.metrics.measures import Evaluation
from core.runs.plan import Plan
from core.runs.run import MODELS, Run, Snapshot
from core.runs.verdicts import verdict_of

if TYPE_CHECKING:
    from core.runs.store.store import Store
    from core.runs.summary import RunSummary

CANCELLED = 130
REPORTED = (
    "forget_accuracy",
    "retain_accuracy",
    "test_accuracy",
    "retained_test_accuracy",
    "mia",
    "mia_class_matched",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, BadRequest) else 1
    except KeyboardInterrupt:
        print("cancelled", file=sys.stderr)
        return CANCELLED
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk, a folder that may not be written to
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return 1


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        message = " ".join(message.split())  # it quotes what was typed
        print(f"error: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m core", description="Forgetting Lab from a shell.")
    commands = parser.add_subparsers(required=True, metavar="command", parser_class=_Parser)

    info = commands.add_parser("info", help="what this machine has: data, models, runs")
    info.set_defaults(command=_info)
    info.add_argument("--data", type=Path, help="folder with the images")
    info.add_argument("--json", default="", metavar="FILE", help="write JSON (- for the screen)")

    train = commands.add_parser("train", help="train a base model or a retrained reference")
    train.set_defaults(command=_train)
    _add_model(train)
    train.add_argument("--without", default="", help="forget request: trains its reference")
    train.add_argument("--forget-seed", type=_seed, default=0)
    train.add_argument("--seed", type=_seed, default=None, help="0 for a base, 1 for a reference")
    train.add_argument("--ship", action="store_true", help="write into models_cache/")
    train.add_argument("--recipe", default="", help="sgd or muon; kept in a folder of that name")
    train.add_argument("--keep", choices=("weights", "half", "logits"), default="weights")

    unlearn = commands.add_parser("unlearn", help="unlearn and measure")
    unlearn.set_defaults(command=_unlearn)
    _add_model(unlearn)
    unlearn.add_argument(
        "--forget",
        required=True,
        help="random:0.1 | random:500 | class:cat | class:cat,dog | class:cat:0.5 | "
        "indices:FILE | memorised:500",
    )
    unlearn.add_argument("--forget-seed", type=_seed, default=0, help="of the forget set")
    unlearn.add_argument("--method", required=True, help="see: python -m core methods")
    unlearn.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    unlearn.add_argument("--seed", type=_seed, default=0, help="of the method")
    unlearn.add_argument("--json", default="", metavar="FILE", help="results (- for the screen)")
    unlearn.add_argument("--weights", type=Path, metavar="FILE", help="unlearned weights")

    methods = commands.add_parser("methods", help="every method and its parameters")
    methods.set_defaults(command=_methods)
    methods.add_argument("--json", default="", metavar="FILE", help="write JSON (- for the screen)")

    runs = commands.add_parser("runs", help="finished runs")
    runs.set_defaults(command=_runs)
    runs.add_argument("id", nargs="?", help="show this one")
    runs.add_argument("--json", default="", metavar="FILE", help="write JSON (- for the screen)")

    download = commands.add_parser("download", help="fetch CIFAR-10 for this machine")
    download.set_defaults(command=_download)

    repair = commands.add_parser("repair", help="put a damaged database of runs aside, start anew")
    repair.set_defaults(command=_repair)
    return parser


def _seed(text: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", text) or int(text) > MOST_SEED:
        raise argparse.ArgumentTypeError(f"{short(text)} is not a seed from 0 to {MOST_SEED}")
    return int(text)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default="compact", help="compact, resnet18 or sisa")
    parser.add_argument("--dataset", default="cifar10", help="cifar10, digits, or a name")
    parser.add_argument("--data", type=Path, help="folder with the images")


def _info(options: argparse.Namespace) -> int:
    from core.checkpoints import storage
    from core.checkpoints.provenance import versions
    from core.data.sources import available
    from core.models.precision import best_device
    from core.models.registry import ARCHITECTURES
    from core.runs.store.store import Store

    found: dict[str, Any] = {
        "versions": versions(best_device()),
        "cache": str(cache_folder()),
        "data": {name: available(name, options.data) for name in ("cifar10", "digits")},
        "models": {},
        "runs": Store().count(),
    }
    for architecture in ARCHITECTURES:
        for root in (SHIPPED, cache_folder() / "models"):
            for folder in sorted(root.glob(f"{architecture}-*")):
                for manifest in sorted(folder.glob("*.json")):
                    kept = storage.find_in(folder, manifest.stem)
                    if kept:
                        name = f"{folder.name}/{manifest.stem}"
                        found["models"][name] = kept.manifest.get("accuracy", {})
    if options.json:
        _write_json(options.json, found)
        return 0
    print("machine: ", ", ".join(f"{key} {value}" for key, value in found["versions"].items()))
    print("cache:   ", found["cache"])
    for name, there in found["data"].items():
        print(f"data:     {name}: {'here' if there else 'not on this machine'}")
    for name, accuracy in found["models"].items():
        numbers = ", ".join(f"{part} {100 * value:.1f} %" for part, value in accuracy.items())
        print(f"model:    {name}: {numbers}")
    print("runs:    ", found["runs"])
    return 0


def _train(options: argparse.Namespace) -> int:
    from core.checkpoints.references import train_model
    from core.data.load import load_dataset
    from core.models.precision import best_device
    from core.training.loop import TrainingProgress
    from core.training.recipe import recipe_for, recipe_named

    named = recipe_named(options.recipe) if options.recipe else None
    root = SHIPPED if options.ship else cache_folder() / "models"
    dataset = load_dataset(options.dataset, options.data)
    without = ForgetRequest.parse(options.without, options.forget_seed) if options.without else None
    shown = -1
    for item in train_model(
        options.model,
        dataset,
        named or recipe_for(options.model, options.dataset),
        without=without,
        seed=options.seed,
        root=root / options.recipe,
        device=best_device(),
        keep=options.keep,
    ):
        if not isinstance(item, TrainingProgress):
            kept = item.manifest
            accuracy = {k: round(value, 4) for k, value in kept.get("accuracy", {}).items()}
            print(f"{item.weights}: {accuracy}, {kept.get('seconds', '?')} s")
        elif int(item.seconds) // 5 != shown or item.step == item.total_steps:
            shown = int(item.seconds) // 5
            _say(
                f"epoch {item.epoch + 1}, step {item.step} of {item.total_steps}, "
                f"loss {item.loss:.3f}, accuracy {100 * item.accuracy:.1f} %"
                + _left(item.remaining)
            )
    return 0


def _unlearn(options: argparse.Namespace) -> int:
    from core.data.load import load_dataset
    from core.runs.store.store import Store
    from core.runs.task import new_run_id, prepare

    settings = {}
    for pair in options.set:
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadRequest(f"--set {short(pair)} cannot be read.", "Write --set name=value.")
        settings[name] = value
    plan = Plan(
        model=options.model,
        dataset=options.dataset,
        request=ForgetRequest.parse(options.forget, options.forget_seed),
        method=options.method,
        settings=settings,
        seed=options.seed,
    )
    dataset = load_dataset(options.dataset, options.data)
    for target in (options.json, options.weights):
        if target and target != "-":
            _check_target(Path(target))
    store = Store()
    _say_lost(store)
    stop = threading.Event()

    def cancel(*_: object) -> None:
        stop.set()
        # A second Ctrl-C ends the measuring too.
        signal.signal(signal.SIGINT, signal.default_int_handler)

    previous = signal.signal(signal.SIGINT, cancel)
    result: Run | None = None
    shown = -1.0
    noted = 0.0
    try:
        for item in prepare(plan, dataset=dataset).run(stop.is_set, new_run_id(), options.weights):
            if isinstance(item, Run):
                result = item
                if item.status == "running":
                    store.begin(item)
                continue
            if result is not None and time.monotonic() - noted > 1:
                noted = time.monotonic()
                with contextlib.suppress(LabError):  # no reason to lose the run
                    store.progress(result.id, item.step, item.total_steps)
            if item.seconds - shown > 2 or item.phase == "measuring":
                shown = item.seconds
                _say(_progress(item))
    except BaseException as error:
        if result is not None and result.status == "running":
            _keep_failed(store, result, error)
        raise
    finally:
        signal.signal(signal.SIGINT, previous)
    assert result is not None
    try:
        store.save(result)
    except LabError as error:
        with contextlib.suppress(LabError):
            store.mark_unsaved(result, str(error))
        _show(result, options.json)  # all that there will be of it
        raise
    _show(result, options.json)
    return CANCELLED if result.status == "partial" else 0


def _check_target(file: Path) -> None:
    """What cannot be written is said before the work, not after it."""
    if file.is_dir():
        raise BadRequest(f"{file} cannot be written: it is a folder.")
    if not file.absolute().parent.is_dir():
        raise BadRequest(f"{file} cannot be written: its folder does not exist.")


def _keep_failed(store: Store, run: Run, error: BaseException) -> None:
    """Keeps a run that has begun and ended in an error, with the reason."""
    reason = "The run was broken off."
    if isinstance(error, LabError):
        reason = str(error)
    elif isinstance(error, Exception):
        reason = f"Something went wrong in this run ({type(error).__name__})."
    try:
        store.save(dataclasses.replace(run, status="failed", error=reason))
    except LabError as another:  # the first error is the one to say
        _say(f"not saved: {another}")


def _say_lost(store: Store) -> None:
    """Runs that a killed process left unfinished are said once, and stay in the list."""
    for lost in store.recover():
        _say(f"lost: run {lost.id} ({lost.plan.method}): {lost.error}")
    for note in store.notes:
        _say(f"note: {note}")


def _progress(snapshot: Snapshot) -> str:
    if snapshot.phase == "measuring":
        return f"measuring every image after step {snapshot.step} of {snapshot.total_steps}"
    loss = f", loss {snapshot.training_loss:.3f}" if snapshot.training_loss is not None else ""
    line = f"{snapshot.phase}: step {snapshot.step} of {snapshot.total_steps}{loss}"
    if snapshot.probe is not None and snapshot.probe.mia is not None:
        line += f", attack {100 * snapshot.probe.mia:.1f} %"
    return line + _left(snapshot.remaining)


def _left(remaining: float | None) -> str:
    return "" if remaining is None else f", about {remaining:.0f} s left"


def report(run: Run) -> dict[str, Any]:
    """What `unlearn --json` writes: the three models' numbers as fractions, and the record."""

    def numbers(evaluation: Evaluation | None) -> dict[str, float | None] | None:
        if evaluation is None:
            return None
        metrics = evaluation.metrics()
        return {name: metrics[name] and metrics[name]["value"] for name in REPORTED}

    return {
        "id": run.id,
        "status": run.status,
        "error": run.error,
        **{name: numbers(getattr(run, name)) for name in MODELS},
        "intervals": {name: getattr(run, name) and getattr(run, name).metrics() for name in MODELS},
        "verdict": verdict.to_dict() if (verdict := verdict_of(run)) else None,
        "seconds": {name: run.seconds.get(name) for name in ("unlearning", "measuring")},
        "plan": run.plan.to_dict(),
        "settings": dict(run.settings),
        "versions": dict(run.versions),
        "data": dict(run.data),
        "weights_sha256": run.weights_sha256,
        "steps": {"done": run.steps_done, "total": run.total_steps},
    }


def _show(run: Run, json_target: str) -> None:
    """The table on the screen, unless JSON goes there."""
    if json_target != "-":
        _print_table(run)
    if json_target:
        _write_json(json_target, report(run))


def _print_table(run: Run) -> None:
    numbers = report(run)
    print(f"run {run.id}: {run.plan.method}, {run.plan.request.describe()}, {run.status}")
    if run.error:
        print(run.error)
    columns = [name for name in MODELS if numbers[name] is not None]
    if not columns:
        return
    print(f"{'':26}" + "".join(f"{name:>12}" for name in columns))
    for metric in REPORTED:
        values = (numbers[name][metric] for name in columns)
        cells = (f"{100 * v:>10.1f} %" if v is not None else f"{'-':>12}" for v in values)
        print(f"{metric:26}" + "".join(cells))
    spent = [f"{s:.1f} s {name}" for name, s in numbers["seconds"].items() if s is not None]
    if spent:
        print(", ".join(spent))


def _methods(options: argparse.Namespace) -> int:
    from core.runs.measured import measured_methods
    from core.unlearners import describe

    measured = measured_methods()
    methods = [
        {**method, "measured": [row for row in measured if row["method"] == method["name"]]}
        for method in describe()
    ]
    if options.json:
        _write_json(options.json, methods)
        return 0
    group = ""
    for method in methods:
        if method["group"] != group:
            group = method["group"]
            print(f"\n{group}")
        print(f"  {method['name']:20} {method['label']}: {method['sentence']}")
        needs = ", ".join(method["needs"]) or "nothing"
        suits = "samples and classes" if method["suits"] == "both" else method["suits"]
        precision = "always in float32; " if method["precision"] == "float32" else ""
        print(f"    reads {needs}; for {suits}; {precision}{method['paper']}")
        for row in method["measured"]:
            print(
                f"    on CIFAR-10, {row['case']}: {row['seconds']:.1f} s, "
                f"{100 * row['share']:.1f} % of retraining, {row['gap']:.2f} points from it"
            )
        for parameter in method["parameters"]:
            line = f"--set {parameter['name']}={parameter['default']}"
            presets = ", ".join(f"{case} {value}" for case, value in parameter["presets"].items())
            limits = f"{parameter['low']:g} to {parameter['high']:g}"
            print(f"    {line:32} {limits}" + (f"; {presets}" if presets else ""))
    return 0


def _runs(options: argparse.Namespace) -> int:
    from core.runs.store.store import Store

    store = Store()
    if options.id:
        _show(store.load(options.id), options.json)
        return 0
    summaries = store.summaries()
    if options.json:
        _write_json(options.json, [_summary(store, item) for item in summaries])
        return 0
    for item in summaries:
        print(f"{item.id}  {item.created}  {item.status:11} {item.plan.method:20} ", end="")
        print(item.plan.request.describe())
    if not summaries:
        print(
            "No runs yet. Start one: python -m core unlearn --dataset digits "
            "--forget random:0.1 --method fine_tune"
        )
    return 0


def _summary(store: Store, item: RunSummary) -> dict[str, Any]:
    """The report of a run of the list; of one that cannot be read, that, and why."""
    try:
        return report(store.load(item.id))
    except LabError as error:
        return {"id": item.id, "status": item.status, "error": str(error)}


def _download(options: argparse.Namespace) -> int:
    from core.data.download import download

    if os.environ.get("FORGETTING_LAB_DATA"):
        raise BadRequest(
            "FORGETTING_LAB_DATA names a folder, so a download would not be looked at.",
            "Unset it first.",
        )
    shown = -1.0
    for progress in download("cifar10"):
        if progress.note or time.monotonic() - shown > 2 or progress.done == progress.total:
            shown = time.monotonic()
            done, total = progress.done / 1e6, progress.total / 1e6
            _say(f"{progress.file}: {done:.0f} of {total:.0f} MB {progress.note}".rstrip())
    print("CIFAR-10 is here.")
    return 0


def _repair(options: argparse.Namespace) -> int:
    from core.runs.store.reset import reset_aside
    from core.runs.store.store import Store

    try:
        store = Store()
    except StoreCorrupt as error:
        _say(str(error))
        store = reset_aside()
        print(f"The damaged database was set aside. The new one has {store.count()} runs.")
        for note in store.notes:
            print(note)
    else:
        print("The database of runs is not damaged, so nothing was changed.")
    store.close()
    return 0


def _write_json(target: str, content: Any) -> None:
    text = json.dumps(content, indent=2, allow_nan=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
        return
    file = Path(target)
    _check_target(file)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text)
        os.replace(temporary, file)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise BadRequest(f"{file} cannot be written ({error.strerror}).") from error


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
