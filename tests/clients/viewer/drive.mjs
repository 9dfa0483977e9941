/**
 * Drives the viewer in Chromium: `node drive.mjs BASE_URL MOSAIC FOLDER PLACES`, PLACES being JSON: name -> [lon, lat].
 * Writes pictures into FOLDER and tells on standard output, as JSON, what it saw; the test judges.
 */

import { join } from "node:path";
import { launch, openPage, pictureOfMap, settle } from "./browser.mjs";

const [baseUrl, mosaic, folder] = process.argv.slice(2);
const places = JSON.parse(process.argv[5]);
const seen = { requests: [], faults: [], refusals: [], pixels: {} };

const browser = await launch();
try {
  const page = await openPage(browser);
  watch(page);
  const report = {
    list: await visitList(page),
    map: await visitMap(page),
    styles: await changeStyles(page),
    values: await readValues(page),
    keyboard: await readWithKeyboard(page),
    footprints: await toggleFootprints(page),
    outside: await readOutside(page),
    links: await readLinks(page),
    grids: await visitGrids(page),
    narrow: await visitNarrow(page),
  };
  const [faults, refusals] = [seen.faults.splice(0), seen.refusals.splice(0)];
  report.failure = await breakTiles(page);
  console.log(JSON.stringify({ ...report, faults, refusals, requests: seen.requests, pixels: seen.pixels }));
} finally {
  await browser.close();
}

function watch(page) {
  page.on("request", (request) => seen.requests.push(request.url()));
  page.on("response", (response) => { if (response.status() >= 400) seen.refusals.push(`${response.status()} ${response.url()}`); });
  page.on("pageerror", (error) => seen.faults.push(`page: ${error.message}`));
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) seen.faults.push(`${message.type()}: ${message.text()}`); });
}

async function visitList(page) {
  await page.goto(`${baseUrl}/`);
  const card = page.locator(".card", { has: page.locator(`a[href*="/mosaics/${mosaic}/"]`) });
  await card.first().waitFor();
  const preview = card.first().locator(".picture img");
  await page.waitForFunction((image) => image.complete && image.naturalWidth > 0, await preview.elementHandle());
  await page.screenshot({ path: join(folder, "list.png") });
  const text = await card.first().innerText();
  const pictureWidth = await preview.evaluate((image) => image.naturalWidth);
  await card.first().getByRole("link", { name: "Open map" }).click();
  return { text, pictureWidth };
}

async function visitMap(page) {
  await page.waitForURL(/map\.html/);
  await settle(page);
  await picture(page, "map");
  return {
    title: await page.title(),
    url: page.url(),
    ...await scaleOf(page),
    drawn: await page.evaluate(() => globalThis.quadmosaic.traffic.drawn),
    notices: await page.locator(".notice").allInnerTexts(),
  };
}

async function scaleOf(page) {
  const line = page.locator(".ol-scale-line-inner");
  return { scale: await line.textContent(), scaleWidth: await line.evaluate((inner) => inner.getBoundingClientRect().width) };
}

async function changeStyles(page) {
  const assets = await page.locator("#assets input").evaluateAll((inputs) => inputs.map((input) => input.value));
  await page.getByRole("radio", { name: "dtm" }).check();
  await settle(page);
  await picture(page, "dtm");
  await page.getByLabel("Colours").selectOption("viridis");
  await settle(page);
  await picture(page, "dtm-viridis");
  await page.getByLabel("Lowest value").fill("-2400");
  await page.getByLabel("Highest value").fill("-2000");
  await page.getByLabel("Highest value").press("Enter");
  await settle(page);
  await picture(page, "dtm-range");
  await page.getByLabel("Lowest value").fill("abc");
  await page.getByLabel("Lowest value").press("Enter");
  const fault = await page.locator("#range-fault").isVisible();
  await page.getByRole("button", { name: "Reset" }).click();
  await page.getByLabel("Opacity").fill("40");
  await settle(page);
  await picture(page, "dtm-faint");
  await page.getByLabel("Opacity").fill("100");
  await settle(page);
  const hash = new URL(page.url()).hash;
  await page.reload();
  await settle(page);
  await picture(page, "dtm-again");
  const kept = await page.getByLabel("Colours").inputValue();
  return { assets, fault, hash, kept };
}

async function readValues(page) {
  const point = await pixelOf(page, places.delta);
  await page.mouse.move(point.x, point.y);
  const position = await page.locator("#position").innerText();
  await page.mouse.click(point.x, point.y);
  const answers = await valueRows(page);
  const place = await page.locator("#values-place").innerText();
  await page.screenshot({ path: join(folder, "values.png") });
  await page.keyboard.press("Escape");
  const closed = !(await page.locator("#values").isVisible());
  return { position, place, rows: answers, closed };
}

async function readWithKeyboard(page) {
  await page.locator("#map").focus();
  await page.keyboard.press("ArrowRight");
  await settle(page);
  await page.keyboard.press("Enter");
  const rows = await valueRows(page);
  await page.getByRole("button", { name: "Close the values" }).click();
  return { rows };
}

