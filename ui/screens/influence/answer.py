"""A test photo, what the network says of it, and the training photos behind that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from ui import outside
from ui.services.influence import Answers, Explained
from ui.widgets.figures import table
from ui.widgets.mosaic import enlarged
from ui.wording import influence as words

if TYPE_CHECKING:
    from core.data.dataset import ImageDataset

SHOWN = 10
"""So many training photos on either side."""
WIDTH = 80
SIDES = {
    "helped it": ("Helped it", "Without one of these, the loss on the test photo would rise by"),
    "misled it": ("Misled it", "Without one of these, the loss on the test photo would fall by"),
}


def strongest(influence: NDArray[np.float64], side: str, most: int = SHOWN) -> NDArray[np.int64]:
    """The training photos that helped or misled most, the strongest first: only those that did."""
    order = np.argsort(influence if side == "helped it" else -influence, kind="stable")[:most]
    return order[influence[order] < 0 if side == "helped it" else influence[order] > 0]


def the_photo(data: ImageDataset, answers: Answers, index: int, found: Explained | None) -> None:
    """The photo, and what is said of it; of the fitted last layer once that is known."""
    names = data.class_names
    truth, said = names[int(data.test_labels[index])], names[int(answers.said[index])]
    sentence = words.answer(
        outside.plain(truth),
        outside.plain(said),
        None if found is None else found.probabilities,
        [outside.plain(name) for name in names],
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", wrap=False):
        st.image(
            enlarged(data.test_images[index].numpy(), 4),
            alt=f"Test photo {index}, {truth}",
            width=112,
        )
        st.markdown(f"Test photo {index}. {sentence}", width="stretch")


def behind(
    data: ImageDataset,
    answers: Answers,
    index: int,
    found: Explained,
    scores: NDArray[np.float32] | None,
) -> None:
    """The training photos that helped and that misled it, and what they are."""
    names = [outside.plain(name) for name in data.class_names]
    labels = data.train_labels.numpy()
    of_side: dict[str, list[str]] = {}
    for place, side in zip(st.columns(2), SIDES, strict=True):
        ids = strongest(found.influence, side)
        of_side[side] = [names[labels[i]] for i in ids]
        with place:
            _side(data, side, ids, -found.influence / found.loss, scores)
    truth, said = names[int(data.test_labels[index])], names[int(answers.said[index])]
    who = words.who(of_side["helped it"], of_side["misled it"], truth, said)
    st.markdown(f"{who} {words.concentrated(found.influence)}")
    with st.expander("The same as a table"):
        rows = np.concatenate([strongest(found.influence, side, 50) for side in SIDES])
        table(
            {
                "training photo": rows,
                "class": [data.class_names[labels[i]] for i in rows],
                "change of the loss without it": -found.influence[rows] / found.loss,
                "influence (nats)": found.influence[rows],
            },
            "The training photos with the most influence on this answer",
            percents=["change of the loss without it"],
            formats={"influence (nats)": "%.2e"},
        )


def _side(
    data: ImageDataset,
    side: str,
    ids: NDArray[np.int64],
    changes: NDArray[np.float64],
    scores: NDArray[np.float32] | None,
) -> None:
    """One side's photos. changes: of the loss without each training photo, as shares of it."""
    title, meaning = SIDES[side]
    st.markdown(f"##### {title}")
    if not len(ids):
        st.caption("No training photo did.")
        return
    labels, names = data.train_labels.numpy(), data.class_names
    st.caption(f"{meaning}")
    with st.container(horizontal=True, gap="small"):
        for i in ids:
            size = words.share_of_loss(abs(float(changes[i]))).lstrip("+")
            clings = f", clings {scores[i]:.2f}" if scores is not None else ""
            wrong = ", label wrong on purpose" if _mislabelled(data, int(i)) else ""
            name = names[labels[i]]
            st.image(
                enlarged(data.train_images[i].numpy(), 3),
                caption=f"{outside.plain(name)}{' (wrong)' if wrong else ''}  \n{size}",
                alt=f"Training photo {i}, labelled {name}{clings}{wrong}: {size}",
                width=WIDTH,
            )
    if mislabelled := sum(_mislabelled(data, int(i)) for i in ids):
        st.caption(f"{mislabelled} of these {len(ids)} have a label that is wrong on purpose.")


def _mislabelled(data: ImageDataset, index: int) -> bool:
    return data.wrong_labels is not None and bool(data.wrong_labels[index])
