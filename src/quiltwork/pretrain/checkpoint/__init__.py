"""Models as blobs, and as folders that Hugging Face's `transformers` open.

manifest.py      the table of contents: tensors, and the hashes of their pieces
pieces.py        save and load: a run's own checkpoints
huggingface.py   write_safetensors, read_safetensors, read_config
"""

from quiltwork.pretrain.checkpoint.manifest import CheckpointError, Manifest, read_manifest, write_manifest
from quiltwork.pretrain.checkpoint.pieces import Loaded, Saved, load, save

__all__ = ["CheckpointError", "Loaded", "Manifest", "Saved", "load", "read_manifest", "save", "write_manifest"]
