"""Models that members train: a GPT, one with latent attention, or the user's own.

    config.py    what a user writes under [model]
    gpt.py       the decoder, from top to bottom
    initial.py   first parameters that are equal bits everywhere
    model.py     build, parameters, gradient, evaluate: a model as a function

What is named here needs no torch; `model` does.
"""

from quiltwork.pretrain.architectures.config import Architecture, GptConfig

__all__ = ["Architecture", "GptConfig"]
