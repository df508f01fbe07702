"""The same function run many times: in this process, in others or on a cluster, behind one small interface.

workers = open_workers(2)
result = await workers.run("package.module:function", payload, timeout_s=60.0)

base.py      what workers are, and how they fail      inline.py    in this process, for tests and debuggers
registry.py  kinds of workers by name                 local.py     processes on this machine; child.py is their end
folders.py   folders that calls refer to by name      ray.py       actors on a Ray cluster (extra `ray`)
"""

from quiltwork.workers.base import WorkerDied, WorkerError, Workers, WorkerTimeout
from quiltwork.workers.registry import check_kind, open_workers, register

__all__ = ["WorkerDied", "WorkerError", "WorkerTimeout", "Workers", "check_kind", "open_workers", "register"]
