/** The layer controls: asset, band, colours, range, opacity and grid. */

import { byId, element } from "./elements.js";
import { assetOf, hasRange, isSingleBand, ownRange } from "./style.js";

const FAVOURITES = ["gray", "viridis", "cividis", "inferno", "magma", "plasma", "turbo", "terrain", "gist_earth",
  "copper", "rdylbu_r", "spectral_r", "twilight"];
const GRAY = "linear-gradient(90deg, #000, #fff)";

/** Fills the controls and calls `onChange(style)` with a new style whenever one is used. */
export function bindControls(config, style, onChange) {
  const current = { ...style };
  const change = (part) => {
    Object.assign(current, part);
    show(config, current);
    onChange({ ...current });
  };
  fillAssets(config, current, change);
  fillColormaps(config);
  fillGrids(config);
  byId("band").addEventListener("change", ({ target }) => change({ band: target.value, ...noRange }));
  byId("colormap").addEventListener("change", ({ target }) => change({ colormap: target.value }));
  byId("opacity").addEventListener("input", ({ target }) => change({ opacity: Number(target.value) / 100 }));
  byId("footprints").addEventListener("change", ({ target }) => change({ footprints: target.checked }));
  byId("reset-range").addEventListener("click", () => change(noRange));
  for (const id of ["low", "high"]) byId(id).addEventListener("change", () => takeRange(config, current, change));
  show(config, current);
}

const noRange = { low: "", high: "" };

/** Both ends are taken together; the one left empty is filled from the mosaic's own range. */
function takeRange(config, current, change) {
  const own = ownRange(assetOf(current, config), current.band) ?? ["", ""];
  const [low, high] = ["low", "high"].map((id, index) => byId(id).value.trim() || String(own[index]));
  const given = { low, high };
  const isWrong = !hasRange(given);
  byId("range-fault").hidden = !isWrong;
  for (const id of ["low", "high"]) byId(id).setAttribute("aria-invalid", String(isWrong));
  if (!isWrong) change(given);
}

function show(config, style) {
  const asset = assetOf(style, config);
  const own = ownRange(asset, style.band);
  document.querySelectorAll("#assets input").forEach((input) => { input.checked = input.value === style.asset; });
  showBands(asset, style);
  const isSingle = isSingleBand(style, config);
  byId("colormap").disabled = !isSingle;
  byId("colormap").value = style.colormap;
  byId("low").value = style.low;
  byId("high").value = style.high;
  byId("low").placeholder = own === null ? "auto" : tidy(own[0]);
  byId("high").placeholder = own === null ? "auto" : tidy(own[1]);
  byId("range-fault").hidden = true;
  for (const id of ["low", "high"]) byId(id).setAttribute("aria-invalid", "false");
  byId("reset-range").disabled = !hasRange(style);
  byId("opacity").value = String(Math.round(style.opacity * 100));
  byId("opacity-value").textContent = `${Math.round(style.opacity * 100)} %`;
  byId("footprints").checked = style.footprints;
  showLegend(config, style, hasRange(style) ? [Number(style.low), Number(style.high)] : own, isSingle);
}

function showBands(asset, style) {
  const count = asset.bands ?? 1;
  byId("band-row").hidden = count < 2;
  const names = asset.descriptions ?? [];
  const all = count >= 3 ? [element("option", { value: "", text: "First three as red, green, blue" })] : [];
  const single = Array.from({ length: count }, (_, index) =>
    element("option", { value: index === 0 && count < 3 ? "" : String(index + 1), text: names[index] ?? `Band ${index + 1}` }));
  byId("band").replaceChildren(...all, ...single);
  byId("band").value = style.band;
}

async function showLegend(config, style, range, isSingle) {
  byId("legend").hidden = !isSingle;
  byId("legend-low").textContent = range === null ? "" : tidy(range[0]);
  byId("legend-high").textContent = range === null ? "" : tidy(range[1]);
  const name = style.colormap;
  byId("ramp").style.background = GRAY;
  if (!name || !config.urls.index) return;
  const response = await fetch(`${config.urls.index.replace(/\/$/, "")}/colorMaps/${encodeURIComponent(name)}`);
  if (!response.ok || byId("colormap").value !== name) return;
  const colours = Object.values(await response.json());
  const stops = Array.from({ length: 17 }, (_, index) => colours[Math.round((index / 16) * (colours.length - 1))]);
  byId("ramp").style.background = `linear-gradient(90deg, ${stops.map(([r, g, b, a]) => `rgba(${r},${g},${b},${a / 255})`).join(", ")})`;
}

function fillAssets(config, style, change) {
  byId("assets").append(...config.assets.map(({ key, dtype }) =>
    element("label", {
      class: "choice",
      children: [
        element("input", {
          type: "radio", name: "asset", value: key, checked: key === style.asset,
          listeners: { change: () => change({ asset: key, band: "", ...noRange }) },
        }),
        element("span", { class: "choice-name", text: key }),
        element("span", { class: "choice-note", text: dtype ?? "" }),
      ],
    })));
}

function fillColormaps(config) {
  const known = new Set(config.colormaps);
  const option = (name) => element("option", { value: name, text: name });
  const first = FAVOURITES.filter((name) => known.has(name));
  const rest = config.colormaps.filter((name) => !first.includes(name));
  byId("colormap").replaceChildren(
    element("option", { value: "", text: "As published" }),
    element("optgroup", { label: "Often used", children: first.map(option) }),
    element("optgroup", { label: "All others", children: rest.map(option) }),
  );
}

function fillGrids(config) {
  const grids = config.grids.some((grid) => grid.id === config.tms.id)
    ? config.grids
    : [{ id: config.tms.id, url: location.pathname }, ...config.grids];
  byId("grid").replaceChildren(...grids.map(({ id, url }) =>
    element("option", { value: url, text: gridName(id, config.body), title: id, selected: id === config.tms.id })));
  byId("grid").addEventListener("change", ({ target }) => location.assign(`${target.value}${location.hash}`));
}

/** `MarsNorthPolarSphere` -> `North Polar (Sphere)` */
function gridName(id, body) {
  const words = id.replace(body, "").replace(/([a-z])([A-Z])/g, "$1 $2");
  const parts = words.match(/^(.*) (Sphere|Ographic|Ocentric)$/);
  return parts === null ? (words || id) : `${parts[1]} · ${parts[2].toLowerCase()}`;
}

function tidy(value) {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(5)));
}
