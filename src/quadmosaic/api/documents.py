"""Versions and granules as JSON that clients see."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import shapely

from quadmosaic.api.urls import crs_uri
from quadmosaic.domain import bodies
from quadmosaic.domain.access import public_href
from quadmosaic.domain.granules import Granule
from quadmosaic.domain.mosaic import AssetProfile, Index, Version
from quadmosaic.services.lookup import index_grid


def asset_summary(profile: AssetProfile) -> dict[str, object]:
    """An asset: its key, and what its files hold where they were read."""
    known = {
        "key": profile.key,
        "bands": profile.count,
        "dtype": profile.dtype,
        "nodata": None if profile.nodata is None else _json_float(profile.nodata),
        "scales": profile.scales or None,
        "offsets": profile.offsets or None,
        "descriptions": [text for text in profile.descriptions if text] or None,
        "stretch": profile.stretch or None,
        "resolution_m": profile.resolution,
    }
    return {key: value for key, value in known.items() if value is not None}


def version_summary(version: Version) -> dict[str, object]:
    """A version in a list."""
    manifest = version.manifest
    return {
        "name": version.name,
        "version": version.number,
        "digest": version.digest,
        "title": manifest.defaults.title or version.name,
        "description": manifest.defaults.description,
        "attribution": manifest.defaults.attribution,
        "body": manifest.body,
        "created": manifest.created,
        "granules": manifest.report.used,
        "cells": manifest.report.cells,
        "bounds": manifest.bounds,
    }


def version_info(version: Version) -> dict[str, object]:
    """All that is known of a version but its granules."""
    manifest, grid = version.manifest, index_grid(version.manifest)
    report = manifest.report
    median, p95, most = report.granules_per_cell
    return version_summary(version) | {
        "crs": crs_uri(bodies.geographic_id(manifest.body)),
        "center": manifest.center,
        "minzoom": manifest.minzoom,
        "maxzoom": manifest.maxzoom,
        "assets": [asset_summary(profile) for profile in manifest.assets],
        "default_asset": manifest.default_asset,
        "index": {
            "tms": grid.id,
            "crs": crs_uri(grid.crs_id),
            "quadkey_zoom": manifest.quadkey_zoom,
            "cells": report.cells,
            "granules": report.used,
            "granules_per_cell": {"median": median, "p95": p95, "max": most},
        },
        "report": {
            "found": report.found,
            "used": report.used,
            "refused": [{"granule": item.granule_id, "reason": item.reason} for item in report.refused[:100]],
            "refused_count": len(report.refused),
            "normalised": dict(report.normalised),
            "advice": report.advice,
            "seconds": report.seconds,
        },
        "software": manifest.software,
    }


def granule_feature(granule: Granule) -> dict[str, object]:
    """A granule as a GeoJSON feature in lon/lat degrees of the body."""
    return {
        "type": "Feature",
        "id": granule.id,
        "geometry": shapely.geometry.mapping(granule.footprint),
        "properties": {**without_secrets(dict(granule.properties)), "assets": public_assets(granule)},
    }


def public_assets(granule: Granule) -> dict[str, str]:
    """Hrefs by asset key, as others may see them."""
    return {key: public_href(href) for key, href in granule.hrefs.items()}


def public_index(index: Index) -> Index:
    """The index as others may see it; the store keeps what reading the files needs."""
    return replace(index, granules=tuple(replace(each, hrefs=public_assets(each)) for each in index.granules))


def without_secrets(value: Any) -> Any:
    """Any JSON with every href in it made public."""
    if isinstance(value, dict):
        return {key: without_secrets(each) for key, each in value.items()}
    if isinstance(value, list):
        return [without_secrets(each) for each in value]
    return public_href(value) if isinstance(value, str) else value


def feature(geometry: shapely.Geometry, properties: Mapping[str, object]) -> dict[str, object]:
    """A GeoJSON feature."""
    return {"type": "Feature", "geometry": shapely.geometry.mapping(geometry), "properties": dict(properties)}


def _json_float(value: float) -> float | str:
    """JSON has no NaN."""
    return value if value == value else "nan"
