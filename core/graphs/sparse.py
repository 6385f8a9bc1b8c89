"""Sparse features times dense weights, as fast forwards as backwards.

PyTorch sorts a sparse matrix anew in each backward pass, to transpose it. Here its transpose is
made once; dropout changes values, never places.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class Sparse:
    """x: float32 (n, d), sparse CSR; y: its transpose, sparse CSR as well. order: int64 (values,),
    where each value of y stands among those of x."""

    x: Tensor
    y: Tensor
    order: Tensor

    @classmethod
    def of(cls, matrix: csr_array) -> Sparse:
        """From SciPy's."""
        numbered = matrix.copy()
        numbered.data = np.arange(matrix.nnz)
        turned = numbered.T.tocsr()
        order = torch.from_numpy(turned.data.astype(np.int64))
        x = _csr(matrix.indptr, matrix.indices, torch.from_numpy(matrix.data), matrix.shape)
        return cls(x, _csr(turned.indptr, turned.indices, x.values()[order], turned.shape), order)

    def times(self, weight: Tensor) -> Tensor:
        """x W, float32 (n, k); differentiable in `weight` (d, k), as often as one likes."""
        return cast(Tensor, _Product.apply(weight, self.x, self.y))

    def dropped(self, share: float, draw: torch.Generator | None) -> Sparse:
        """With that share of its values zero at random, the others scaled up."""
        if not share or draw is None:
            return self
        values = self.x.values() * kept(len(self.order), share, draw)
        return replace(self, x=_with(self.x, values), y=_with(self.y, values[self.order]))


def kept(count: int, share: float, draw: torch.Generator | None) -> Tensor:
    """float32 (count,): dropout's factors, 0 with probability `share`, to the next 1/256, else
    1 / (1 - share). From bytes: six times as fast as `bernoulli_`."""
    drawn = torch.empty(count, dtype=torch.uint8).random_(generator=draw)
    return (drawn >= round(256 * share)) * (1 / (1 - round(256 * share) / 256))


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, x: Tensor, y: Tensor) -> Tensor:
        ctx.sides = y, x
        return x @ weight

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        found = _Product.apply(gradients[0], *ctx.sides)
        return found, None, None


def _csr(rows: Any, columns: Any, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    ends, places = (torch.from_numpy(np.asarray(part, np.int64)) for part in (rows, columns))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # sparse CSR is in beta, torch says
        return torch.sparse_csr_tensor(ends, places, values, shape, check_invariants=False)


def _with(matrix: Tensor, values: Tensor) -> Tensor:
    """The same places, other values."""
    ends, places = matrix.crow_indices(), matrix.col_indices()
    return torch.sparse_csr_tensor(ends, places, values, matrix.shape, check_invariants=False)
