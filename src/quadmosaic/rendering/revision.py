"""The revision of the renderer."""

REVISION = 2
"""Part of every ETag: raise it when the same request would give other bytes."""
