"""Connectors: Kafka, files and Redis."""
