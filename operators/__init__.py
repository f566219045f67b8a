"""State as dataflow steps."""
