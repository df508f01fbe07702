"""A mend for the `iroh` package, whose generated code copies what is sent byte by byte, in a Python loop: 1 to 5 MB/s.

The same copy with `ctypes.memmove` is some forty times faster. It reaches into private names, so it is used only for versions
that it was tried with, and only after a test with bytes of all values; otherwise `mend` says why not, and `iroh` stays slow.
"""

from __future__ import annotations

import ctypes
from importlib.metadata import version
from typing import Any

TRIED_VERSIONS = ("1.2.0",)


def mend() -> str | None:
    """Put the fast copy in place, once and for the process. Gives None, or the reason why it cannot be used."""
    found = version("iroh")
    if found not in TRIED_VERSIONS:
        return f"the faster copy was tried with iroh {', '.join(TRIED_VERSIONS)}, and this is {found}"
    from iroh import iroh_ffi

    builder = iroh_ffi._UniffiRustBufferBuilder
    slow = builder.write
    if slow is _write:
        return None
    builder.write = _write
    try:
        works = _copies(iroh_ffi)
    except (AttributeError, TypeError, ValueError, ctypes.ArgumentError) as error:
        builder.write = slow
        return f"the faster copy fails with this iroh: {type(error).__name__}: {error}"
    if not works:
        builder.write = slow
        return "the faster copy gives other bytes with this iroh"
    return None


def _write(builder: Any, value: bytes) -> None:
    size = len(value)
    with builder._reserve(size):
        buffer = builder.rbuf
        ctypes.memmove(ctypes.addressof(buffer.data.contents) + buffer.len, bytes(value), size)


def _copies(iroh_ffi: Any) -> bool:
    """Lower bytes as `write_all` does, twice so that the buffer grows, and read them back."""
    wanted = bytes(range(256)) * 5
    builder = iroh_ffi._UniffiRustBufferBuilder()
    builder.write(b"")
    builder.write(wanted[:7])
    builder.write(wanted[7:])
    with builder.finalize().consume_with_stream() as stream:
        return bool(stream.read(stream.remaining()) == wanted)
