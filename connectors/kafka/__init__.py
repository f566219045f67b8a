"""Kafka: source of events, producer, and sink of rejects."""
