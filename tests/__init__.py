"""Tests: one module per source module, the same name; `integration` for real Kafka, Redis and processes."""
