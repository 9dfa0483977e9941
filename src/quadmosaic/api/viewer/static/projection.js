/** The body's projection and tile grid for OpenLayers, built from what the server says and from nothing of the Earth. */

const { ol, proj4 } = globalThis;

const DEGREES_CODE = "quadmosaic:degrees";
const MAP_CODE = "quadmosaic:map";
const LATITUDE_FIRST = new Set(["lat", "latitude", "y", "n", "northing"]);

/**
 * Everything that turns degrees on the body into map coordinates and back.
 * `toMap` and `toDegrees` answer null where the projection has no answer.
 */
export function buildProjection(config) {
  const extent = gridExtent(config.tms.document);
  const { toMap, toDegrees } = converters(config);
  const metresPerUnit = config.crs.geographic ? (config.radius * Math.PI) / 180 : 1;
  const projection = new ol.proj.Projection({
    code: config.crs.id,
    units: config.crs.geographic ? "degrees" : "m",
    metersPerUnit: metresPerUnit,
    extent,
    global: false,
    getPointResolution: (resolution, point) =>
      groundDistance(toDegrees([point[0] - resolution / 2, point[1]]), toDegrees([point[0] + resolution / 2, point[1]]),
        config.radius) / metresPerUnit || resolution,
  });
  return { projection, extent, metresPerUnit, toDegrees, toMap, tileGrid: tileGrid(extent, config) };
}

/** Map coordinates of an outline in degrees whose edges are split, so that they bend as the projection does. */
export function projectRing(ring, toMap, { step = 0.25 } = {}) {
  const points = [];
  for (let index = 0; index < ring.length; index += 1) {
    const [lon, lat] = ring[index];
    const [nextLon, nextLat] = ring[Math.min(index + 1, ring.length - 1)];
    const parts = Math.max(1, Math.ceil(Math.max(Math.abs(nextLon - lon), Math.abs(nextLat - lat)) / step));
    for (let part = 0; part < parts; part += 1) {
      const share = part / parts;
      points.push(toMap([lon + share * (nextLon - lon), lat + share * (nextLat - lat)]));
    }
  }
  return points.filter((point) => point !== null);
}

/**
 * The part of the map that bounds in degrees fill, null where the projection reaches none of it.
 * `isExact` is false where some of their outline has no place on the map, so that there may be more.
 */
export function projectBounds(bounds, { toMap, toDegrees, extent }) {
  const [west, south, east, north] = bounds;
  const ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
  const step = Math.max(Math.abs(east - west) / 60, (north - south) / 60, 0.001);
  const isPlaced = ([lon, lat]) => toMap([lon, lat]) !== null;
  const points = projectRing(ring, toMap, { step });
  if (points.length < 2) return null;
  const filled = ol.extent.getIntersection(ol.extent.boundingExtent(points), extent);
  if (ol.extent.isEmpty(filled) || !haveCommonPlace(bounds, { toMap, toDegrees, extent })) return null;
  return { extent: filled, isExact: west <= east && ring.every(isPlaced) };
}

/** Looks from both sides, since either may be much smaller: a ring around the equator encloses a polar grid. */
function haveCommonPlace([west, south, east, north], { toMap, toDegrees, extent }) {
  const isOnMap = (place) => place !== null && ol.extent.containsCoordinate(extent, place);
  const isInBounds = (place) => place !== null && isBetween(place[0], west, east) && place[1] >= south && place[1] <= north;
  const eastward = west <= east ? east : east + 360;
  return lattice([west, south, eastward, north]).some(([lon, lat]) => isOnMap(toMap([lon > 180 ? lon - 360 : lon, lat])))
    || lattice(extent).some((point) => isInBounds(toDegrees(point)));
}

function isBetween(lon, west, east) {
  return west <= east ? lon >= west && lon <= east : lon >= west || lon <= east;
}

function lattice([minX, minY, maxX, maxY], count = 32) {
  const shares = Array.from({ length: count + 1 }, (_, index) => index / count);
  return shares.flatMap((down) => shares.map((along) => [minX + along * (maxX - minX), minY + down * (maxY - minY)]));
}

/** Metres along the sphere between two places in degrees. */
export function groundDistance(start, end, radius) {
  if (start === null || end === null) return NaN;
  const [lon1, lat1, lon2, lat2] = [...start, ...end].map((degrees) => (degrees * Math.PI) / 180);
  const a = Math.sin((lat2 - lat1) / 2) ** 2 + Math.cos(lat1) * Math.cos(lat2) * Math.sin((lon2 - lon1) / 2) ** 2;
  return 2 * radius * Math.asin(Math.min(1, Math.sqrt(a)));
}

/** `77.5800° E, 18.3800° N`, as exact as a pixel of `metres` deserves. */
export function formatDegrees([lon, lat], { radius, metres }) {
  const pixel = (metres / radius) * (180 / Math.PI);
  const digits = Math.min(7, Math.max(2, Math.ceil(-Math.log10(pixel))));
  const east = ((((lon + 180) % 360) + 360) % 360) - 180;
  return `${Math.abs(east).toFixed(digits)}° ${east < 0 ? "W" : "E"}, ${Math.abs(lat).toFixed(digits)}° ${lat < 0 ? "S" : "N"}`;
}

/** A geographic grid is in degrees of the body already, and its CRS may have no proj4 form. */
function converters(config) {
  if (config.crs.geographic) return { toMap: finite, toDegrees: finite };
  proj4.defs(DEGREES_CODE, config.geographic.proj4);
  proj4.defs(MAP_CODE, config.crs.proj4);
  const { forward, inverse } = proj4(DEGREES_CODE, MAP_CODE);
  return { toMap: (point) => finite(forward([...point])), toDegrees: (point) => finite(inverse([...point])) };
}

function tileGrid(extent, config) {
  const used = config.tms.document.tileMatrices.slice(0, config.maxzoom + 1);
  return new ol.tilegrid.TileGrid({
    extent,
    origin: [extent[0], extent[3]],
    resolutions: used.map((matrix) => matrix.cellSize),
    sizes: used.map((matrix) => [matrix.matrixWidth, matrix.matrixHeight]),
    tileSizes: used.map((matrix) => [matrix.tileWidth, matrix.tileHeight]),
  });
}

function gridExtent(document) {
  const root = document.tileMatrices[0];
  const latitudeFirst = LATITUDE_FIRST.has((document.orderedAxes?.[0] ?? "").toLowerCase());
  const [left, top] = latitudeFirst ? [...root.pointOfOrigin].reverse() : root.pointOfOrigin;
  const width = root.cellSize * root.tileWidth * root.matrixWidth;
  const height = root.cellSize * root.tileHeight * root.matrixHeight;
  return [left, top - height, left + width, top];
}

function finite(point) {
  return point.every(Number.isFinite) ? point : null;
}
