"""Two runs against each other, out of all that have finished."""

import streamlit as st

from ui.screens.compare.foot import leave
from ui.screens.compare.overlay import bars, overlay
from ui.screens.compare.pair import load_or_leave
from ui.screens.compare.runs_table import ticked_or_leave
from ui.screens.compare.side_by_side import names_of, side_by_side, take_along
from ui.state import address
from ui.widgets import frame, recovery, runs_at_hand
from ui.wording import terms

frame.setup_page("Compare")
recovery.service_or_stop()
runs_at_hand.keep_watch()
st.title("Compare finished runs")

chosen = ticked_or_leave()
address.write(runs=",".join(chosen))
pair = load_or_leave(chosen)
names = names_of(pair)
overlay(*pair, names)
side_by_side(pair, names)
bars(*pair)
st.caption(terms.LIMITS)
take_along(pair)
leave()
