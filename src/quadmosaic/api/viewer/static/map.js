/** The map page: reads its configuration and puts the parts together. */

import { bindControls } from "./controls.js";
import { byId, Notices } from "./elements.js";
import { Footprints } from "./footprints.js";
import { bindLinks } from "./links.js";
import { buildProjection, formatDegrees, projectBounds } from "./projection.js";
import { assetOf, fragmentOf, imageParameters, initialStyle, valueParameters, viewOf, withParameters } from "./style.js";
import { replaceTiles, TileTraffic } from "./tiles.js";
import { Values } from "./values.js";

const OVERZOOM = 4;
const REMEMBER_MS = 250;

const notices = new Notices(byId("notices"));

if (globalThis.ol === undefined || globalThis.proj4 === undefined) {
  notices.tell("libraries", "The map libraries could not be loaded. The service can serve them itself: see VIEWER_ASSETS.");
} else {
  start(JSON.parse(byId("config").textContent), globalThis.ol);
}

function start(config, ol) {
  const grid = buildProjection(config);
  const accent = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();
  const map = new ol.Map({
    target: "map",
    keyboardEventTarget: byId("map"),
    controls: [new ol.control.ScaleLine({ units: "metric", minWidth: 90, target: byId("scale") })],
    view: buildView(grid, ol),
  });
  const reach = tileReach(grid, config, ol);
  const metresPerPixel = () => groundResolution(map, grid, ol);
  let style = initialStyle(config, location);
  let tiles = null;

  const traffic = new TileTraffic({
    onActivity: (active) => document.body.classList.toggle("is-loading", active > 0),
    onProblem: (text) => notices.tell("tiles", `A tile could not be drawn: ${text}`, {
      action: { label: "Try again", run: drawTiles },
    }),
    onSkipped: () => notices.tell("skipped", "Some granules could not be read; the map shows what could.", { tone: "warn" }),
  });
  const footprints = new Footprints({
    url: config.urls.granules,
    projection: grid,
    colour: accent,
    onProgress: ({ count, more }) => { byId("footprints-note").textContent = `${count.toLocaleString("en")}${more ? "+" : ""}`; },
  });
  map.addLayer(footprints.layer);
  const marker = addMarker(map, accent, ol);
  const values = new Values({
    onHover: (granule) => footprints.highlight(granule),
    onClose: () => { marker.setGeometry(undefined); byId("map").focus(); },
  });
  const showLinks = bindLinks(config, announce);

  let remembering = 0;
  const remember = () => {
    clearTimeout(remembering);
    remembering = setTimeout(writeAddress, REMEMBER_MS);
  };

  function writeAddress() {
    const centre = grid.toDegrees(map.getView().getCenter());
    const view = centre === null ? null : { centre, metresPerPixel: metresPerPixel() };
    history.replaceState(null, "", fragmentOf(style, view, config));
  }

  function drawTiles() {
    notices.close("tiles");
    notices.close("skipped");
    const template = withParameters(config.urls.tiles, imageParameters(style, config));
    tiles = replaceTiles(map, template, { ...grid, reach, traffic, opacity: style.opacity });
  }

  function applyStyle(next) {
    const isRedrawn = imageParameters(next, config).toString() !== imageParameters(style, config).toString();
    style = next;
    if (isRedrawn) drawTiles();
    tiles.setOpacity(style.opacity);
    footprints.show(style.footprints).catch((error) => notices.tell("footprints", `Footprints: ${error.message}`));
    showLinks(style);
    remember();
  }

  function askValues(point) {
    const place = grid.toDegrees(point);
    if (place === null || !ol.extent.containsCoordinate(grid.extent, point)) return;
    marker.setGeometry(new ol.geom.Point(point));
    const [lon, lat] = place.map((degrees) => Number(degrees.toFixed(8)));
    const url = config.urls.point.replace("{lon}", lon).replace("{lat}", lat);
    const heading = formatDegrees(place, { radius: config.radius, metres: metresPerPixel() / 10 });
    values.ask(withParameters(url, valueParameters(style, config)), { heading, asset: assetOf(style, config).key });
  }

  bindButtons(map, () => fitBounds(map, grid, config, { duration: 300 }));
  bindControls(config, style, applyStyle);
  fitView(map, grid, config, ol);
  drawTiles();
  applyStyle(style);
  map.on("moveend", remember);
  map.on("singleclick", ({ coordinate }) => askValues(coordinate));
  bindPosition(map, grid, config, metresPerPixel);
  bindKeys(map, { askValues, values });
  globalThis.quadmosaic = { map, traffic, footprints, toMap: grid.toMap };
}

