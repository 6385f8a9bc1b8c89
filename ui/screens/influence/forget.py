"""Forget these five: what is predicted of the test photo, what happens, and the way on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from core.data.requests import ForgetRequest
from ui import outside
from ui.charts.deletions import KINDS, predicted_against_actual
from ui.screens.influence.answer import strongest
from ui.services import influence
from ui.services.influence import Explained
from ui.state import drafts, values
from ui.widgets.figures import draw, table
from ui.widgets.frame import CHOOSE
from ui.widgets.grid import image_grid
from ui.widgets.working import result_of
from ui.wording import influence as words

if TYPE_CHECKING:
    from core.curvature.deletions import Deletions
    from core.data.dataset import ImageDataset

FIVE = 5
WAYS = {
    "misled it": "The five that misled it most",
    "helped it": "The five that helped it most",
    "own": "My own choice",
}


def forget_these(model: str, data: ImageDataset, index: int, found: Explained) -> None:
    """The choice of photos, the check by deletion, and the way on to Choose with them."""
    st.subheader("Forget them, and see whether the prediction holds")
    st.markdown(
        "The influence function only predicts. Here the last layer is fitted again from all other "
        "photos, to its optimum, so that what really happens stands beside the prediction."
    )
    chosen = _choice(data, index, found)
    label = f"Forget these {len(chosen)}" if len(chosen) != 1 else "Forget this one"
    key = (model, data.name, index, tuple(chosen))
    with st.container(horizontal=True):
        clicked = st.button(
            "Forget these five" if len(chosen) == FIVE else label,
            key="influence-forget",
            type="primary",
            icon=":material/delete_sweep:",
            disabled=not chosen,
        )
        onward = st.button(
            "Choose them for the whole network",
            key="influence-choose",
            icon=":material/arrow_forward:",
            disabled=not chosen,
        )
    if onward:
        drafts.choose(data.name, ForgetRequest.of_indices(chosen))
        st.switch_page(CHOOSE)
    if clicked:
        work = influence.deletions(model, data.name, index, chosen)
        done = result_of(work, "Fitting the last layer again, without them…")
        values.put("influence-check", (key, done))
    checked = values.get("influence-check")
    if checked is not None and checked[0] == key and checked[1] is not None:
        _result(checked[1], found.loss, data, index)
        _as_many_as_it_takes(model, data, index, found)


def _choice(data: ImageDataset, index: int, found: Explained) -> list[int]:
    """Which training photos to forget."""
    way = st.segmented_control(
        "Which photos",
        list(WAYS),
        default="misled it",
        required=True,
        key="influence-way",
        format_func=WAYS.get,
    )
    if way != "own":
        return [int(i) for i in strongest(found.influence, way, FIVE)]
    ids = np.concatenate([strongest(found.influence, side) for side in ("misled it", "helped it")])
    store = f"influence-own-{data.name}-{index}"
    picked: list[int] = values.get(store, [])
    names, labels = data.class_names, data.train_labels.numpy()
    changed = image_grid(
        data.train_images[ids].numpy(),
        ids,
        [
            f"{names[labels[i]]}, training photo {i}, "
            f"{'helped' if found.influence[i] < 0 else 'misled'} it"
            for i in ids
        ],
        picked,
        f"Training photos behind test photo {index}",
        key="influence-own-grid",
    )
    if changed is not None:
        picked = sorted(changed)
        values.put(store, picked)
    st.caption("First those that misled it most, then those that helped it most. Click to pick.")
    return picked


def _result(found: Deletions, loss: float, data: ImageDataset, index: int) -> None:
    """What was predicted and what happened. loss: of the test photo, before."""
    names = [outside.plain(name) for name in data.class_names]
    predicted, actual = found.predicted / loss, found.actual / loss
    st.markdown(
        words.forgotten(
            float(predicted[0]),
            float(actual[0]),
            found.before,
            found.after,
            int(data.test_labels[index]),
            names,
        )
    )
    said = words.agreement(found.correlation, found.slope, len(found.kinds))
    chart, text = st.columns([3, 2], gap="large", vertical_alignment="center")
    with chart:
        draw(
            predicted_against_actual(found.kinds, found.sizes, predicted, actual, said),
            "influence-scatter",
        )
    text.markdown(said)
    text.caption(
        "A point is one removal: your choice, the strongest photos one by one and in fives, and "
        "fives drawn at random. On the dashed line prediction and truth agree."
    )
    with st.expander("The same as a table"):
        rows = {
            "left out": [KINDS[kind] for kind in found.kinds],
            "photos": found.sizes,
            "predicted change of the loss": predicted,
            "what happened": actual,
        }
        table(rows, "Predicted and actual changes", percents=list(rows)[2:])


def _as_many_as_it_takes(model: str, data: ImageDataset, index: int, found: Explained) -> None:
    """Where the answer is wrong: how many of those that misled it have to go until it is right."""
    label = int(data.test_labels[index])
    if int(found.probabilities.argmax()) == label:
        return
    key = (model, data.name, index)
    if st.button("Forget as many as it takes", key="influence-until", icon=":material/stacks:"):
        work = influence.until_right(model, data.name, index)
        values.put("influence-turned", (key, result_of(work, "Forgetting more and more…")))
    done = values.get("influence-turned")
    if done is not None and done[0] == key and done[1] is not None:
        it, names = done[1], [outside.plain(name) for name in data.class_names]
        total = len(data.train_labels)
        st.markdown(words.turned(it.count, it.right, it.after, total, label, names))


def limits() -> None:
    """What the numbers on this screen are, and what they are not."""
    with st.expander("What is computed here, and what it cannot see"):
        st.markdown(
            "**Influence function** (Koh & Liang, ICML 2017; equation 2.1 of the course report). "
            "Were training photo $z'$ given a little more weight $\\epsilon$, the weights would "
            "move by"
        )
        st.latex(r"\frac{d\hat w}{d\epsilon} = -H_{\hat w}^{-1}\,\nabla_w f(z';\hat w)")
        st.markdown(
            "and so the loss on a test photo $z$ by "
            "$I(z', z) = -\\nabla_w f(z;\\hat w)^\\top H^{-1} \\nabla_w f(z';\\hat w)$. Leaving "
            "$z'$ out is $\\epsilon = -1$: the loss changes by about $-I$. Above zero, $I$ says "
            "that $z'$ misled; below, that it helped."
        )
        st.markdown(
            "It is computed exactly for the **last layer** over what the network sees in each "
            "photo: there the loss with its weight decay has one optimum, and refitting finds it. "
            "What the earlier layers learned from a photo is not in it, so a photo can matter more "
            "to the whole network than it does here. To forget it from the whole network, take the "
            "photos along to *Choose*."
        )
