"""What it costs: CPU per event, rate, latency and memory, each beside something run in the same minute."""
