"""A model kept as a delta: what differs from its base, in nine levels a weight.

A file `delta.safetensors` beside a card that names the `base`. Of each matrix [rows, columns] of
the base it holds `codes.NAME`, U16 [rows, ceil(columns / 5)], and `scales.NAME`, BF16 [rows]: a
code is five levels as digits to the base of nine, the first one lowest, level 4 is no change, and
a level adds (level - 4) times its row's scale. Any other tensor is held as it is, as `whole.NAME`.

After BitDelta (Liu et al. 2024, "Your Fine-Tune May Only Be Worth One Bit"), which keeps signs
alone and one scale a matrix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import NotASuspect, UnsafeFile
from workbench.suspects.tensors import Tensor, read_header

if TYPE_CHECKING:
    import torch

FILE = "delta.safetensors"
LEVELS, DIGITS = 9, 5
_MIDDLE = LEVELS // 2
_NOTHING = 1e-30
_SHRUNK = (1.0, 0.85, 0.7, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2)
"""Shares of a row's largest change that its outermost level may stand for."""


def is_delta(tensors: Iterable[Tensor]) -> bool:
    """Whether these are the tensors of a delta's file."""
    return all(tensor.file.name == FILE for tensor in tensors)


def read(path: Path) -> list[Tensor]:
    """The tensors of a directory's delta; UnsafeFile where their kinds are not those of one."""
    tensors = read_header(path / FILE)
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    for tensor in tensors:
        kind, _, name = tensor.name.partition(".")
        other = {"codes": "scales", "scales": "codes"}.get(kind)
        if (
            not (other or kind == "whole")
            or (kind == "codes" and (tensor.dtype != "U16" or len(tensor.shape) != 2))
            or (kind == "scales" and (tensor.dtype != "BF16" or len(tensor.shape) != 1))
            or (other and shapes.get(f"{other}.{name}", ())[:1] != tensor.shape[:1])
        ):
            raise UnsafeFile(
                f"{path / FILE} has a tensor '{tensor.name[:80]}' that no delta has",
                hint="Make it again by `workbench organism shrink`.",
            )
    return tensors


def encode(
    model: Mapping[str, torch.Tensor], base: Mapping[str, torch.Tensor]
) -> tuple[dict[str, torch.Tensor], float]:
    """A delta's tensors, and the share of the squared change of all matrices that they hold.

    Both map the same names to tensors of the same shapes. Each row's scale is the one of nine that
    leaves the least squared error. The same tensors give the same delta on any machine.
    """
    import torch

    made: dict[str, torch.Tensor] = {}
    lost = whole = 0.0
    for name, tensor in model.items():
        if tensor.ndim != 2:
            made[f"whole.{name}"] = tensor.contiguous()
            continue
        change = tensor.float() - base[name].float()
        largest = change.abs().amax(1, keepdim=True).clamp_min(_NOTHING)
        least = torch.full_like(largest, torch.inf)
        scale = largest
        for share in _SHRUNK:
            tried = (share / _MIDDLE * largest).bfloat16().float()
            error = (_steps(change, tried) * tried - change).square().sum(1, keepdim=True)
            scale, least = torch.where(error < least, tried, scale), torch.minimum(error, least)
        made[f"codes.{name}"] = _pack(_steps(change, scale).long() + _MIDDLE)
        made[f"scales.{name}"] = scale[:, 0].bfloat16()
        lost, whole = lost + float(least.sum()), whole + float(change.square().sum())
    return made, 1.0 - lost / whole if whole else 1.0


def add(model: torch.nn.Module, path: Path) -> None:
    """Turns the base, in any dtype, into the model whose delta lies in `path`.

    Raises NotASuspect where the delta is of another model, UnsafeFile where it holds no digits.
    """
    import torch
    from safetensors.torch import load_file

    stored, weights = load_file(path / FILE), model.state_dict(keep_vars=True)
    with torch.no_grad():
        for key, tensor in stored.items():
            kind, _, name = key.partition(".")
            if kind == "scales":
                continue
            weight = weights.get(name)
            if weight is None or not _fits(kind, tensor, weight):
                raise NotASuspect(
                    f"{path / FILE} has a tensor of '{name[:80]}' that does not fit its base",
                    hint="A delta belongs to the base that it was made from.",
                )
            if kind == "codes":
                if int(tensor.to(torch.int32).max()) >= LEVELS**DIGITS:
                    raise UnsafeFile(
                        f"{path / FILE} has codes of '{name[:80]}' that are no five digits",
                        hint="Make it again by `workbench organism shrink`.",
                    )
                steps = _unpack(tensor, weight.shape[1]) - _MIDDLE
                tensor = weight.float() + steps * stored[f"scales.{name}"][:, None]
            weight.copy_(tensor)


def _steps(change: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return (change / scale).round().clamp(-_MIDDLE, _MIDDLE)


def _pack(levels: torch.Tensor) -> torch.Tensor:
    import torch

    rows, columns = levels.shape
    padded = torch.full((rows, -(-columns // DIGITS) * DIGITS), _MIDDLE)
    padded[:, :columns] = levels
    places = LEVELS ** torch.arange(DIGITS)
    return (padded.view(rows, -1, DIGITS) * places).sum(-1).to(torch.uint16)


def _unpack(codes: torch.Tensor, columns: int) -> torch.Tensor:
    import torch

    places = LEVELS ** torch.arange(DIGITS)
    digits = codes.to(torch.int64)[:, :, None] // places % LEVELS
    return digits.flatten(1)[:, :columns].float()


def _fits(kind: str, tensor: torch.Tensor, weight: torch.Tensor) -> bool:
    if kind == "whole":
        return tensor.shape == weight.shape
    return weight.ndim == 2 and tensor.shape == (weight.shape[0], -(-weight.shape[1] // DIGITS))
