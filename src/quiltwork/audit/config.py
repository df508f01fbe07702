"""The rules of auditing, as a user may write them. Every number has its reason beside it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator


class AuditConfig(BaseModel):
    """How often work is computed again, by how many, in what time, and what follows. Rates are probabilities."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rate: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="of the contributions of a usual member; two compute each again, so auditing takes twice this share of all "
        "work. 0.1: who always cheats is audited within 7 rounds half of the time, and within 44 rounds 99 times of 100. "
        "0: nobody is audited",
    )
    newcomer_factor: float = Field(
        default=4.0, ge=1, le=1_000, description="newcomers are audited so many times as often: nobody knows them yet"
    )
    newcomer_audits: int = Field(
        default=4, ge=0, le=1_000, description="passed audits after which a member is no newcomer any more"
    )
    proven_factor: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="the long-proven are audited so many times as often; never 0, or being proven would be a licence",
    )
    proven_audits: int = Field(
        default=40, ge=1, le=100_000, description="audits passed in a row after which a member is long-proven"
    )
    watched_rate: float = Field(
        default=1.0, gt=0, le=1, description="of the contributions of who failed an audit or did not answer one"
    )

    quorum: int = Field(
        default=2, ge=1, le=5, description="verdicts that must agree. 2: one liar can neither convict nor acquit"
    )
    suspect_quorum: int = Field(
        default=3,
        ge=1,
        le=5,
        description="the same where the author is under suspicion, since there a conviction ejects: conspirators that are a "
        "tenth of the verifiers are the first two of a panel once in 100 cases, the first three once in 1,000",
    )
    response_rounds: int = Field(
        default=2, ge=1, le=1_000, description="rounds in which an audited member must disclose its state"
    )
    verdict_rounds: int = Field(
        default=2, ge=1, le=1_000, description="rounds in which a verifier must speak; after them another is asked"
    )
    case_rounds: int = Field(
        default=12, ge=2, le=10_000, description="rounds after which a case without a result is laid down undecided"
    )

    failure_weight: int = Field(
        default=32,
        ge=1,
        le=10_000,
        description="suspicion that a failed audit adds; a passed one takes 1 away. Who fails more than one audit in 33 is "
        "ejected sooner or later, whatever it does in between",
    )
    ejection_at: int = Field(
        default=90,
        ge=1,
        le=1_000_000,
        description="suspicion at which a member is ejected. 90: at the third failure, if it passed at most 6 audits between "
        "them, or at a later one. An honest member whom noise fails in one of 1,000 audits has 1 chance in 2,700 of being "
        "ejected in 10,000 audits; with two failures (50) it would have 1 in 7. 1: at the first failure",
    )

    verifier_after: int = Field(
        default=16,
        ge=0,
        le=1_000_000,
        description="accepted contributions before a member verifies others, so that a crowd of new names costs work first",
    )
    bad_verdicts: int = Field(
        default=3,
        ge=1,
        le=10_000,
        description="verdicts against the majority, or not given, that a verifier may be forgiven",
    )
    bad_share: float = Field(
        default=0.25,
        gt=0,
        lt=1,
        description="share of them above which a verifier is suspended; honest ones meet two liars in far fewer cases",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> AuditConfig:
        if self.suspect_quorum < self.quorum:
            raise ValueError(f"suspect_quorum ({self.suspect_quorum}) is less than quorum ({self.quorum})")
        least = self.response_rounds + 2 * self.verdict_rounds
        if self.case_rounds < least:
            raise ValueError(
                f"case_rounds ({self.case_rounds}) leaves no time for an answer, two verdicts and a tie-breaker: at least "
                f"response_rounds + 2 x verdict_rounds = {least}"
            )
        return self
