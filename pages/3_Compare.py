"""Two or more runs on one forget set beside each other: which is nearest to the ideal?"""

import streamlit as st

from ui.screens.compare.chosen import load_or_leave
from ui.screens.compare.foot import leave
from ui.screens.compare.overlay import losses_of_two
from ui.screens.compare.runs_table import ticked_or_leave
from ui.screens.compare.side_by_side import strips, take_along, verdicts_of
from ui.services import methods
from ui.state import address
from ui.widgets import frame, recovery, runs_at_hand
from ui.wording import terms

frame.setup_page("Compare")
recovery.service_or_stop()
runs_at_hand.keep_watch()
st.title("Compare finished runs")

chosen = ticked_or_leave()
address.write(runs=",".join(chosen))
runs = load_or_leave(chosen)
names = methods.names(runs)
strips(runs, names)
verdicts_of(runs, names)
if len(runs) == 2:
    losses_of_two(*runs, names)
st.caption(terms.LIMITS)
take_along(runs)
leave()
