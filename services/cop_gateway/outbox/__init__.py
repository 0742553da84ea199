"""Durable storage: an append-only outbox, a cursor per sink, the history and the receipts."""
