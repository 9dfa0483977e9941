"""The revision of the renderer."""

REVISION = 3
"""Part of every ETag: raise it when the same request would give other bytes."""
