"""The last layer at its optimum: against Newton's method to its end, and leaving out for real."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from core.checkpoints.features import features, features_by_batch
from core.curvature.deletions import LADDER, Deletions, check_deletions, until_right
from core.curvature.head import with_bias
from core.curvature.head_fit import FittedHead, fit_head, losses_of_heads
from core.curvature.influence import head_influence
from core.curvature.products import finish
from core.curvature.solvers import Anderson, conjugate_gradients
from core.errors import Diverged
from tests.fidelity.test_curvature import CLASSES
from tests.fidelity.test_influence import L2, Linear, N, fitted, losses, noise

START = torch.randn(CLASSES, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
Clouds = tuple[Tensor, Tensor, Tensor, Tensor]
SETS = [np.array(chosen) for chosen in ([3], [5, 1], [0, 10, 20, 30, 40], range(15))]


def three_clouds(n: int) -> Clouds:
    """Three that overlap: n images to fit to, 8 to test with."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.randint(0, CLASSES, (n + 8,), generator=draw)
    centres = torch.randn(CLASSES, 5, generator=draw)
    rows = centres[labels] + torch.randn(n + 8, 5, generator=draw)
    return rows[:n], labels[:n], rows[n:], labels[n:]


@pytest.fixture(scope="module")
def clouds() -> Clouds:
    return three_clouds(N)


@pytest.fixture(scope="module")
def head(clouds: Clouds) -> FittedHead:
    return finish(fit_head(clouds[0], clouds[1], L2, START))


def test_the_one_minimum_wherever_it_starts(clouds: Clouds, head: FittedHead) -> None:
    x, labels = with_bias(clouds[0]), clouds[1]
    assert (head.weights - fitted(x, labels, L2)).abs().max() < 1e-6
    from_far = finish(fit_head(clouds[0], labels, L2, 30 * START))
    torch.testing.assert_close(from_far.weights, head.weights, rtol=0, atol=1e-6)
    steps = list(fit_head(clouds[0], labels, L2, START))
    assert steps[-1][0] == steps[-1][1]
    assert [done for done, _ in steps] == list(range(1, len(steps) + 1))


def test_its_influence_is_that_of_equation_2_1(clouds: Clouds, head: FittedHead) -> None:
    expected = finish(head_influence(head.weights, *clouds, damping=L2))
    found = finish(head.influence(clouds[2], clouds[3]))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_forgetting_is_refitting_without(clouds: Clouds, head: FittedHead) -> None:
    """Side by side, and far from the start: a quarter of the images too."""
    x, labels = with_bias(clouds[0]), clouds[1]
    found = finish(head.without(SETS))
    for chosen, weights in zip(SETS, found, strict=True):
        keep = np.setdiff1d(np.arange(N), chosen)
        assert (weights - fitted(x[keep], labels[keep], L2)).abs().max() < 1e-6
    own = losses_of_heads(found, clouds[2], clouds[3])
    expected = losses(found[2], clouds[2], clouds[3])
    np.testing.assert_allclose(own[2], expected, rtol=1e-12)


def test_what_is_predicted_is_what_happens(clouds: Clouds, head: FittedHead) -> None:
    """Leaving each image out, one at a time."""
    after = finish(head.without([np.array([i]) for i in range(N)]))
    before = losses_of_heads(head.weights[None], clouds[2], clouds[3])
    actual = losses_of_heads(after, clouds[2], clouds[3]) - before
    predicted = -finish(head.influence(clouds[2], clouds[3]))
    for t in range(8):
        assert np.corrcoef(predicted[:, t], actual[:, t])[0, 1] > 0.95
    # Equation 2.1 is the first order of it: of a hundred copies of each image, one matters less.
    many = finish(fit_head(clouds[0].repeat(100, 1), clouds[1].repeat(100), L2, START))
    one = finish(many.without([np.array([i]) for i in range(10)]))
    before = losses_of_heads(many.weights[None], clouds[2], clouds[3])
    actual = losses_of_heads(one, clouds[2], clouds[3]) - before
    predicted = -finish(many.influence(clouds[2], clouds[3]))[:10]
    np.testing.assert_allclose(actual, predicted, rtol=0.05, atol=1e-6)


def test_what_has_no_minimum_is_said(clouds: Clouds) -> None:
    with pytest.raises(Diverged):
        finish(fit_head(clouds[0] * float("nan"), clouds[1], L2, START))


