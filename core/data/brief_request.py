"""A forget request of chosen images without their list, for tables of runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.data.requests import ForgetRequest, chosen_images
from core.errors import BadRequest


@dataclass(frozen=True)
class BriefRequest(ForgetRequest):
    """Chosen images without their list, see `ForgetRequest.brief`: to be described and compared,
    not to be run. size: how many images. digest: sha256 of the list."""

    size: int = 0
    digest: str = ""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"kind": self.kind, "seed": self.seed, "size": self.size, "digest": self.digest}

    @classmethod
    def from_dict(cls, fields: Any) -> BriefRequest:
        """The inverse of `to_dict`; raises BadRequest on anything else."""
        try:
            return cls(**fields)
        except TypeError as error:
            raise BadRequest("This forget request cannot be read.") from error

    def brief(self) -> ForgetRequest:
        """Itself."""
        return self

    def describe(self) -> str:
        """What the request with its list says."""
        return chosen_images(self.size)


def read_request(fields: Any) -> ForgetRequest:
    """The inverse of `to_dict`, of a brief request or any other; raises BadRequest on anything
    else."""
    brief = isinstance(fields, dict) and "digest" in fields
    return (BriefRequest if brief else ForgetRequest).from_dict(fields)
