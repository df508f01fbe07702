"""Part of the stand-in for ShinkaEvolve: what evaluators call."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)

from shinka.core.wrap_eval import run_shinka_eval  # type: ignore[import-not-found]

__all__ = ["run_shinka_eval"]
