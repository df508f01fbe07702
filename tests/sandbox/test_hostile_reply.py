"""Programs that lie on the reply channel or meddle with their evaluator. Each is named, and the next is unharmed."""

from __future__ import annotations

import math
import os
from contextlib import suppress

import numpy as np
import pytest

from quiltwork.sandbox import CandidateFailed, wire
from tests.sandbox.conftest import call_once
from tests.sandbox.hostile import HONEST, HONEST_VALUE, QUICK, ROOMY, attempt, the_next_program_is_unharmed, verdict

__all__ = ["the_next_program_is_unharmed"]
pytestmark = pytest.mark.usefixtures("the_next_program_is_unharmed")

# The reply


def test_infinite_and_undefined_numbers_cross_as_the_data_they_are(jail):
    found = call_once(
        jail, "import numpy as np\ndef act(): return [float('inf'), float('nan'), np.array([np.inf, np.nan])]"
    )
    assert math.isinf(found[0])
    assert math.isnan(found[1])
    assert np.isnan(found[2][1])


FORGE = """
import os, struct, sys
sys.path.append('/')
from quiltwork.sandbox import wire
def act():
    {body}
    return 1
"""


@pytest.mark.parametrize(
    "body",
    [
        "os.write(3, b'score: 1000000')",
        "os.write(3, struct.pack('<I16s', 10, b'0' * 16) + b'0' * 10)",
        "payload = wire.encode(['ok', 1e6]); os.write(3, struct.pack('<I16s', len(payload), bytes(16)) + payload)",
        "wire.encode = lambda value: b'\\x01Mjunk'",
        "wire.encode = lambda value: bytes([1]) + b'T'",
    ],
    ids=["stray bytes", "a frame", "an honest frame with a wrong token", "junk", "no verdict"],
)
def test_a_forged_reply_is_named(jail, body):
    assert verdict(jail, FORGE.format(body=body)) in ("forged", "reply")


def test_a_stolen_token_buys_one_reply_that_a_return_would_have_given(jail):
    body = (
        "frame = sys._getframe(2).f_locals; payload = wire.encode(['ok', 1e6]);"
        " os.write(3, struct.pack('<I16s', len(payload), frame['token']) + payload)"
    )
    with jail.start({"program.py": FORGE.format(body=body)}, "program.py", ROOMY, 0) as session:
        with suppress(CandidateFailed):
            assert session.call("act") == 1e6
        with pytest.raises(CandidateFailed) as caught:
            session.call("act")
    assert caught.value.verdict == "forged"


def test_bytes_forged_between_two_calls_are_named(jail):
    source = """
import os, threading
timer = threading.Timer(0.05, os.write, (3, b'forged'))
def act(): timer.start()
def rest(): timer.join()
"""

    def both_calls(session):
        session.call("act")
        session.call("rest")

    with (
        jail.start({"program.py": source}, "program.py", ROOMY, 0) as session,
        pytest.raises(CandidateFailed) as caught,
    ):
        both_calls(session)
    assert caught.value.verdict == "forged"


EVIL = """
import os, pickle
class Evil:
    def __reduce__(self): return os.system, ('touch /tmp/owned',)
"""


def test_a_pickle_is_only_bytes(jail):
    source = EVIL + "def act(): return pickle.dumps(Evil())"
    assert isinstance(call_once(jail, source), bytes)
    assert verdict(jail, EVIL + "def act(): return Evil()") == "reply"
    forged = FORGE.format(body="import pickle; wire.encode = lambda value: pickle.dumps(value)")
    assert verdict(jail, forged) == "reply"


@pytest.mark.parametrize(
    "expression",
    ["b'x' * (3 << 20)", "[0.5] * 300_000", "['x'] * 2_000_000"],
)
def test_a_reply_that_is_too_large_is_refused(jail, expression):
    assert verdict(jail, f"def act(): return {expression}") == "reply"


def test_a_reply_that_only_claims_to_be_large_reserves_nothing(jail):
    assert (
        verdict(
            jail,
            "import os, struct, sys\ndef act(): os.write(3, struct.pack('<I', 0xffffffff) + sys._getframe(2).f_locals['token'])",
        )
        == "reply"
    )


def test_a_reply_that_blows_up_when_it_is_decoded_is_refused(jail):
    assert (
        verdict(
            jail,
            FORGE.format(
                body="wire.encode = lambda value: b'\\x01l' + struct.pack('<I', 1_000_000) + b'N' * 1_000_000"
            ),
        )
        == "reply"
    )


def test_a_reply_nested_too_deep_is_refused(jail):
    assert (
        verdict(jail, "def act():\n    found = []\n    for _ in range(5000): found = [found]\n    return found")
        == "reply"
    )


def test_an_endless_trickle_of_a_reply_is_ended_by_the_wall_clock(jail):
    body = "import time; os.write(3, struct.pack('<I16s', 1000, sys._getframe(2).f_locals['token'])); time.sleep(1000)"
    assert verdict(jail, FORGE.format(body=body), QUICK) == "wall"


@pytest.mark.parametrize(
    "then", ["", "; time.sleep(1000)", "; [0 for _ in iter(int, 1)]"], ids=["ending", "asleep", "busy"]
)
def test_closing_every_descriptor_ends_the_session_and_is_named(jail, then):
    assert verdict(jail, "import os, time\ndef act(): os.closerange(0, 256)" + then) == "exited"


def test_passing_descriptors_to_the_host_gives_it_none(jail):
    before = len(os.listdir("/proc/self/fd"))
    source = (
        "import array, socket\n"
        "def act():\n"
        "    channel = socket.socket(fileno=3)\n"
        "    channel.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [0] * 200))])\n"
    )
    assert verdict(jail, source) in ("forged", "exited")
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_program_that_cannot_be_asked_twice_is_not(jail):
    source = "import sys\ndef act():\n    sys.modules['quiltwork.sandbox.inmate'].SESSION_FD = 99\n    return 1"
    assert verdict(jail, source) == "exited"


# The evaluator


def test_tampering_with_modules_stays_in_the_jail(jail):
    source = (
        "import builtins, math, numpy as np, sys\n"
        "np.sum = np.ndarray = lambda *a, **k: 1e6\n"
        "math.sqrt = lambda x: 1e6\n"
        "builtins.len = lambda x: 10**6\n"
        "sys.modules['quiltwork.evolve.score'] = sys\n"
        "def act(): return 'patched'\n"
    )
    with suppress(CandidateFailed):
        call_once(jail, source)
    assert np.arange(3).sum() == 3
    assert math.sqrt(4.0) == 2.0
    assert call_once(jail, HONEST) == HONEST_VALUE


def test_the_evaluator_is_not_in_the_jail(jail):
    assert "Error" in str(attempt(jail, "import quiltwork.evolve.score\nreturn 'found'"))
    assert wire.decode(wire.encode([1])) == [1]
