"""What to forget: a request that a link or a file can carry.

A `ForgetRequest` says in words and numbers what is asked for; `core.data.splits` turns it into
index sets. The random kinds draw from the request's own seed, so that a forget set (and the model
retrained without it) is the same in every run, whatever the method's seed.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal, get_args

from core.data.names import is_class_name
from core.errors import (
    BadRequest,
    EmptyForgetSet,
    IndexOutOfRange,
    UnknownClass,
    short,
)

Kind = Literal["random", "classes", "indices", "memorised", "memorised-v2", "fold"]
KINDS: tuple[Kind, ...] = get_args(Kind)

FOLDS = 10
"""Parts of one size that all training images are dealt into, once and for all: fold 0 is what
`random:0.1` draws with seed 0, the others are what it would go on with. Version 1; a model without
each of them is what an ideal for any other choice is put together from."""

USED: dict[Kind, tuple[str, ...]] = {
    "random": ("count", "fraction"),
    "classes": ("classes", "fraction"),
    "indices": ("indices",),
    "memorised": ("count",),
    "memorised-v2": ("count",),
    "fold": ("fold",),
}

SCORES: dict[Kind, str] = {"memorised": "memorisation-v1", "memorised-v2": "memorisation-v2"}
"""By which scores (`core.checkpoints.memorisation`) the images of a kind are chosen."""

MOST_IMAGES = 10**9
"""No request from outside counts further: Python's numbers have no end, those below it have."""

MOST_SEED = 2**31 - 1
"""The largest seed that can be asked for; the smallest is 0."""


