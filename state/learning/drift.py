"""Did this person change? A CUSUM per facet of "the belief has reversed" against "the belief holds".

Page, "Continuous inspection schemes", Biometrika 41, 1954. Each piece of feedback adds the log likelihood ratio of the
two, with the facet's share of the mean taken with the opposite sign; the sum never falls below 0.
"""

THRESHOLD = 2.0
"""A sum above this flags a change."""
MAX_AT_ONCE = 1.0
"""What one judgement adds at most: an odd answer or two of someone whose taste is known well are no change of it."""
MEAN_KEPT = 0.3
"""Share of the facet's means that survives a flag."""
VARIANCE_REGAINED = 0.7
"""Share of the way back to the prior's variance."""
SETTLED = 6
"""Pieces of evidence, from the one that raised a flag, after which the tier is no longer one lower: five fresh ones."""
MIN_LIKELIHOOD = 1e-12
"""What is less likely counts as this, so that ratios stay finite."""