async function readOutside(page) {
  const point = await pixelOf(page, places.nowhere);
  await page.mouse.click(point.x, point.y);
  await page.locator('#values[aria-busy="false"]').waitFor();
  const text = await page.locator("#values-list").innerText();
  await page.keyboard.press("Escape");
  return { text };
}

async function toggleFootprints(page) {
  await picture(page, "footprints-off");
  await page.getByRole("switch", { name: /Footprints/ }).check();
  await page.waitForFunction(() => globalThis.quadmosaic.footprints.count > 0 && globalThis.quadmosaic.footprints.next === null);
  await settle(page);
  await picture(page, "footprints-on");
  const count = await page.evaluate(() => globalThis.quadmosaic.footprints.count);
  await page.getByRole("switch", { name: /Footprints/ }).uncheck();
  return { count };
}

async function readLinks(page) {
  await page.getByText("Open elsewhere").click();
  const fields = await page.locator("#links input").evaluateAll((inputs) => inputs.map((input) => [input.id.slice(5), input.value]));
  await page.getByRole("button", { name: "Copy the XYZ tiles address" }).click();
  await page.getByRole("button", { name: "Copy the XYZ tiles address" }).filter({ hasText: "Copied" }).waitFor();
  await page.screenshot({ path: join(folder, "links.png") });
  return Object.fromEntries(fields);
}

async function visitGrids(page) {
  const options = await page.locator("#grid option").evaluateAll((all) => all.map((option) => ({ id: option.title, url: option.value })));
  const seenGrids = {};
  for (const { id, url } of options) {
    if (!/^[A-Z][a-z]+(Geographic|Mercator|NorthPolar)Sphere$/.test(id) || id.includes("WebMercator")) continue;
    await page.goto(url);
    await settle(page);
    await picture(page, `grid-${id}`);
    seenGrids[id] = {
      drawn: await page.evaluate(() => globalThis.quadmosaic.traffic.drawn),
      notices: await page.locator(".notice").allInnerTexts(),
      ...await scaleOf(page),
    };
  }
  return { options: options.map(({ id }) => id), seen: seenGrids };
}

async function visitNarrow(page) {
  await page.setViewportSize({ width: 390, height: 780 });
  await page.goto(`${baseUrl}/mosaics/${mosaic}/map.html`);
  await settle(page);
  await page.screenshot({ path: join(folder, "narrow.png") });
  const overflows = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  await page.getByRole("button", { name: "Layer panel" }).click();
  await page.getByRole("radio", { name: "dtm" }).waitFor();
  await page.waitForTimeout(300);
  await page.screenshot({ path: join(folder, "narrow-panel.png") });
  await page.setViewportSize({ width: 1280, height: 800 });
  return { overflows };
}

/** Tiles that fail are told on the page, and "Try again" draws them. */
async function breakTiles(page) {
  const isTile = (url) => url.pathname.includes("/tiles/");
  await page.route(isTile, (route) => route.fulfill({
    status: 503, contentType: "application/problem+json", body: JSON.stringify({ status: 503, detail: "the bucket is <b>away</b>" }),
  }));
  await page.goto(`${baseUrl}/mosaics/${mosaic}/map.html`);
  const notice = page.getByRole("alert").filter({ hasText: "could not be drawn" });
  await notice.waitFor();
  const text = await notice.innerText();
  await page.screenshot({ path: join(folder, "failure.png") });
  await page.unroute(isTile);
  await notice.getByRole("button", { name: "Try again" }).click();
  await settle(page);
  await picture(page, "recovered");
  return { text, after: await page.getByRole("alert").filter({ hasText: "could not be drawn" }).count() };
}

/** The map alone, without what lies over it, and where the places are in it. */
async function picture(page, name) {
  seen.pixels[name] = Object.fromEntries(await Promise.all(
    Object.entries(places).map(async ([place, degrees]) => [place, await pixelOf(page, degrees)])));
  await page.screenshot({ path: join(folder, `${name}-page.png`) });
  await pictureOfMap(page, join(folder, `${name}.png`));
}

async function pixelOf(page, place) {
  return page.evaluate((degrees) => {
    const { map, toMap } = globalThis.quadmosaic;
    const pixel = map.getPixelFromCoordinate(toMap(degrees));
    if (pixel === null) return null;
    const [x, y] = pixel;
    const box = map.getTargetElement().getBoundingClientRect();
    return { x: box.left + x, y: box.top + y };
  }, place);
}

async function valueRows(page) {
  await page.locator('#values[aria-busy="false"]').waitFor();
  return page.locator("#values-list .value").evaluateAll((rows) => rows.map((row) => ({
    granule: row.dataset.granule,
    text: row.querySelector(".value-reading, .value-none, .value-error").textContent,
    isOnTop: row.classList.contains("value-drawn"),
  })));
}
