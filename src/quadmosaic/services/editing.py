"""Editing: other defaults for a published mosaic, as a version that shares the index of the one before."""

from dataclasses import replace
from datetime import datetime

from quadmosaic.domain.builds import Build, Status, Step
from quadmosaic.domain.errors import NotFound
from quadmosaic.domain.mosaic import Defaults, MosaicRef
from quadmosaic.ports import MosaicStore
from quadmosaic.services.jobs import Registered
from quadmosaic.services.manifests import check_default
from quadmosaic.services.publishing import EDIT


async def check_asset(store: MosaicStore, name: str, defaults: Defaults) -> None:
    """Raise Invalid, naming the field, for an asset or bands that the published mosaic does not have."""
    try:
        head = await store.version(MosaicRef(name))
    except NotFound:
        return
    check_default(defaults, head.manifest.assets)


async def edit(store: MosaicStore, registered: Registered, *, build_id: str, now: datetime) -> Build | None:
    """Publish the registration's defaults; the record of it. None where nothing is published.

    Raises Invalid as `check_asset`.
    """
    name, defaults = registered.registration.name, registered.registration.defaults
    try:
        head = await store.version(MosaicRef(name))
    except NotFound:
        return None
    check_default(defaults, head.manifest.assets)
    kept = replace(defaults, asset=defaults.asset or head.manifest.defaults.asset)
    when = now.isoformat(timespec="seconds")
    manifest = replace(head.manifest, defaults=kept, created=when)
    version = await store.write(name, manifest, await store.index(head))
    if version.number != head.number:
        await store.publish(MosaicRef(name, version.number), expected=head.number)
    return Build(
        name=name,
        id=build_id,
        revision=registered.revision,
        trigger=EDIT,
        step=Step.DONE,
        status=Status.SUCCEEDED if version.number != head.number else Status.UNCHANGED,
        created=when,
        started=when,
        finished=when,
        base=head.number,
        version=version.number,
        digest=version.digest,
    )
