"""Where data comes in and goes out: Kafka, files, Redis."""
