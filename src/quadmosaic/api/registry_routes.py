"""The routes of the registry: what is registered, built and published."""

from quadmosaic.api import builds, mosaics, registry

ROUTERS = (registry.router, builds.router, mosaics.router)
