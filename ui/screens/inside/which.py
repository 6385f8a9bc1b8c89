"""What the page that looks inside says of the run that it is about."""

from __future__ import annotations

from core.runs.run import Run
from ui.widgets import finished_run
from ui.widgets.finished_run import Screen

SCREEN = Screen(
    name="inside",
    introduction=(
        "A network can stop *saying* what it still *knows*. Here one looks past its answers: at "
        "what each depth of the network still makes of the photos it was told to forget, beside "
        "the network before and one that never saw them."
    ),
    button="Look inside",
    icon=":material/neurology:",
    not_yet="one can look inside once it has been measured",
    nothing="It left no network to look into.",
    again="one can look inside",
)


def run_or_stop() -> Run:
    """The run on screen, once it has ended with a measurement; else says why not, and stops."""
    return finished_run.run_or_stop(SCREEN)
