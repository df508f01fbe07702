"""A stand-in for the part of ShinkaEvolve that evaluators import; the rest comes from a real installation, if there is one.

The real `shinka.core` loads its whole runner, which costs an evaluation seconds.
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