def test_anderson_solves_small_linear_systems_at_once() -> None:
    """x <- x + (b - A x), which by itself does not converge for the second A: three unknowns take
    four steps, each system by itself."""
    draw = torch.Generator().manual_seed(0)
    a = torch.eye(3, dtype=torch.float64) * torch.tensor([[[0.9]], [[2.5]]])
    a = a + 0.2 * torch.randn(2, 3, 3, generator=draw, dtype=torch.float64)
    b = torch.randn(2, 3, generator=draw, dtype=torch.float64)
    x, anderson = torch.zeros(2, 3, dtype=torch.float64), Anderson(memory=5)
    for _ in range(4):
        x = anderson.next(x, b - (a @ x[:, :, None])[:, :, 0])
    torch.testing.assert_close(x, torch.linalg.solve(a, b), rtol=0, atol=1e-6)


def test_a_preconditioner_that_is_the_inverse_takes_one_step() -> None:
    draw = torch.Generator().manual_seed(0)
    root = torch.randn(8, 8, generator=draw, dtype=torch.float64)
    matrix, target = root @ root.T, torch.randn(8, generator=draw, dtype=torch.float64)
    whole = matrix + 0.1 * torch.eye(8)

    def product(v: Tensor):
        yield
        return matrix @ v

    found = finish(
        conjugate_gradients(
            product, target, 0.1, 1, precondition=lambda r: torch.linalg.solve(whole, r)
        )
    )
    torch.testing.assert_close(found, torch.linalg.solve(whole, target))


def test_features_come_batch_by_batch_and_leave_the_model_as_it_was(monkeypatch) -> None:
    monkeypatch.setattr("core.checkpoints.features.BATCH", 4)
    model, part = Linear().train(), noise(10)
    work = features_by_batch(model, part)
    assert next(work) == (4, 10)
    assert not torch.is_inference_mode_enabled()
    work.close()
    assert model.training
    assert list(features_by_batch(model, part))[-1] == (10, 10)
    assert features(model, part).shape == (10, 4)


def test_deletions_are_predicted_and_checked() -> None:
    """Of 600 images; the chosen five first. What happens is refitting without them."""
    rows, labels, test_rows, test_labels = three_clouds(600)
    head = finish(fit_head(rows, labels, L2, START))
    influence = finish(head.influence(test_rows[:1], test_labels[:1]))[:, 0]
    worst, label = np.argsort(-influence)[:5], int(test_labels[0])
    found = finish(check_deletions(head, influence, test_rows[0], label, worst.tolist()))
    keep = np.setdiff1d(np.arange(600), worst)
    without = fitted(with_bias(rows)[keep], labels[keep], L2)
    expected = float(losses(without, test_rows[:1], test_labels[:1]))
    assert found.loss + found.actual[0] == pytest.approx(expected, abs=1e-6)
    assert found.predicted[0] == pytest.approx(-influence[worst].sum())
    assert max(found.predicted[0], found.actual[0]) < 0
    assert -np.log(found.before[label]) == pytest.approx(found.loss)
    assert -np.log(found.after[label]) == pytest.approx(found.loss + found.actual[0])
    assert len(found.kinds) == len(found.sizes) == len(found.actual) == 1 + (2 * 8 - 1) + 6
    assert found.correlation > 0.98
    assert found.slope == pytest.approx(1, abs=0.25)


def test_as_many_as_it_takes() -> None:
    """For each test image that the head gets wrong: without so many of those that misled it most it
    is right, and without the last fewer ones not yet."""
    rows, labels, test_rows, _ = three_clouds(600)
    head = finish(fit_head(rows, labels, L2, START))
    x_test = with_bias(test_rows)
    turned = 0
    for t, logits in enumerate(x_test @ head.weights.T):
        label = int(logits.argsort()[-2])  # taken for the truth: the head is wrong
        influence = finish(head.influence(test_rows[t, None], torch.tensor([label])))[:, 0]
        found = finish(until_right(head, influence, test_rows[t], label))
        ranked = np.argsort(-influence, kind="stable")

        def says(size: int, ranked: NDArray[np.int64] = ranked, t: int = t) -> int:
            keep = np.sort(ranked[size:])
            again = fitted(with_bias(rows)[keep], labels[keep], L2)
            return int((x_test[t] @ again.T).argmax())

        assert (says(found.count) == label) == found.right
        if found.right and found.count > 1:
            assert says(LADDER[LADDER.index(found.count) - 1]) != label
        turned += found.right
    assert turned > 0
    nobody = finish(until_right(head, -np.ones(600), test_rows[0], 0))
    assert nobody.count == 0


def test_nothing_moves_nothing() -> None:
    none = np.zeros(3)
    still = Deletions(("chosen",) * 3, (1,) * 3, none, none, none, none, 0.0)
    assert np.isnan(still.correlation)
    assert np.isnan(still.slope)
