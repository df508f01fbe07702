"""A comparison that takes a second, and curves by hand."""

from __future__ import annotations

from pathlib import Path

from quiltwork.pretrain.compare.comparison import Asked, Comparison, Link, arranged
from quiltwork.pretrain.compare.contestants import ALL
from quiltwork.pretrain.compare.page import Findings
from quiltwork.pretrain.compare.series import Curve, Point

TEXT = b"".join(b"line %d says that %d times 7 is %d\n" % (n, n, 7 * n) for n in range(500))

TOML = """run_id = "tiny"
seed = 1

[config]
init_min_clients = 3
total_steps = 4
global_batch_size_start = 6
global_batch_size_end = 6

[model]
kind = "gpt"
hidden = 16
layers = 1
heads = 2
mlp_hidden = 32
context = 16

[optimizer]
kind = "adamw"
beta2 = 0.9

[lr_schedule]
kind = "constant"
base_lr = 0.003

[data]
sequence_length = 16

[[data.sources]]
name = "text"
files = ["text.bin"]
dtype = "uint8"

[[data.held_out]]
name = "rest"
files = ["rest.bin"]
dtype = "uint8"
"""


def file(folder: Path) -> Path:
    """A run's file, and the data that it names."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "text.bin").write_bytes(TEXT[:-400])
    (folder / "rest.bin").write_bytes(TEXT[-400:])
    (folder / "tiny.toml").write_text(TOML)
    return folder / "tiny.toml"


def compared(**given: object) -> Comparison:
    """What is compared when nothing is named, but for this."""
    return arranged(Asked.model_validate(given))


def curve(name: str, *points: tuple[int, float, int, float], diverged: str = "") -> Curve:
    """A curve of (step, loss, sent, compute_s), with an exchange in every step."""
    contestant = next(each for each in ALL if each.name == name)
    rows = tuple(Point(step, step, loss, sent, compute_s) for step, loss, sent, compute_s in points)
    return Curve(contestant, rows, diverged)


def seven() -> tuple[Curve, ...]:
    """Curves such as all seven give: those of one family close to each other, AdamW's far to the right."""
    payloads = (440_000, 24_000, 4_300, 4_300, 88_000, 3_500, 3_500)
    curves = []
    for place, (contestant, payload) in enumerate(zip(ALL, payloads, strict=True)):
        steps = (0, 1, 2, 4, 8, 15, 25, 40, 60, 90, 120, 160, 200)
        end = 2.2 + 0.05 * place
        rows = [(step, end + (5.5 - end) * 0.97**step, payload * step, 0.02 * step) for step in steps]
        curves.append(curve(contestant.name, *rows))
    return tuple(curves)


def findings(curves: tuple[Curve, ...], *, mbit: float = 20.0) -> Findings:
    comparison = compared().model_copy(
        update={"contestants": tuple(curve.contestant for curve in curves), "link": Link(mbit=mbit)}
    )
    return Findings(comparison, curves, dense_bytes=440_000, machine="a machine")
