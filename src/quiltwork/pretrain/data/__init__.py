"""Tokens to train on: files here or on a web server, mixed by weight, as sequences that have numbers.

    config.py        what a user writes under [data]
    tokenizers.py    text into token files
    tokens.py        the files
    http.py, remote.py, manifest.py   files on web servers, and hashes to check them by
    corpus.py        text that is there without a download
    mixture.py       which source a draw comes from
    permutation.py   the order of an epoch, at any place by itself
    dataset.py       a sequence's number -> its tokens
    opening.py       from the config to a dataset: open_dataset, open_held_out

What is named here needs no torch; `dataset` and `opening` do.
"""

from quiltwork.pretrain.data.config import DataConfig, SourceConfig
from quiltwork.pretrain.data.tokens import DataError, TokenWriter

__all__ = ["DataConfig", "DataError", "SourceConfig", "TokenWriter"]
