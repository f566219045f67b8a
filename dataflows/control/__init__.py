"""Control of a user's data: control events into the source, their effect, receipts and the audit."""
