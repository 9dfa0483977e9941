/** A headless Chromium, and when the viewer in it has drawn all there is to draw. */

import { chromium } from "playwright-core";

const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--headless=new", "--disable-gpu",
  "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
const TIMEOUT = 30_000;

export function launch() {
  return chromium.launch({ executablePath: EXECUTABLE, args: FLAGS });
}

export async function openPage(browser) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT);
  return page;
}

/** Waits until nothing is on its way and the last picture is drawn. */
export async function settle(page) {
  await page.waitForFunction(() => globalThis.quadmosaic !== undefined);
  await page.evaluate(() => new Promise((done) => {
    const { map } = globalThis.quadmosaic;
    map.once("rendercomplete", done);
    map.render();
  }));
  await page.waitForFunction(() => globalThis.quadmosaic.traffic.active === 0);
  await page.waitForTimeout(350);
}

/** The map alone, without what lies over it. */
export async function pictureOfMap(page, path) {
  const setVisibility = (value) => page.evaluate((visibility) => {
    document.querySelectorAll("body > :not(#map)").forEach((part) => { part.style.visibility = visibility; });
  }, value);
  await setVisibility("hidden");
  await page.locator("#map").screenshot({ path });
  await setVisibility("");
}
