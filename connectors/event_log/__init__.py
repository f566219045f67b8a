"""Event log: a `.jsonl` file on local disk to which producers append, and which a live run follows."""
