"""After a crash or damage: the database that cannot be used, and the runs that were cut short."""

from __future__ import annotations

import streamlit as st

from core.errors import LabError, StoreCorrupt
from ui import outside
from ui.services import jobs, runs
from ui.state import drafts
from ui.state.session import session
from ui.widgets.errors import say
from ui.widgets.frame import UNLEARN
from ui.wording import titles


def service_or_stop() -> None:
    """Opens the store; where it is damaged says so and ends the page. Whoever sits at this machine
    is offered a new one, a stranger is not."""
    try:
        jobs.queue()
    except StoreCorrupt as error:
        say(error)
        if outside.hosted():
            st.caption("Whoever runs this server can mend it: `python -m core repair`.")
        elif st.button("Put the damaged database aside and start a new one", key="set-aside"):
            try:
                runs.set_store_aside()
            except LabError as another:
                say(another)
            else:
                st.rerun()
        st.stop()
    except LabError as error:
        say(error)
        st.button("Try again", key="try-again")
        st.stop()


def lost_runs() -> None:
    """Says which runs a crash cut short, and offers to start them again: to a stranger their own,
    to whoever sits at this machine all, and what became of array files that could not be read."""
    notes = runs.store().notes
    if notes and not outside.hosted():
        st.warning(outside.plain(" ".join(notes)), icon=":material/inventory_2:")
        if st.button("Dismiss", key="dismiss-notes", type="tertiary"):
            notes.clear()
            st.rerun()
    for summary in jobs.lost(session.owner):
        with st.container(border=True, key=f"lost-{summary.id}"):
            st.markdown(
                f":material/power_off: **{outside.plain(titles.plan_title(summary.plan))}.** "
                f"{outside.plain(summary.error)}"
            )
            with st.container(horizontal=True):
                if st.button("Set it up again", key=f"again-{summary.id}"):
                    jobs.dismiss(summary)
                    drafts.take_up(summary.plan)
                    st.switch_page(UNLEARN)
                if st.button("Dismiss", key=f"dismiss-{summary.id}", type="tertiary"):
                    jobs.dismiss(summary)
                    st.rerun()
