"""A report of proof with every figure, for tests of metrics and commands."""

from state.learning.proof_report import (
    ApprenticeProof,
    CandidateProof,
    Challenger,
    Compared,
    ConfidenceProof,
    Estimate,
    ProofReport,
)

FEW = Compared(40, 12)
MANY = Compared(5_000, 800, Estimate(0.62, 0.55, 0.07, (0.03, 0.11)))
CLOSE = Compared(900, 60, Estimate(0.51, 0.5, 0.01, (-0.04, 0.06)))
REPORT = ProofReport(
    at=1_795_297_433_438,
    answers=12_345,
    holdout=0.05,
    uplift=MANY,
    uplift_by_facet={"length": CLOSE, "tone": FEW},
    off_policy={"length": MANY, "tone": FEW},
    candidate=CandidateProof(MANY, 0.97),
    candidate_by_facet={"length": CandidateProof(CLOSE, 0.85), "tone": CandidateProof(FEW, 1.0)},
    apprentice={"length": ApprenticeProof(300, 0.412, CLOSE), "tone": ApprenticeProof(12, None, FEW)},
    confidence=(ConfidenceProof(0.5, 2_000, 90, 0.02, 0.07, (-0.08, -0.03)), ConfidenceProof(0.6, 50, 9)),
    challengers=(Challenger("river.linear_model.LogisticRegression", 0.1, 700, 0.61, 0.6, 0.01, (-0.01, 0.03)),),
)
