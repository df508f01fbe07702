"""Running code that nobody trusts: one warm server in bubblewrap, one fork in fresh namespaces per program.

with open_jail() as jail, jail.start(files, "program.py", Limits(), seed=0) as session:
    value = session.call("construct", n=26)        # data in, data out; CandidateFailed says what went wrong

jail.py, session.py, server.py   the host's side      wire.py       data as bytes, on both sides
zygote.py                        the warm server      syscalls.py   what the kernel lets a candidate call
inmate.py                        the candidate's side view.py       what of this machine the jail shows
guest.py                         what a user's own command (a coding agent) sees of this machine
"""

from quiltwork.sandbox import wire
from quiltwork.sandbox.jail import Jail, open_jail
from quiltwork.sandbox.limits import CandidateFailed, JailUnavailable, Limits, Usage, Verdict
from quiltwork.sandbox.session import Session

__all__ = [
    "CandidateFailed",
    "Jail",
    "JailUnavailable",
    "Limits",
    "Session",
    "Usage",
    "Verdict",
    "open_jail",
    "wire",
]
