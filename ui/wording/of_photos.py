"""What is said of single photos: whether each can still be told from new ones."""

from __future__ import annotations

from collections.abc import Sequence

from core.runs.photos import ALARM, Photo, Word
from ui.wording.numbers import listed

SAID: dict[Word, str] = {
    "still told": "still told from new ones",
    "no longer told": "no longer told",
    "never told": "never stood out",
    "stranger than new": "stranger than a new one",
}
"""Below a photo: what a spy says of it."""
_SENTENCES: dict[Word, tuple[str, str]] = {
    "still told": ("can still be told from new ones", "can still be told from new ones"),
    "no longer told": ("no longer can be told", "no longer can be told"),
    "never told": ("never stood out from new ones", "never stood out from new ones"),
    "stranger than new": (
        "is now stranger to it than a new one, which gives it away too",
        "are now stranger to it than new ones, which gives them away too",
    ),
}
_ALL: dict[Word, str] = {
    "still told": "All {} photos can still be told from new ones.",
    "no longer told": "None of the {} photos can be told from new ones any longer.",
    "never told": "None of the {} photos ever stood out from new ones, not even before.",
    "stranger than new": "All {} photos are now stranger to it than new ones, which gives them "
    "away too.",
}
METHOD = (
    "Asked photo by photo: is the network surer of it, beside the ideal, than of new photos? A "
    f"photo counts as told where fewer than {100 * ALARM:.0f} in 100 new ones look as familiar, so "
    f"about {100 * ALARM:.0f} in 100 are accused wrongly."
)


def summary(found: Sequence[Photo]) -> str:
    """ "Of 3 photos 1 can still be told from new ones and 2 no longer can."; "" for none."""
    counts = {word: sum(photo.word == word for photo in found) for word in SAID}
    said = [f"{count:,} {_SENTENCES[word][count != 1]}" for word, count in counts.items() if count]
    if not said:
        return ""
    if len(found) == 1:
        return f"It {_SENTENCES[found[0].word][0]}."
    if len(said) == 1:
        return _ALL[found[0].word].format(f"{len(found):,}")
    return f"Of {len(found):,} photos {listed(said)}."
