"""What a link carries: data set, forget request, method, settings and seeds; no Streamlit in here.

An address can be edited by anybody, so reading one never raises: what cannot be understood is left
out, with one sentence each that says so. A link never names a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.data.request_text import parse_request, request_text
from core.data.requests import MOST_SEED, ForgetRequest
from core.errors import BadRequest, LabError, short
from core.runs.plan import Plan

MOST_INDICES = 1000
"""Above this a link carries the id of a stored request instead of the indices."""
DATASETS = ("cifar10", "digits")
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
STORED = re.compile(r"[0-9a-f]{16}")
MOST_RUNS = 50
"""As many runs as one link can compare."""
LONGEST_SETTING = 200
Setting = float | int | str | bool
Keep = Callable[[ForgetRequest], str]
Find = Callable[[str], ForgetRequest]


@dataclass(frozen=True)
class Draft:
    """What a visitor has set up so far.

    request: None until something is chosen. settings: only those changed from the defaults.
    """

    dataset: str = "cifar10"
    request: ForgetRequest | None = None
    method: str = "fine_tune"
    settings: Mapping[str, Setting] = field(default_factory=dict)
    seed: int = 0
    model: str = "compact"

    @classmethod
    def of_plan(cls, plan: Plan) -> Draft:
        """The draft from which `plan` can be started again."""
        return cls(
            plan.dataset, plan.request, plan.method, dict(plan.settings), plan.seed, plan.model
        )


def is_long(request: ForgetRequest) -> bool:
    """Whether a link can carry only the id of this request."""
    return len(request.indices) > MOST_INDICES


def forget_text(request: ForgetRequest, keep: Keep | None = None) -> str:
    """The short form without its seed; `keep` stores a long list of indices and gives its id."""
    if any(set(name) & set(":,{") or name != name.strip() for name in request.classes):
        return request.to_json()
    if request.kind != "indices":
        return request_text(request)
    if is_long(request) and keep is not None:
        return f"stored:{keep(request)}"
    return "indices:" + ",".join(str(i) for i in request.indices)


def forget_request(text: str, seed: int = 0, find: Find | None = None) -> ForgetRequest:
    """The inverse of `forget_text`. Raises LabError; never opens a file that a link names."""
    kind, _, rest = text.partition(":")
    if text.startswith("{"):
        return ForgetRequest.from_json(text).checked()
    if kind == "indices":
        try:
            indices = [int(i) for i in rest.split(",") if i.strip()]
            return ForgetRequest.of_indices(indices).checked()
        except ValueError as error:
            raise BadRequest("The list of images in the link cannot be read.") from error
    if kind == "stored":
        if find is None or not STORED.fullmatch(rest):
            raise BadRequest("The link names a stored choice that cannot be read.")
        return find(rest).checked()
    return parse_request(text, seed)


def to_params(draft: Draft, keep: Keep | None = None) -> dict[str, str]:
    """The query parameters of a draft; what has its default is left out, the data set never."""
    params = {"data": draft.dataset}
    if draft.request is not None:
        params["forget"] = forget_text(draft.request, keep)
        if draft.request.seed:
            params["forget_seed"] = str(draft.request.seed)
    if draft.method != Draft.method:
        params["method"] = draft.method
    if draft.settings:
        params["set"] = ",".join(f"{k}:{json.dumps(v)}" for k, v in sorted(draft.settings.items()))
    if draft.seed:
        params["seed"] = str(draft.seed)
    if draft.model != Draft.model:
        params["model"] = draft.model
    return params


def from_params(
    params: Mapping[str, str], start: Draft, find: Find | None = None
) -> tuple[Draft, list[str]]:
    """A link's draft, `start` where it says nothing, and a sentence for each unreadable part."""
    problems: list[str] = []
    fields: dict[str, Any] = {
        "dataset": start.dataset,
        "request": start.request,
        "method": start.method,
        "settings": start.settings,
        "seed": start.seed,
        "model": start.model,
    }
    if (name := params.get("data")) is not None:
        if name in DATASETS:
            fields["dataset"] = name
        else:
            problems.append(f"The link asks for the data set {_short(name)}, which is not here.")
    for key, text in (("method", params.get("method")), ("model", params.get("model"))):
        if text is None:
            continue
        if re.fullmatch(r"[a-z0-9_]{1,60}", text):
            fields[key] = text
        else:
            problems.append(f"The link's {key} {_short(text)} cannot be read.")
    seed = _whole(params, "seed", start.seed, problems)
    forget_seed = _whole(params, "forget_seed", 0, problems)
    fields["seed"] = seed
    if (text := params.get("forget")) is not None:
        try:
            fields["request"] = forget_request(text, forget_seed, find)
        except LabError as error:
            fields["request"] = None
            problems.append(f"What the link wants forgotten cannot be read: {_clip(str(error))}")
    if (text := params.get("set")) is not None:
        try:
            fields["settings"] = _settings(text)
        except (ValueError, RecursionError):
            problems.append(f"The link's settings {_short(text)} cannot be read.")
    elif "method" in params:
        fields["settings"] = {}
    return Draft(**fields), problems


def _settings(text: str) -> dict[str, Setting]:
    settings: dict[str, Setting] = {}
    for part in filter(None, text.split(",")):
        name, colon, raw = part.partition(":")
        if not colon or not re.fullmatch(r"[a-z0-9_]{1,60}", name):
            raise ValueError(part)
        value = json.loads(raw)
        if isinstance(value, str):
            fits = len(value) <= LONGEST_SETTING
        else:  # NaN is not below anything
            fits = isinstance(value, float | int) and abs(value) < 1e15
        if not fits:
            raise ValueError(part)
        settings[name] = value
    return settings


def _whole(params: Mapping[str, str], key: str, start: int, problems: list[str]) -> int:
    text = params.get(key)
    if text is None:
        return start
    if re.fullmatch(r"[0-9]{1,10}", text) and int(text) <= MOST_SEED:
        return int(text)
    problems.append(
        f"The link's {key.replace('_', ' ')} {_short(text)} is not a whole number from 0 to "
        f"{MOST_SEED}."
    )
    return start


def run_ids(text: str | None) -> tuple[list[str], list[str]]:
    """The run ids of a comma-separated list, and a sentence where some of it cannot be one; none,
    and a sentence, where there are more than `MOST_RUNS`."""
    parts = list(dict.fromkeys(part for part in (text or "").split(",") if part))
    ids = [part for part in parts if RUN_ID.fullmatch(part)]
    odd = [part for part in parts if not RUN_ID.fullmatch(part)]
    if len(parts) > MOST_RUNS:
        return [], [f"The link names {len(parts):,} runs, and can name {MOST_RUNS} at most."]
    return ids, [f"The link names {some(odd)} as a run, which cannot be one."] if odd else []


def image_index(text: str | None) -> tuple[int | None, list[str]]:
    """The number of an image, and a sentence where it cannot be one."""
    if text is None or re.fullmatch(r"[0-9]{1,9}", text):
        return (None if text is None else int(text)), []
    return None, [f"The link's photo {_short(text)} is not the number of one."]


def some(names: Sequence[str], most: int = 3) -> str:
    """The first few names, quoted, and how many more there are."""
    shown = ", ".join(map(_short, names[:most]))
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _short(text: str) -> str:
    return short(text, 40)


def _clip(text: str) -> str:
    return text if len(text) <= 300 else text[:300] + "…"
