"""What it costs: CPU per event, rate, latency and memory, each next to something run in the same minute."""
