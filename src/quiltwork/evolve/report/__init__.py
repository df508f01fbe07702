"""A run as one HTML file that needs nothing else: it can be mailed, printed, and read on a phone.

The page loads nothing, and what programs or evaluators wrote is only ever text, or a picture in which no script runs.
"""

from __future__ import annotations

from quiltwork.evolve.report.data import ReportData
from quiltwork.evolve.report.page import render, write_report

__all__ = ["ReportData", "render", "write_report"]
