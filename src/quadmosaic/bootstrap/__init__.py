"""The one place where settings choose adapters and everything is put together.

A name is imported when it is asked for, so that a process loads only the libraries of what it does.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quadmosaic.bootstrap.builds import LEASE_S, Building, building
    from quadmosaic.bootstrap.lives import Served
    from quadmosaic.bootstrap.maps import maps_served
    from quadmosaic.bootstrap.outside import Adapters, adapters
    from quadmosaic.bootstrap.registry import registry_served
    from quadmosaic.bootstrap.service import http_app
    from quadmosaic.bootstrap.sources import builder, mosaic_document
    from quadmosaic.bootstrap.triggers import sqs_queue, write_tokens

__all__ = [
    "LEASE_S",
    "Adapters",
    "Building",
    "Served",
    "adapters",
    "builder",
    "building",
    "http_app",
    "maps_served",
    "mosaic_document",
    "registry_served",
    "sqs_queue",
    "write_tokens",
]

_HOMES = {
    "builds": ("LEASE_S", "Building", "building"),
    "lives": ("Served",),
    "maps": ("maps_served",),
    "outside": ("Adapters", "adapters"),
    "registry": ("registry_served",),
    "service": ("http_app",),
    "sources": ("builder", "mosaic_document"),
    "triggers": ("sqs_queue", "write_tokens"),
}


def __getattr__(name: str) -> object:
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
