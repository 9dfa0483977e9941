/** The granules' outlines as an overlay: loaded when first wanted, page by page. */

import { projectRing } from "./projection.js";
import { problemText } from "./tiles.js";

const { ol } = globalThis;

const MOST_GRANULES = 10_000;

/** A hidden vector layer with a method to load it and one to highlight a granule. */
export class Footprints {
  constructor({ url, projection, colour, onProgress }) {
    this.next = url;
    this.projection = projection;
    this.onProgress = onProgress;
    this.loading = null;
    this.highlighted = null;
    this.source = new ol.source.Vector({ wrapX: false });
    const plain = outlineStyle(colour, 1.2, 0.95, 0.015);
    const strong = outlineStyle(colour, 2.6, 1, 0.12);
    this.layer = new ol.layer.Vector({
      source: this.source,
      visible: false,
      zIndex: 5,
      style: (feature) => (feature.getId() === this.highlighted ? strong : plain),
    });
  }

  get count() {
    return this.source.getFeatures().length;
  }

  /** Show or hide, loading first where needed; the promise ends when all are there. */
  async show(visible) {
    this.layer.setVisible(visible);
    if (!visible || this.next === null) return;
    this.loading ??= this.load().finally(() => {
      this.loading = null;
    });
    await this.loading;
  }

  highlight(granuleId) {
    this.highlighted = granuleId;
    this.layer.changed();
  }

  async load() {
    while (this.next !== null && this.count < MOST_GRANULES) {
      const response = await fetch(this.next);
      if (!response.ok) throw new Error(await problemText(response));
      const page = await response.json();
      this.source.addFeatures(page.features.map((feature) => this.outline(feature)).filter(Boolean));
      this.next = page.links?.find((link) => link.rel === "next")?.href ?? null;
      this.onProgress({ count: this.count, more: this.next !== null });
    }
  }

  outline({ id, geometry }) {
    if (geometry === null || geometry === undefined) return null;
    const polygons = geometry.type === "MultiPolygon" ? geometry.coordinates : [geometry.coordinates];
    const projected = polygons
      .map((rings) => rings.map((ring) => projectRing(ring, this.projection.toMap)).filter((ring) => ring.length > 3))
      .filter((rings) => rings.length > 0);
    if (projected.length === 0) return null;
    const feature = new ol.Feature(new ol.geom.MultiPolygon(projected));
    feature.setId(id);
    return feature;
  }
}

function outlineStyle(colour, width, opacity, fill) {
  const [red, green, blue] = ol.color.asArray(colour);
  const casing = new ol.style.Style({ stroke: new ol.style.Stroke({ color: [0, 0, 0, 0.45], width: width + 2 }) });
  const line = new ol.style.Style({
    stroke: new ol.style.Stroke({ color: [red, green, blue, opacity], width }),
    fill: new ol.style.Fill({ color: [red, green, blue, fill] }),
  });
  return [casing, line];
}
