"""Sentences computed from numbers, links there and back, settings' scales, and the exports."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import pytest

from core.errors import BadRequest
from core.forget_sets import ForgetRequest
from tests.app import fakes
from ui import links, report, widgets, wording
from ui.links import Draft
from ui.settings import log_scale

REQUESTS = (
    ForgetRequest.random(0.1),
    ForgetRequest.random(1.0, 4),
    ForgetRequest.random(500, 4),
    ForgetRequest.of_classes("cat", "dog"),
    ForgetRequest.of_classes("cat", fraction=0.5, seed=3),
    ForgetRequest.of_classes("odd, name"),
    ForgetRequest.most_memorised(500),
    ForgetRequest.of_indices([3, 1, 2]),
)


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: r.to_json()[:40])
def test_a_draft_survives_its_link(request_: ForgetRequest) -> None:
    draft = Draft("digits", request_, "neg_grad", {"epochs": 0.5, "passes": 3}, 9)
    found, problems = links.from_params(links.to_params(draft), Draft())
    assert (found, problems) == (draft, [])


def test_long_choices_are_stored_and_found_again() -> None:
    kept = {}
    request = ForgetRequest.of_indices(range(2000))
    text = links.forget_text(request, lambda r: kept.setdefault("0" * 16, r) and "0" * 16)
    assert text == "stored:" + "0" * 16
    assert links.forget_request(text, find=kept.__getitem__) == request


def test_a_link_never_opens_a_file(tmp_path) -> None:
    file = tmp_path / "list"
    file.write_text("1\n2\n")
    for text in (f"indices:{file}", f"stored:{file}", "stored:../../etc/passwd"):
        with pytest.raises(BadRequest):
            links.forget_request(text, find=lambda id: ForgetRequest.random(1))


@pytest.mark.parametrize("text", ["", "{", "{}", "random", "random:x", "class:", "indices:1,x"])
def test_unreadable_requests_become_a_sentence(text: str) -> None:
    draft, problems = links.from_params({"forget": text}, Draft())
    assert draft.request is None
    assert len(problems) == 1


def verdict(**after: object) -> str:
    return wording.verdict(fakes.run(after=after))


def test_verdicts_follow_the_numbers() -> None:
    assert "looks forgotten" in verdict(mia=0.51)
    assert "Partly forgotten" in verdict(mia=0.54)
    assert "Hardly anything" in verdict(mia=0.578)
    assert "too much" in verdict(mia=0.60, direction="forget higher")
    assert "too much" in verdict(mia=0.46)
    assert "-1.0 points" in verdict(mia=0.51)


def test_verdict_where_something_is_missing() -> None:
    bare = replace(fakes.run(), after=None)
    assert "nothing to judge" in wording.verdict(bare)
    assert "ideal score is not known" in wording.verdict(replace(fakes.run(), retrained=None))
    assert "too few images" in wording.verdict(fakes.run(n=5))
    same = replace(fakes.run(), before=fakes.evaluation(mia=0.502))
    assert "cannot show forgetting" in wording.verdict(same)


def test_no_sentence_claims_a_proof() -> None:
    for run in (fakes.run(), fakes.class_run(), fakes.run(n=5)):
        assert "prove" not in wording.verdict(run)
    assert "never a proof" in wording.LIMITS


def test_trap_only_for_classes() -> None:
    assert wording.trap(fakes.run()) is None
    text = wording.trap(fakes.class_run())
    assert text is not None
    for number in ("95.0 %", "96.0 %", "51.0 %"):
        assert number in text


def test_no_trap_where_both_questions_have_the_same_answer() -> None:
    run = fakes.class_run()
    assert wording.trap(replace(run, after=fakes.evaluation(mia=0.68, matched=0.69))) is None


def test_words_for_numbers() -> None:
    assert wording.value(None, "measuring") == "measuring"
    assert wording.value(widgets.UNSCORED) == "too few images"
    assert wording.loss(0.00312) == "0.0031"
    assert wording.loss(2e-6) == "below 0.0001"
    assert wording.duration(20) == "20 s"
    assert wording.duration(None) == "time left not known yet"
    assert wording.place(1) == "next in line"


def test_log_scale_holds_ends_default_and_zero() -> None:
    assert log_scale(0.01, 50, {1.0, 0.3})[:5] == [0.01, 0.02, 0.05, 0.1, 0.2]
    assert 0.3 in log_scale(0.01, 50, {0.3})
    assert log_scale(0.0, 1e6, {0.1})[:3] == [0.0, 0.1, 1.0]
    assert log_scale(8, 1024, {128}, whole=True) == [
        8,
        10,
        20,
        50,
        100,
        128,
        200,
        500,
        1000,
        1024,
    ]


def test_exports_hold_the_numbers() -> None:
    run = fakes.run()
    metrics = report.metrics_table(run)
    assert set(metrics["model"]) == {"before", "after", "retrained"}
    losses = report.losses_table(run)
    assert len(losses) == 3 * (1000 + 1000 + 500)
    with zipfile.ZipFile(io.BytesIO(report.pictures(run))) as archive:
        assert all(archive.read(name)[:4] == b"\x89PNG" for name in archive.namelist())
        assert len(archive.namelist()) == 3
    page = report.page(run, "http://here/?run=1", {"fine_tune": "Fine-tune <b>"})
    assert page.count("<svg") == 3
    assert "<script" not in page
    assert "Fine-tune &lt;b&gt;" in page
    assert "never a proof of deletion" in page
