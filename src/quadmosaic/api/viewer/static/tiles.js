/** The mosaic's tiles as a layer that tells when it works, what went wrong, and what was left out. */

const { ol } = globalThis;

const GRACE_MS = 8000;

/** Counts requests under way and hands problems on, for one map. */
export class TileTraffic {
  constructor({ onActivity, onProblem, onSkipped }) {
    this.active = 0;
    this.drawn = 0;
    Object.assign(this, { onActivity, onProblem, onSkipped });
  }

  async fetch(url, signal) {
    this.change(1);
    try {
      const response = await fetch(url, { signal });
      if (response.status === 204) return null;
      if (!response.ok) throw new Error(await problemText(response));
      const skipped = response.headers.get("X-Assets-Skipped");
      if (skipped) this.onSkipped(skipped);
      const picture = await createImageBitmap(await response.blob());
      this.drawn += 1;
      return picture;
    } catch (error) {
      if (error.name !== "AbortError") this.onProblem(error.message);
      throw error;
    } finally {
      this.change(-1);
    }
  }

  change(by) {
    this.active += by;
    this.onActivity(this.active);
  }
}

/** The sentence in a problem document, or the status where there is none. */
export async function problemText(response) {
  const fallback = `${response.status} ${response.statusText}`.trim();
  if (!(response.headers.get("Content-Type") ?? "").includes("json")) return fallback;
  const problem = await response.json();
  return problem.field ? `${problem.field}: ${problem.detail}` : (problem.detail ?? fallback);
}

/**
 * Shows tiles of `template` on the map; the former layer stays beneath until the new one is complete.
 * Nothing is asked for outside of `reach`.
 */
export function replaceTiles(map, template, { projection, tileGrid, reach, traffic, opacity }) {
  const scale = globalThis.devicePixelRatio >= 1.5 ? 2 : 1;
  const url = scale === 1 ? template : template.replace("{y}", `{y}@${scale}x`);
  const side = tileGrid.getTileSize(0)[0] * scale;
  const blank = blankPicture(side);
  const source = new ol.source.ImageTile({
    projection,
    tileGrid,
    tileSize: side,
    wrapX: false,
    interpolate: true,
    transition: 160,
    loader: async (z, x, y, { signal }) => (await traffic.fetch(fill(url, { z, x, y }), signal)) ?? blank,
  });
  const layer = new ol.layer.Tile({ source, opacity, extent: reach, zIndex: 1, properties: { isMosaic: true } });
  const former = map.getLayers().getArray().filter((other) => other.get("isMosaic"));
  former.forEach((other) => other.setZIndex(0));
  map.addLayer(layer);
  const drop = () => former.forEach((other) => map.removeLayer(other));
  map.once("rendercomplete", drop);
  setTimeout(drop, GRACE_MS);
  return layer;
}

function fill(template, { z, x, y }) {
  return template.replace("{z}", z).replace("{x}", x).replace("{y}", y);
}

function blankPicture(side) {
  const canvas = document.createElement("canvas");
  canvas.width = side;
  canvas.height = side;
  return canvas;
}
