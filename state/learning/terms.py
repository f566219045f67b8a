"""The terms of a user model as columns of numbers: all that the compiled core reads of a catalogue's values."""

from array import array

from state.catalogue.numbered import NumberedCatalogue, Shape

BIAS_VARIANCE = 0.3
"""Prior variance of the bias: liking of answers in general, compared with other users."""
SLOPE_VARIANCE = 0.2
"""Prior variance of the slope along an ordered facet's scale from −1 to 1."""
VALUE_VARIANCES = {Shape.SINGLE: 0.1, Shape.ORDERED: 0.03, Shape.MULTIPLE: 0.05}
"""Prior variance of a value, beyond the place on a scale; by shape of the facet."""


class Terms:
    """Facet, place, prior and effects of each slot."""

    def __init__(self, catalogue: NumberedCatalogue) -> None:
        self.slots = len(catalogue.slots)
        self.facets = len(catalogue.facet_names)
        self.facet_of = array("q", catalogue.slot_facets)
        self.places = array("d", catalogue.slot_places)
        """Position on the scale of an ordered facet, −1 to 1; else 0."""
        self.variances = array("d", [VALUE_VARIANCES[shape] for shape in catalogue.slot_shapes])
        """Prior variance."""
        self.effects = array("q", [term for term, _ in catalogue.context_terms])
        """Term of the effect of a context (`NumberedCatalogue.context_terms`)."""
        self.factors = array("d", [factor for _, factor in catalogue.context_terms])
        """Factor of this effect."""
