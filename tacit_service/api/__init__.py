"""Resources of the API, a module per group."""
