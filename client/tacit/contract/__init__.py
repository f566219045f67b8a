"""The contract: events in, signals out, the catalogue, keys and pseudonyms."""
