"""The short form of a forget request, as it is typed at the shell and written in a sweep."""

from __future__ import annotations

from pathlib import Path

from core.data.requests import ForgetRequest
from core.errors import BadRequest, short

FORMS = (
    "Use random:0.1, random:500, class:cat, class:cat,dog, class:cat:0.5, "
    "indices:FILE, memorised-v2:500, memorised:500 or fold:3."
)


def parse_request(text: str, seed: int = 0) -> ForgetRequest:
    """random:0.1 | random:500 | class:automobile | class:cat,dog | class:cat:0.5 |
    indices:FILE (one index a line) | memorised-v2:500 | memorised:500 | fold:3

    seed: of the kinds that draw at random. Raises BadRequest.
    """
    kind, _, rest = text.partition(":")
    try:
        request = _parsed(kind, rest, seed)
    except (ValueError, UnicodeDecodeError) as error:
        raise BadRequest(f"The forget request {short(text)} cannot be read.", FORMS) from error
    except (OSError, RuntimeError) as error:  # RuntimeError: ~NAME of no known user
        raise BadRequest(
            f"The index file {short(rest)} cannot be read.", "Give a file with one index a line."
        ) from error
    if request is None:
        raise BadRequest(f"The forget request {short(text)} cannot be read.", FORMS)
    return request.checked()


def request_text(request: ForgetRequest) -> str:
    """The inverse, without the seed; of chosen images only "indices:FILE", which holds them."""
    if request.kind == "random":
        return f"random:{request.count if request.fraction is None else repr(request.fraction)}"
    if request.scores:
        return f"{request.kind}:{request.count}"
    if request.kind == "fold":
        return f"fold:{request.fold}"
    if request.kind == "classes":
        share = "" if request.fraction is None else f":{request.fraction!r}"
        return f"class:{','.join(request.classes)}{share}"
    return "indices:FILE"


def _parsed(kind: str, rest: str, seed: int) -> ForgetRequest | None:
    if not rest:
        return None
    if kind == "random":
        amount = float(rest) if "." in rest or "e" in rest.lower() else int(rest)
        return ForgetRequest.random(amount, seed)
    if kind == "class":
        names, _, part = rest.partition(":")
        chosen = [name.strip() for name in names.split(",") if name.strip()]
        fraction = float(part) if part else None
        return ForgetRequest.of_classes(*chosen, fraction=fraction, seed=seed)
    if kind in ("memorised", "memorised-v2"):
        return ForgetRequest.most_memorised(int(rest), version=2 if kind.endswith("v2") else 1)
    if kind == "fold":
        return ForgetRequest.of_fold(int(rest))
    if kind == "indices":
        lines = Path(rest).expanduser().read_text().split()
        return ForgetRequest.of_indices(int(line) for line in lines)
    return None
