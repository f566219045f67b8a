"""Report of the proof that signals help, in the form that workers write to Redis and operators read.

Figures are coarse: rates have three decimals, and exist with 30 effective answers of 20 users in each arm.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from state.errors import StateError
from state.learning.bucketed import MIN_BUCKETS

if TYPE_CHECKING:
    from state.learning.challenger import ChallengerScores  # a second and 80 MB, by River
    from state.learning.paired_loss import LossDifference

Interval = tuple[float, float]


class Estimate(msgspec.Struct, frozen=True):
    """Difference of two rates of likes."""

    rate: float
    """Rate, 0–1, of the policy."""
    other: float
    """Rate, 0–1, of the other side."""
    difference: float
    """In the centre of the interval: corrected for few answers, so not always `rate` less `other`."""
    interval: Interval


class Compared(msgspec.Struct, frozen=True):
    """A comparison, with an estimate once there is enough."""

    n: int
    """Answers with feedback."""
    effective: int
    """Effective answers of the side that has fewer; 30 are needed."""
    estimate: Estimate | None = None


class CandidateProof(msgspec.Struct, frozen=True):
    """The namespace's own policy, against the policy of the log."""

    compared: Compared
    support: float
    """Share of answers, 0–1, where the namespace's value could have been served."""


class ApprenticeProof(msgspec.Struct, frozen=True):
    """Answers of an assistant in apprentice mode, against the proposed values."""

    n: int
    match_rate: float | None
    """Share of answers, 0–1, that were served as proposed."""
    gain: Compared


class ConfidenceProof(msgspec.Struct, frozen=True):
    """Confidences of one bin: advantage of the value over the runner-up, in rates of likes."""

    low: float
    """Lower end of the bin."""
    n: int
    effective: int
    observed: float | None = None
    predicted: float | None = None
    interval: Interval | None = None
    """Of observed less predicted."""


class Challenger(msgspec.Struct, frozen=True):
    """A model that learns and is scored next to the deployed one."""

    name: str
    share: float
    """Share of users, 0–1."""
    n: int
    log_loss: float | None = None
    """None, as all that follows, for answers of too few users."""
    deployed_log_loss: float | None = None
    """On the same examples."""
    difference: float | None = None
    """Log loss less the deployed model's; below 0 the challenger is better."""
    interval: Interval | None = None


def challenged(scores: Iterable["ChallengerScores"]) -> tuple[Challenger, ...]:
    """Return the entries of challengers with feedback, rounded to four decimals."""
    return tuple([_challenger(each, each.loss) for each in scores if each.loss is not None])


def _challenger(each: "ChallengerScores", loss: "LossDifference") -> Challenger:
    if loss.low is None or loss.high is None or loss.buckets < MIN_BUCKETS:
        return Challenger(each.model, each.share, loss.n)
    log_loss, deployed, difference, low, high = (
        round(figure, 4) for figure in (loss.second, loss.first, loss.difference, loss.low, loss.high)
    )
    return Challenger(each.model, each.share, loss.n, log_loss, deployed, difference, (low, high))


class ProofReport(msgspec.Struct, frozen=True):
    """All figures of a namespace."""

    at: int
    """Newest event time of the answers, epoch ms."""
    answers: int
    """Answers with feedback, since the state began."""
    holdout: float
    """Share of users in the holdout, of the catalogue."""
    uplift: Compared
    """Likes of all other users against the holdout; the interval is a confidence sequence."""
    uplift_by_facet: dict[str, Compared] = {}
    off_policy: dict[str, Compared] = {}
    """Facet → followed signals against defaults."""
    candidate: CandidateProof | None = None
    candidate_by_facet: dict[str, CandidateProof] = {}
    apprentice: dict[str, ApprenticeProof] = {}
    confidence: tuple[ConfidenceProof, ...] = ()
    challengers: tuple[Challenger, ...] = ()


encode_report = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ProofReport).decode


def decode_report(data: bytes) -> ProofReport:
    """Return the report in a JSON document; unknown members are ignored.

    Raises:
        StateError: the bytes are no report.
    """
    try:
        return _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StateError(f"a report of proof cannot be read: {error}; upgrade tacit, or the workers") from error


class ReportWrite(msgspec.Struct, frozen=True):
    """A report to write to Redis."""

    report: bytes
