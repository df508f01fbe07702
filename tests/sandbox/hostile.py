"""What the tests of hostile programs share: limits, verdicts, and the honest program that runs after each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from quiltwork.sandbox import CandidateFailed, Jail, Limits
from tests.sandbox.conftest import call_once, family

QUICK = Limits(wall_s=0.7, cpu_s=60.0, memory_mb=256, tmp_mb=4, output_kb=8, reply_mb=1)
"""For attacks that only a limit ends."""
ROOMY = Limits(wall_s=120.0, cpu_s=60.0, memory_mb=256, tmp_mb=4, output_kb=8, reply_mb=1)

HONEST = "import numpy as np\ndef act():\n    return [float(np.arange(10.0).sum()), len('honest'), sum([1, 2, 3])]"
HONEST_VALUE = [45.0, 6, 6]


@pytest.fixture
def the_next_program_is_unharmed(jail: Jail) -> Iterator[None]:
    server = jail.server_pid
    before = len(family(server))
    yield
    assert call_once(jail, HONEST) == HONEST_VALUE
    if jail.server_pid == server:
        assert len(family(server)) == before


def verdict(jail: Jail, source: str, limits: Limits = ROOMY) -> str:
    """The verdict on `act()`, which must fail."""
    with pytest.raises(CandidateFailed) as caught:
        call_once(jail, source, limits=limits)
    return caught.value.verdict


def attempt(jail: Jail, body: str, limits: Limits = ROOMY) -> object:
    """Run the body of `act`, each line indented here; whatever it raises comes back as text."""
    lines = "\n".join(f"        {line}" for line in body.strip().splitlines())
    source = (
        "import ctypes, os, signal, socket, sys\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "def act():\n    try:\n" + lines + "\n    except Exception as error:\n"
        "        return f'{type(error).__name__}: {error}'\n"
    )
    return call_once(jail, source, limits=limits)
