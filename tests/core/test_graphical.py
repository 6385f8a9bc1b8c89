"""A probabilistic model forgets: from the shell, and as the app asks for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core import __main__ as cli
from core.checkpoints.memorisation import split_of
from core.data.load import load_dataset
from core.data.request_text import parse_request
from core.graphical import methods
from core.graphical.comparing import moved
from core.graphical.forgetting import Forgotten, forget
from core.graphical.hidden import Mixture
from core.graphical.network import in_network, retrained_network
from core.graphical.registry import MODELS, model_of, sides
from core.graphical.task import ORDER, Task
from core.metrics.registry import METRICS
from core.runs.shell.beyond_images import MODELS as SHELLS

THREE = ("before", "after", "retrained")
SIX = {"forget_accuracy", "retain_accuracy", "test_accuracy", "mia"} | {
    "retained_test_accuracy",
    "mia_class_matched",
}


def core(*arguments: object) -> int:
    return cli.main(["unlearn", "--dataset", "digits", *map(str, arguments)])


def done(model: str, request: str, method: str, **settings: object) -> Forgotten:
    kind, data = model_of(model, "digits"), load_dataset("digits")
    parts = split_of(data, parse_request(request))
    task = Task(kind, methods.make(method, kind, settings), data, sides(kind, data), parts)
    return forget(task, metrics=[metric for metric in METRICS.values() if metric.signal])


def test_the_shell_knows_the_names_without_importing_the_models() -> None:
    named = {name for name, module in SHELLS.items() if module.endswith("graphical")}
    assert set(MODELS) == named


@pytest.mark.parametrize("model", ["naive_bayes", "tan"])
def test_exact_is_retrained_to_the_last_bit(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    forget = ("--model", model, "--forget", "random:50", "--method", "exact")
    assert core(*forget, "--json", out) == 0
    found = json.loads(out.read_text())
    assert all(set(found[name]) >= SIX for name in THREE)
    assert found["after"] == found["retrained"] != found["before"]
    intervals = [found["intervals"][name] for name in THREE[1:]]
    assert intervals[0]["margin_auc"] == intervals[1]["margin_auc"]
    assert intervals[0]["margin_auc"]["low"] < intervals[0]["margin_auc"]["high"]
    assert found["exact"]
    assert (found["verdict"]["word"], found["verdict"]["share"]) == ("forgotten", 1)
    assert set(found["seconds"]) == {"training", "unlearning", "retraining", "measuring"}
    assert 0 < found["counts"]["changed"] < found["counts"]["numbers"]
    assert (found["data"]["forget"], found["data"]["retain"]) == (50, 847)
    assert [tree["class"] for tree in found["trees"]] == ([""] if model == "tan" else [])
    said = capsys.readouterr().out
    assert "verdict: forgotten" in said
    assert "exact: bit for bit" in said
    assert ("edges gone" in said) == (model == "tan")


def test_a_hidden_variable_is_not_exact_and_the_settings_count(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    forget = ("--model", "mixture", "--forget", "random:300", "--forget-seed", "1")
    method = ("--method", "continue_em", "--set", "iterations=3")
    assert core(*forget, *method, "--json", out) == 0
    found = json.loads(out.read_text())
    assert not found["exact"]
    assert found["after"] != found["retrained"]
    assert found["settings"] == {"iterations": 3}
    assert found["counts"] is None
    assert found["seconds"]["retraining again"] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--model", "hmm", "--method", "exact"), "not made of sums over images alone"),
        (("--model", "tan", "--method", "continue_em"), "has no hidden variable"),
        (("--model", "tan", "--method", "scrub"), "It has exact, retrain, do_nothing."),
        (("--model", "tan", "--method", "exact", "--dataset", "cifar10"), "8 x 8 pixels"),
        (("--model", "tan", "--method", "exact", "--set", "alpha=1"), "no setting 'alpha'"),
        (
            ("--model", "mixture", "--method", "continue_em", "--set", "iterations=-1"),
            "out of range",
        ),
        (("--model", "tan", "--method", "exact", "--weights", "w"), "are not kept"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert core("--forget", "random:5", *arguments) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not printed.out


def test_doing_nothing_is_never_called_forgotten() -> None:
    for model in MODELS:
        found = done(model, "random:200", "do_nothing") if model != "discriminant" else None
        if found is not None:
            assert not found.exact
            assert found.verdict.word in ("not forgotten", "cannot tell")


def test_a_class_is_forgotten_and_its_tree_with_it() -> None:
    found = done("chow_liu", "class:3", "exact")
    assert found.exact
    assert found.measured["after"].value("forget_accuracy") < 0.05
    changed = {pair.of: len(pair.after) for pair in found.trees if pair.changed}
    assert changed == {"3": 0}


def test_images_that_stay_change_their_hidden_state() -> None:
    """What breaks exactness: what is said of images that nobody asked about depends on the
    others."""
    found = done("mixture", "random:200", "continue_em")
    before, after, retrained = (found.models[which] for which in ORDER)
    assert isinstance(before, Mixture)
    retain = found.task.retain
    assert moved(before, before, retain) == 0
    assert 0 < moved(before, retrained, retain) < len(retain)
    renamed = Mixture(
        before.images,
        tuple(
            type(chain)(chain.start[::-1], chain.moves, chain.means[:, ::-1],
                        chain.variances[:, ::-1])
            for chain in before.chains
        ),
        before.expected,
    )  # fmt: skip
    assert moved(before, renamed, retain) == 0
    assert np.isfinite(after.scores(retain.x)).all()


def test_the_head_forgets_exactly_and_the_features_still_know() -> None:
    found = done("discriminant", "random:0.1", "exact")
    assert found.exact
    assert found.seconds["unlearning"] < 0.1
    network = retrained_network(found)
    assert network is not None
    inside = in_network(found, network, [m for m in METRICS.values() if m.signal])
    assert inside.verdict.word != "forgotten"
    after, ideal = (inside.measured[name] for name in ("after", "retrained"))
    assert after["re_head"].value == inside.measured["before"]["re_head"].value
    assert after["re_head"].low > ideal["re_head"].high
    assert retrained_network(done("discriminant", "random:7", "exact")) is None