function buildView({ projection, extent, tileGrid }, ol) {
  const finest = tileGrid.getResolutions().at(-1) / 2 ** OVERZOOM;
  return new ol.View({
    projection,
    extent,
    constrainOnlyCenter: true,
    showFullExtent: true,
    center: ol.extent.getCenter(extent),
    maxResolution: Math.max(tileGrid.getResolution(0) * 2, ol.extent.getWidth(extent) / 256),
    minResolution: finest,
    enableRotation: true,
  });
}

/** Where there can be tiles: the mosaic's bounds with a margin, or the whole grid where these are not certain. */
function tileReach(grid, config, ol) {
  const bounds = projectBounds(config.bounds, grid);
  if (bounds === null || !bounds.isExact) return grid.extent;
  const margin = 0.01 * Math.max(ol.extent.getWidth(bounds.extent), ol.extent.getHeight(bounds.extent));
  return ol.extent.buffer(bounds.extent, margin);
}

/** Where the address says, else the mosaic's bounds, else the whole grid with a word of why. */
function fitView(map, grid, config, ol) {
  const asked = viewOf(location.hash);
  const centre = asked === null ? null : grid.toMap(asked.centre);
  if (centre !== null && ol.extent.containsCoordinate(grid.extent, centre)) {
    map.getView().setCenter(centre);
    const unit = ol.proj.getPointResolution(grid.projection, 1, centre) * grid.metresPerUnit;
    map.getView().setResolution(asked.metresPerPixel / unit);
    return;
  }
  fitBounds(map, grid, config);
}

function fitBounds(map, grid, config, { duration = 0 } = {}) {
  const bounds = projectBounds(config.bounds, grid);
  if (bounds === null) notices.tell("reach", `${config.tms.id} does not reach this mosaic; choose another grid.`, { tone: "warn" });
  const side = document.body.classList.contains("is-panel-open") && innerWidth > 820 ? 340 : 24;
  map.getView().fit(bounds?.extent ?? grid.extent, { padding: [64, 40, 64, side], size: map.getSize(), duration });
}

function groundResolution(map, grid, ol) {
  const view = map.getView();
  return ol.proj.getPointResolution(grid.projection, view.getResolution(), view.getCenter()) * grid.metresPerUnit;
}

function addMarker(map, colour, ol) {
  const marker = new ol.Feature();
  const ring = (radius, width, color) => new ol.style.Style({
    image: new ol.style.Circle({ radius, stroke: new ol.style.Stroke({ color, width }) }),
  });
  const source = new ol.source.Vector({ features: [marker], wrapX: false });
  map.addLayer(new ol.layer.Vector({ source, zIndex: 9, style: [ring(8, 4, "rgba(0,0,0,0.6)"), ring(8, 2, colour), ring(1, 2, "#fff")] }));
  return marker;
}

function bindPosition(map, grid, config, metresPerPixel) {
  const told = byId("position");
  map.on("pointermove", ({ coordinate, dragging }) => {
    if (dragging) return;
    const place = grid.toDegrees(coordinate);
    told.textContent = place === null ? "–" : formatDegrees(place, { radius: config.radius, metres: metresPerPixel() });
  });
  map.getViewport().addEventListener("mouseleave", () => { told.textContent = ""; });
  const zoom = () => {
    const exact = grid.tileGrid.getZForResolution(map.getView().getResolution());
    byId("zoom").textContent = `zoom ${exact}`;
  };
  map.getView().on("change:resolution", zoom);
  zoom();
}

function bindKeys(map, { askValues, values }) {
  byId("map").addEventListener("keydown", ({ key }) => {
    if (key === "Enter") askValues(map.getView().getCenter());
  });
  document.addEventListener("keydown", ({ key }) => {
    if (key === "Escape" && !byId("values").hidden) byId("values-close").click();
  });
}

function bindButtons(map, fit) {
  const zoomBy = (delta) => map.getView().animate({ zoom: map.getView().getZoom() + delta, duration: 180 });
  byId("zoom-in").addEventListener("click", () => zoomBy(1));
  byId("zoom-out").addEventListener("click", () => zoomBy(-1));
  byId("fit").addEventListener("click", fit);
  const toggle = byId("panel-toggle");
  const setOpen = (isOpen) => {
    document.body.classList.toggle("is-panel-open", isOpen);
    toggle.setAttribute("aria-expanded", String(isOpen));
  };
  toggle.addEventListener("click", () => setOpen(!document.body.classList.contains("is-panel-open")));
  setOpen(innerWidth > 820);
}

function announce(text) {
  byId("announcer").textContent = text;
}
