"""What we know of a person: plain Python and River. No engine, no network, no clock."""
