/** The addresses that other software opens, with the style that is on the screen. */

import { byId, copyText, element } from "./elements.js";
import { imageParameters, valueParameters, withParameters } from "./style.js";

const LINKS = [
  { key: "xyz", title: "XYZ tiles", note: "map libraries" },
  { key: "tilejson", title: "TileJSON", note: "this version, forever" },
  { key: "wmts", title: "WMTS", note: "QGIS, ArcGIS, GDAL" },
  { key: "gdal_tms", title: "GDAL TMS file", note: "QGIS, rasterio: values" },
  { key: "gdal_wmts", title: "GDAL WMTS file", note: "QGIS, rasterio: values" },
  { key: "info", title: "Information", note: "JSON" },
];

/** Builds the list once; the returned function brings it up to date with a style. */
export function bindLinks(config, announce) {
  const present = LINKS.filter(({ key }) => config.urls[key]);
  const fields = new Map(present.map(({ key, title }) => [key, element("input", {
    type: "text", readonly: true, id: `link-${key}`, "aria-label": `${title} address`, spellcheck: "false",
    listeners: { focus: ({ target }) => target.select() },
  })]));
  byId("links").append(...present.map(({ key, title, note }) => row(fields.get(key), { title, note, announce })));
  return (style) => present.forEach(({ key }) => {
    fields.get(key).value = absolute(addressOf(config.urls[key], key, style, config));
  });
}

/** Files of values carry the asset alone: colours would make bytes of heights. */
function addressOf(url, key, style, config) {
  if (key === "info") return url;
  const isValues = url.includes("tile_format=tif");
  return withParameters(url, isValues ? valueParameters(style, config) : imageParameters(style, config));
}

function absolute(url) {
  return url.startsWith("/") ? `${location.origin}${url}` : url;
}

function row(field, { title, note, announce }) {
  const copy = element("button", { type: "button", class: "copy", text: "Copy", "aria-label": `Copy the ${title} address` });
  copy.addEventListener("click", async () => {
    const done = await copyText(field.value, field);
    copy.textContent = done ? "Copied" : "Press Ctrl+C";
    announce(done ? `${title} address copied` : "Press Control C to copy");
    setTimeout(() => { copy.textContent = "Copy"; }, 1600);
  });
  return element("div", {
    class: "link",
    children: [
      element("div", { class: "link-head", children: [element("span", { text: title }), element("small", { text: note })] }),
      element("div", { class: "link-body", children: [field, copy] }),
    ],
  });
}
