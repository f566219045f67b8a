"""Schemas of a registry with the REST API of Confluent: Confluent, Apicurio, Karapace and Redpanda."""
