"""Rows about learning: predictions, the population, challengers, proof and parity."""

from tools.dashboards.panel import COUNT, NATS, PER_S, SECONDS, SHARE, Panel, Row

PREDICTIONS = Row(
    "Predictions",
    [
        Panel(
            "Log loss (nats)",
            NATS,
            "Mean log loss of the deployed model and of a constant; lower is better.",
            {"min by (model) (tacit_log_loss)": "{{model}}"},
        ),
        Panel(
            "Calibration error",
            SHARE,
            "Mean difference of predicted and observed rates, in ten bins.",
            {"max(tacit_calibration_error)": "error"},
        ),
        Panel(
            "Area under the ROC curve",
            SHARE,
            "Chance that a like has a higher prediction than a dislike; 50 % is no skill.",
            {"max(tacit_auc)": "area"},
        ),
        Panel(
            "Drifts of the loss",
            COUNT,
            "Changes of the log loss in a day that ADWIN found.",
            {"max(increase(tacit_loss_drifts_total[1d]))": "drifts"},
        ),
        Panel(
            "Scored feedback",
            COUNT,
            "Feedback events behind the scores.",
            {"max(tacit_scored_feedback)": "feedback"},
        ),
        Panel(
            "Gain of a facet (nats)",
            NATS,
            "Reduction of the log loss by each facet; up to 0, the facet emits no signal.",
            {"max by (facet) (tacit_facet_gain)": "{{facet}}"},
        ),
    ],
)

POPULATION = Row(
    "Population and challengers",
    [
        Panel(
            "Population version",
            COUNT,
            "Number of the newest population version.",
            {"max(tacit_population_version)": "version"},
        ),
        Panel(
            "Feedback for the training",
            PER_S,
            "Feedback that trains the population, and feedback above the limits per user.",
            {
                "sum(rate(tacit_examples_total[$__rate_interval]))": "trained",
                "sum(rate(tacit_examples_limited_total[$__rate_interval]))": "above the limits",
            },
        ),
        Panel(
            "Challengers against the deployed model (nats)",
            NATS,
            "Log loss of a challenger minus that of the deployed model, with its interval; below 0 is better.",
            {"max by (model, estimate) (tacit_challenger_difference)": "{{model}} {{estimate}}"},
        ),
        Panel(
            "Log loss of challengers (nats)",
            NATS,
            "Mean log loss of each challenger.",
            {"max by (model) (tacit_challenger_log_loss)": "{{model}}"},
        ),
        Panel(
            "Feedback of challengers",
            COUNT,
            "Feedback events that each challenger predicted.",
            {"max by (model) (tacit_challenger_feedback)": "{{model}}"},
        ),
        Panel(
            "Stops and restarts of challengers",
            COUNT,
            "Challengers that an error stopped, and starts without examples after wipes.",
            {
                "max by (model) (tacit_challenger_stopped)": "{{model}} stopped",
                "max by (model) (tacit_challenger_restarts_total)": "{{model}} restarts",
            },
        ),
    ],
)

PROOF = Row(
    "Do signals help?",
    [
        Panel(
            "Uplift",
            SHARE,
            "Rate of likes of adapted users minus that of the holdout, with its confidence sequence.",
            {'max by (estimate) (tacit_uplift{facet="*",estimate=~"difference|low|high"})': "{{estimate}}"},
        ),
        Panel(
            "Uplift by facet",
            SHARE,
            "Rate of likes of adapted users minus that of the holdout, by facet.",
            {'max by (facet) (tacit_uplift{facet!="*",estimate="difference"})': "{{facet}}"},
        ),
        Panel(
            "Gain of following the signals",
            SHARE,
            "Rate of likes with the signal's value minus that with the default, by inverse propensity.",
            {'max by (facet) (tacit_off_policy_like_rate{estimate="difference"})': "{{facet}}"},
        ),
        Panel(
            "Policy of this namespace against the log",
            SHARE,
            "Rate of likes of the namespace's own policy minus that of the policy of the log.",
            {'max by (facet) (tacit_candidate_like_rate{estimate="difference"})': "{{facet}}"},
        ),
        Panel(
            "Answers served as proposed",
            SHARE,
            "In apprentice mode: share of answers that already have the proposed value.",
            {"max by (facet) (tacit_apprentice_match_rate)": "{{facet}}"},
        ),
        Panel(
            "Gain of proposals",
            SHARE,
            "In apprentice mode: rate of likes of answers as proposed minus that of the others.",
            {'max by (facet) (tacit_apprentice_gain{estimate="difference"})': "{{facet}}"},
        ),
        Panel(
            "Error of confidences",
            SHARE,
            "Observed advantage minus the predicted one, and the part that chance does not explain.",
            {
                "max by (bin) (tacit_confidence_error)": "from {{bin}}",
                "max by (bin) (tacit_confidence_excess)": "from {{bin}}, beyond chance",
            },
        ),
        Panel("Answers with feedback", COUNT, "Answers behind the proof.", {"max(tacit_proof_answers)": "answers"}),
    ],
)

PARITY = Row(
    "Are the right signals served?",
    [
        Panel(
            "Parity",
            SHARE,
            "Share of served signals that a replay of the history computes, too.",
            {"min by (region, namespace) (tacit_parity_rate)": "{{region}} {{namespace}}"},
        ),
        Panel(
            "Compared signals",
            COUNT,
            "Signals and profiles of the last comparison, by result.",
            {"sum by (result) (tacit_parity_signals)": "{{result}}"},
        ),
        Panel(
            "Users of the sample",
            COUNT,
            "Users of the last comparison, by whether they could be compared.",
            {"sum by (standing) (tacit_parity_users)": "{{standing}}"},
        ),
        Panel(
            "Age of the comparison",
            SECONDS,
            "Time since the last run of tacit parity.",
            {"time() - max by (region, namespace) (tacit_parity_timestamp_seconds)": "{{region}} {{namespace}}"},
        ),
    ],
)

ROWS = (PREDICTIONS, POPULATION, PROOF, PARITY)
