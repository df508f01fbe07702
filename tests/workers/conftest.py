"""The jail, for the tests that look at what hangs below a worker."""

from tests.sandbox.conftest import jail

__all__ = ["jail"]
