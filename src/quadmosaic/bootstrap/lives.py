"""A service of one function, and what its process does between its lives: before a snapshot, and after it woke up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastapi import FastAPI

from quadmosaic.ports import Connected


@dataclass(frozen=True, kw_only=True)
class Served:
    """An application over adapters; `warm` does once what the first requests would have to wait for."""

    app: FastAPI
    adapters: Sequence[object]
    warm: Callable[[], None] = lambda: None

    def connect(self) -> None:
        """Make the adapters' clients; nothing is sent."""
        for adapter in self.adapters:
            if isinstance(adapter, Connected):
                adapter.connect()

    def disconnect(self) -> None:
        """Forget connections, and heads that may have moved meanwhile."""
        for adapter in self.adapters:
            if isinstance(adapter, Connected):
                adapter.disconnect()
