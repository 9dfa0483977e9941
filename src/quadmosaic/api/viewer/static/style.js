/** What is drawn and how: the state behind the layer controls, as query parameters and as an address to share. */

const BYTE_RANGE = [0, 255];
const MANAGED = ["assets", "bidx", "rescale", "colormap_name"];

/** The style that an address asks for: its fragment first, then its query, then the mosaic's own. */
export function initialStyle(config, { search, hash }) {
  const query = new URLSearchParams(search);
  const fragment = new URLSearchParams(hash.replace(/^#/, ""));
  const told = (name) => fragment.get(name) ?? query.get(name) ?? config.style[name] ?? "";
  const known = new Set(config.assets.map((asset) => asset.key));
  const [low, high] = told("rescale").split(",");
  return {
    asset: known.has(told("assets")) ? told("assets") : config.default_asset,
    band: told("bidx"),
    colormap: config.colormaps.includes(told("colormap_name")) ? told("colormap_name") : "",
    low: low ?? "",
    high: high ?? "",
    opacity: Number(fragment.get("opacity") ?? 1),
    footprints: fragment.get("footprints") === "1",
  };
}

/** Query parameters of an image. Without a choice there are none, and the mosaic's own style is drawn. */
export function imageParameters(style, config) {
  const parameters = new URLSearchParams();
  if (style.band) parameters.set("bidx", style.band);
  if (hasRange(style)) parameters.set("rescale", `${style.low},${style.high}`);
  if (style.colormap) parameters.set("colormap_name", style.colormap);
  const isChosen = [...parameters].length > 0 || style.asset !== config.default_asset;
  if (isChosen) parameters.set("assets", style.asset);
  return parameters;
}

/** Parameters that say which values are read, without how they are coloured. */
export function valueParameters(style, config) {
  const parameters = new URLSearchParams();
  if (style.asset !== config.default_asset) parameters.set("assets", style.asset);
  return parameters;
}

/** A URL or template with these parameters in place of those it had; other parameters stay. */
export function withParameters(url, parameters) {
  const [path, query = ""] = url.split("?");
  const merged = new URLSearchParams(query);
  MANAGED.forEach((name) => merged.delete(name));
  parameters.forEach((value, name) => merged.append(name, value));
  const text = merged.toString().replaceAll("%2C", ",");
  return text ? `${path}?${text}` : path;
}

/** The fragment that brings this view back: `at` in degrees and `mpp`, ground metres per pixel, fit any grid. */
export function fragmentOf(style, view, config) {
  const parameters = imageParameters(style, config);
  if (view !== null) {
    parameters.set("at", view.centre.map((degrees) => degrees.toFixed(5)).join(","));
    parameters.set("mpp", view.metresPerPixel.toPrecision(5));
  }
  if (style.opacity < 1) parameters.set("opacity", String(style.opacity));
  if (style.footprints) parameters.set("footprints", "1");
  return `#${parameters.toString().replaceAll("%2C", ",")}`;
}

/** The place and scale in an address, null without them. */
export function viewOf(hash) {
  const fragment = new URLSearchParams(hash.replace(/^#/, ""));
  const centre = (fragment.get("at") ?? "").split(",").map(Number);
  const metresPerPixel = Number(fragment.get("mpp"));
  const isWhole = centre.length === 2 && centre.every(Number.isFinite) && metresPerPixel > 0;
  return isWhole && fragment.has("at") ? { centre, metresPerPixel } : null;
}

/** The asset of a style. */
export function assetOf(style, config) {
  return config.assets.find((asset) => asset.key === style.asset) ?? config.assets[0];
}

/** The (low, high) that the server stretches by when none is chosen; null where it is not known. */
export function ownRange(asset, band) {
  const stretch = asset.stretch?.[Math.max(0, Number(band || 1) - 1)] ?? null;
  if (asset.dtype !== "uint8") return stretch;
  return stretch !== null && stretch[1] - stretch[0] < 128 ? stretch : BYTE_RANGE;
}

/** Whether one band is shown, which is what a colormap needs. */
export function isSingleBand(style, config) {
  return Boolean(style.band) || (assetOf(style, config).bands ?? 1) < 3;
}

/** Whether both ends of a range are given and make sense. */
export function hasRange({ low, high }) {
  return low !== "" && high !== "" && Number.isFinite(Number(low)) && Number.isFinite(Number(high)) && Number(low) !== Number(high);
}
