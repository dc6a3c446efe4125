"""How much work the verdicts of a run were, for its summary."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

from verify.costs import StageCosts


class CostOfStage(TypedDict):
    """One stage of verification.

    Attributes:
        reached: pairs that came to it. ended: pairs that were decided in it.
        cpu_seconds: spent in it.
    """

    reached: int
    ended: int
    cpu_seconds: float


class VerificationCost(TypedDict):
    """What the verdicts of a run have cost.

    Attributes:
        verdicts: that were worked out, not known from an earlier run.
        verdicts_per_second: of wall time. cpu_ms_per_verdict: of all processes.
        stages: name to cost.
    """

    verdicts: int
    verdicts_per_second: float
    cpu_ms_per_verdict: float
    stages: dict[str, CostOfStage]


@dataclass(frozen=True, slots=True)
class Effort:
    """What was verified in this run, apart from what the index knew already.

    Attributes:
        verdicts: worked out.
        seconds: wall time of verifying and grouping, all processes at work.
        costs: CPU time of all processes, by stage.
    """

    verdicts: int = 0
    seconds: float = 0.0
    costs: StageCosts = field(default_factory=StageCosts)

    @property
    def verdicts_per_second(self) -> float:
        """Of wall time; 0 when there were none."""
        return self.verdicts / self.seconds if self.verdicts and self.seconds > 0 else 0.0

    @property
    def cpu_ms_per_verdict(self) -> float:
        """CPU time of one, milliseconds; 0 when there were none."""
        return 1000 * self.costs.seconds / self.verdicts if self.verdicts else 0.0

    def as_json(self) -> VerificationCost:
        """What summary.json holds of it."""
        return {
            "verdicts": self.verdicts,
            "verdicts_per_second": round(self.verdicts_per_second, 3),
            "cpu_ms_per_verdict": round(self.cpu_ms_per_verdict, 3),
            "stages": {
                name: {
                    "reached": cost.reached,
                    "ended": cost.ended,
                    "cpu_seconds": round(cost.seconds, 3),
                }
                for name, cost in self.costs.stages.items()
            },
        }
