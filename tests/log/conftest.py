"""Assertions in the conformance suite explain themselves as those in tests do."""

import pytest

pytest.register_assert_rewrite("tests.log.conformance")
