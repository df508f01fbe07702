"""Any model of the user's own: found by name, made, and looked over before anybody trains it."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from blake3 import blake3
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from quiltwork.errors import UserError
from quiltwork.pretrain.architectures.config import OwnConfig


class OwnModelError(UserError):
    """The user's model cannot be found, made or trained. The text names the field, the file and the reason."""


def own(config: OwnConfig, seed: int) -> nn.Module:
    """Make the model that the config names. What it draws from torch's chance while it is made comes from `seed`.

    torch promises no equal bits on unlike machines. Where they differ, the first model's hash in the log shows it, and who
    differs takes a checkpoint. Raises OwnModelError; what the user's function raises passes through.
    """
    function = _find(config)
    options: dict[str, Any] = dict(config.options)
    takes = inspect.signature(function).parameters
    if "seed" in takes and "seed" not in options:
        options["seed"] = seed
    _check_options(config, function, options)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = function(**options)
    return _check(config, module).eval()


def _find(config: OwnConfig) -> Callable[..., Any]:
    module = _from_file(config) if config.path else _from_package(config)
    function: Callable[..., Any] | None = getattr(module, config.function, None)
    if function is None or not callable(function):
        there = [name for name, value in vars(module).items() if inspect.isfunction(value)]
        raise OwnModelError(
            f"model.model = {config.model!r}: there is no function {config.function} in it; "
            f"it has {', '.join(sorted(there)) or 'none at all'}"
        )
    return function


def _from_package(config: OwnConfig) -> ModuleType:
    name = config.model.partition(":")[0]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise OwnModelError(
            f"model.model = {config.model!r}: no module named {error.name}. Install it here, or give the path of a .py file."
        ) from error


def _from_file(config: OwnConfig) -> ModuleType:
    try:
        source = Path(config.path).read_bytes()
    except OSError as error:
        raise OwnModelError(f"model.model = {config.model!r}: cannot read {config.path}: {error.strerror}") from error
    found = blake3(source).hexdigest()
    if config.blake3 not in ("", found):
        raise OwnModelError(
            f"model.blake3: {config.path} has the hash {found}, the run wants {config.blake3}. "
            "Get the file from the run's owner."
        )
    spec = importlib.util.spec_from_file_location(f"quiltwork_own_{found[:16]}", config.path)
    assert spec is not None  # the name ends in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _check_options(config: OwnConfig, function: Callable[..., Any], options: dict[str, Any]) -> None:
    try:
        inspect.signature(function).bind(**options)
    except TypeError as error:
        raise OwnModelError(f"model.options do not fit {config.function}() of {config.model!r}: {error}") from error


def _check(config: OwnConfig, module: object) -> nn.Module:
    called = f"{config.function}() of {config.model!r}"
    if not isinstance(module, nn.Module):
        raise OwnModelError(f"{called} returned {type(module).__name__}, not a torch.nn.Module")
    values = dict(module.named_parameters())
    if not values:
        raise OwnModelError(f"{called} returned a model without parameters: there is nothing to train")
    for name, value in values.items():
        if not value.is_floating_point():
            raise OwnModelError(f"{called}: parameter {name} holds {value.dtype}; gradients need floating point")
        if not value.requires_grad:
            raise OwnModelError(
                f"{called}: parameter {name} is frozen, and members train all of them; make it a buffer"
            )
    for name, part in module.named_modules():
        if isinstance(part, _NormBase) and part.track_running_stats:
            raise OwnModelError(
                f"{called}: {name} ({type(part).__name__}) keeps running statistics, which are no parameters: members "
                "would differ in them. Use LayerNorm, RMSNorm or GroupNorm, or track_running_stats=False."
            )
    return module
