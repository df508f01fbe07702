"""Assertions in the conformance suite explain themselves as those in tests do."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.blobs.conformance")