@dataclass(frozen=True)
class ForgetRequest:
    """What to forget. Build one with the class methods below, or from text with
    `core.data.request_text`.

    kind: "random" (a count or a fraction of all training images), "classes" (whole classes, or a
    fraction of each), "indices" (chosen images), "memorised" or "memorised-v2" (the `count` with
    the highest score of `SCORES`) or "fold" (one of `FOLDS`, from 0).
    seed: the forget seed, used by the kinds that draw at random.
    Classes and indices are kept without repeats, indices sorted. Raises BadRequest where the kind
    lacks what it needs, or is given what it does not use.
    """

    kind: Kind
    count: int | None = None
    fraction: float | None = None
    classes: tuple[str, ...] = ()
    indices: tuple[int, ...] = ()
    seed: int = 0
    fold: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadRequest(
                f"A forget request cannot be of kind {short(str(self.kind))}.",
                f"It is one of {', '.join(KINDS)}.",
            )
        object.__setattr__(self, "classes", tuple(dict.fromkeys(self.classes)))
        object.__setattr__(self, "indices", tuple(sorted(set(self.indices))))
        for name in ("count", "fraction", "classes", "indices", "fold"):
            if getattr(self, name) not in (None, ()) and name not in USED[self.kind]:
                raise BadRequest(f"A forget request of kind {self.kind!r} has no {name}.")
        if self.seed < 0:
            raise BadRequest("The forget seed must not be negative.")
        if self.fraction is not None and not 0 <= self.fraction <= 1:
            raise BadRequest(
                f"A fraction of {self.fraction:g} makes no sense.", "Give one between 0 and 1."
            )
        if self.count is not None and self.count < 0:
            raise BadRequest("Less than no image cannot be forgotten.", "Give a positive count.")
        if self.kind == "random" and (self.count is None) == (self.fraction is None):
            raise BadRequest("A random forget request needs either a count or a fraction.")
        if self.scores and self.count is None:
            raise BadRequest("A request for the most memorised images needs a count.")
        if self.kind == "fold" and (self.fold not in range(FOLDS) or self.seed):
            raise BadRequest(f"There are {FOLDS} folds, 0 to {FOLDS - 1}, and no seed moves them.")
        if self.kind == "classes" and not self.classes:
            raise EmptyForgetSet("No class is chosen.", "Choose at least one class to forget.")

    @classmethod
    def random(cls, amount: float, seed: int = 0) -> ForgetRequest:
        """`amount` images (an int) or that fraction of all training images (a float)."""
        if isinstance(amount, int):
            return cls("random", count=amount, seed=seed)
        return cls("random", fraction=amount, seed=seed)

    @classmethod
    def of_classes(cls, *names: str, fraction: float | None = None, seed: int = 0) -> ForgetRequest:
        """All images of these classes, or that fraction of each."""
        return cls("classes", classes=names, fraction=fraction, seed=seed)

    @classmethod
    def of_indices(cls, indices: Any) -> ForgetRequest:
        """Exactly these training images (any iterable of ints; order and repeats do not matter)."""
        return cls("indices", indices=tuple(int(i) for i in indices))

    @classmethod
    def most_memorised(cls, count: int, version: int = 1) -> ForgetRequest:
        """The `count` training images with the highest memorisation score of this version."""
        return cls("memorised" if version == 1 else "memorised-v2", count=count)

    @classmethod
    def of_fold(cls, number: int) -> ForgetRequest:
        """One of `FOLDS`, from 0."""
        return cls("fold", fold=number)

    def checked(self) -> ForgetRequest:
        """Itself, if it may come from outside: numbers of a sensible size, names that can be those
        of a class. Not asked of what was stored: a run is never lost to a narrower rule. Raises
        BadRequest."""
        if self.count is not None and self.count > MOST_IMAGES:
            raise BadRequest("No data set has that many images.", "Give a smaller count.")
        if any(abs(index) > MOST_IMAGES for index in self.indices):
            raise IndexOutOfRange("No data set has an image of that number.")
        if self.seed > MOST_SEED:
            raise BadRequest(f"The forget seed can be at most {MOST_SEED}.")
        for name in self.classes:
            if not is_class_name(name):
                raise UnknownClass(f"No class can be named {short(name)}.")
        return self

    @property
    def scores(self) -> str:
        """The name of the scores that it chooses by, "" where it needs none."""
        return SCORES.get(self.kind, "")

    @property
    def class_matched(self) -> bool:
        """Whether an attack must compare the forgotten images with test images of the same classes,
        or it measures the mix of classes: where these were chosen, or the images by hand."""
        return self.kind in ("classes", "indices")

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the fields that this kind does not use."""
        fields: dict[str, Any] = {"kind": self.kind, "seed": self.seed}
        if self.count is not None:
            fields["count"] = self.count
        if self.fraction is not None:
            fields["fraction"] = self.fraction
        if self.classes:
            fields["classes"] = list(self.classes)
        if self.kind == "indices":
            fields["indices"] = list(self.indices)
        if self.fold is not None:
            fields["fold"] = self.fold
        return fields

    @classmethod
    def from_dict(cls, fields: Any) -> ForgetRequest:
        """The inverse of `to_dict`; raises BadRequest on anything else."""
        try:
            known = {"kind", "count", "fraction", "classes", "indices", "seed", "fold"}
            if unknown := set(fields) - known:
                raise BadRequest(f"A forget request has no field {short(str(min(unknown)))}.")
            count, fraction, fold = (fields.get(name) for name in ("count", "fraction", "fold"))
            return cls(
                kind=fields["kind"],
                count=None if count is None else _whole(count),
                fraction=None if fraction is None else float(fraction),
                classes=tuple(str(name) for name in _listed(fields.get("classes", ()))),
                indices=tuple(_whole(i) for i in _listed(fields.get("indices", ()))),
                seed=_whole(fields.get("seed", 0)),
                fold=None if fold is None else _whole(fold),
            )
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            raise BadRequest("This forget request cannot be read.") from error

    def to_json(self) -> str:
        """One line, keys sorted."""
        return json.dumps(self.to_dict(), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ForgetRequest:
        """The inverse of `to_json`; raises BadRequest on anything else."""
        try:
            return cls.from_dict(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise BadRequest("This forget request is not valid JSON.") from error

    def brief(self) -> ForgetRequest:
        """This request for a table: chosen images without their list, any other as it is.

        Two requests are equal where their brief forms are.
        """
        from core.data.brief_request import BriefRequest  # which is one of these

        if self.kind != "indices":
            return self
        digest = hashlib.sha256(json.dumps(self.indices).encode()).hexdigest()
        return BriefRequest("indices", seed=self.seed, size=len(self.indices), digest=digest)

    def describe(self) -> str:
        """In plain words: "a random 10 % of the training images", say."""
        if self.kind == "random":
            if self.fraction is not None:
                return f"a random {100 * self.fraction:g} % of the training images"
            return f"{self.count:,} random training image{'s' * (self.count != 1)}"
        if self.kind == "classes":
            # "every 1 image" would be read as a number: the word class stands before the name.
            *others, last = self.classes
            names = f"classes {', '.join(others)} and {last}" if others else f"class {last}"
            if self.fraction is None:
                return f"every image of the {names}"
            return f"{100 * self.fraction:g} % of the images of the {names}"
        if self.scores:
            images = f"training image{'s' * (self.count != 1)}"
            if self.kind == "memorised":
                return f"the {self.count:,} most memorised {images}"
            return f"the {self.count:,} {images} most learned by heart"
        if self.kind == "fold":
            return f"a fixed tenth of the training images (fold {self.fold} of 0 to {FOLDS - 1})"
        return chosen_images(len(self.indices))


def chosen_images(count: int) -> str:
    """In words: "3 chosen training images"."""
    return f"{count:,} chosen training image{'s' * (count != 1)}"


def _whole(value: Any) -> int:
    if isinstance(value, str) or value != int(value):
        raise ValueError(f"{value!r} is not a whole number")
    return int(value)


def _listed(value: Any) -> Any:
    if isinstance(value, str):  # it would be taken apart into letters
        raise TypeError(f"{value!r} is not a list")
    return value
