"""What an evaluator may return: numbers, and beside them texts or bytes for whoever proposes next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class EvaluationResult:
    """Metrics and artifacts of one program."""

    metrics: dict[str, Any]
    artifacts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, metrics: dict[str, Any]) -> EvaluationResult:
        """Wrap plain metrics."""
        return cls(metrics)

    def to_dict(self) -> dict[str, Any]:
        """Return the metrics alone."""
        return self.metrics

    def has_artifacts(self) -> bool:
        """Whether there are any artifacts."""
        return len(self.artifacts) > 0

    def get_artifact_keys(self) -> list[str]:
        """The names of the artifacts."""
        return list(self.artifacts)

    def get_artifact_size(self, key: str) -> int:
        """Bytes of one artifact; 0 where there is none of that name."""
        if key not in self.artifacts:
            return 0
        value = self.artifacts[key]
        return len(value if isinstance(value, bytes) else str(value).encode())

    def get_total_artifact_size(self) -> int:
        """Bytes of all artifacts."""
        return sum(map(self.get_artifact_size, self.artifacts))
