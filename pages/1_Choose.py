"""What should the network forget? Cases, classes, chance, or images picked by hand."""

import streamlit as st

from ui.screens.choose import at_random, by_hand, cases, choice, classes, data_set, ways
from ui.state import address
from ui.widgets import frame, recovery, runs_at_hand, take_home

frame.setup_page("Choose")
recovery.service_or_stop()
runs_at_hand.keep_watch()
st.title("Choose what to forget")

data, scores = data_set.images_or_stop()
total = len(data.train_labels)
match ways.switch():
    case "cases":
        cases.panel(scored=scores is not None)
    case "classes":
        classes.panel(data.class_names)
    case "random":
        at_random.panel(total)
    case _:
        by_hand.panel(data, scores)
ways.remember()
address.write()

st.subheader("Your choice")
split = choice.split_or_stop()
choice.summary(split, total)
choice.preview(data, split)
take_home.link_box("A link to this choice", "Who opens it sees this choice. It starts nothing.")
