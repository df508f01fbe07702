"""Models that members train: a GPT, one with latent attention, or the user's own.

    config.py    what a user writes under [model]
    sizes.py     shapes, parameters and operations, from the config alone
    gpt.py       the decoder, from top to bottom
    mla.py       multi-head latent attention in the same decoder
    own.py       the user's model: found, made and looked over
    initial.py   first parameters that are equal bits everywhere
    model.py     build, parameters, gradient, evaluate: a model as a function

What is named here needs no torch; `model` does.
"""

from quiltwork.pretrain.architectures.config import Architecture, GptConfig, MlaConfig, OwnConfig
from quiltwork.pretrain.architectures.sizes import flops_per_token, parameter_count, shapes

__all__ = ["Architecture", "GptConfig", "MlaConfig", "OwnConfig", "flops_per_token", "parameter_count", "shapes"]
