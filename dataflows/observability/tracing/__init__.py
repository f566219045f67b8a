"""Spans of sampled events, which continue the producer's trace: read, parse, shard, checkpoint and write.

A sampled event travels as any other; its trace context travels next to it (`state.events.records.Sampled`). Without
`--tracing`, none of these modules is imported, and no header is read.
"""
