"""Report of a replay: its parts, inputs, counts and changes, as JSON and as a page."""
