"""A run: a folder with a frozen config, a log and blobs.

    runs/<name>/
      run.toml      the config as given, and the version that made the run
      log.db        the log
      blobs/        programs, tensors, pictures: by hash
      lock          held by the one process that drives the run

Nothing in it names its place or its machine: a copied folder opens elsewhere, and another identity may drive it on.
"""

from quiltwork.run.about import RunBroken, RunMissing
from quiltwork.run.folder import Run, RunExists
from quiltwork.run.listing import RunInfo, find_run, list_runs
from quiltwork.run.lock import RunLocked

__all__ = ["Run", "RunBroken", "RunExists", "RunInfo", "RunLocked", "RunMissing", "find_run", "list_runs"]
