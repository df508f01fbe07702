"""A stand-in for the part of OpenEvolve that evaluators import; the rest comes from a real installation, if there is one."""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)

from openevolve.evaluation_result import EvaluationResult  # type: ignore[import-not-found]

__all__ = ["EvaluationResult"]
