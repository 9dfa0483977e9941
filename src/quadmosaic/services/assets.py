"""Assets of a version, as requests name them."""

from quadmosaic.domain.errors import Invalid
from quadmosaic.domain.mosaic import AssetProfile, Version


def asset_profile(version: Version, asset: str | None, *, field: str = "assets") -> AssetProfile:
    """The asset asked for, or the default one. Raises Invalid naming `field`."""
    key = asset or version.manifest.default_asset
    profile = version.manifest.asset(key)
    if profile is None:
        known = ", ".join(profile.key for profile in version.manifest.assets)
        raise Invalid(f"{version.name} has no asset {key!r}, it has {known}", field=field)
    return profile
