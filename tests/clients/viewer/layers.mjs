/**
 * Shows each asset of a mosaic in the viewer: `node layers.mjs BASE_URL MOSAIC FOLDER`. Writes ASSET.png, the map
 * alone, and ASSET-page.png into FOLDER, and tells the assets, tiles drawn and notices on standard output, as JSON.
 */

import { join } from "node:path";
import { launch, openPage, pictureOfMap, settle } from "./browser.mjs";

const [baseUrl, mosaic, folder] = process.argv.slice(2);
const browser = await launch();
try {
  const page = await openPage(browser);
  await page.goto(`${baseUrl}/mosaics/${mosaic}/map.html`);
  await settle(page);
  const assets = await page.locator("#assets input").evaluateAll((inputs) => inputs.map((input) => input.value));
  const drawn = {};
  for (const asset of assets) {
    await page.locator(`#assets input[value="${asset}"]`).check();
    await settle(page);
    drawn[asset] = await page.evaluate(() => globalThis.quadmosaic.traffic.drawn);
    await page.screenshot({ path: join(folder, `${asset}-page.png`) });
    await pictureOfMap(page, join(folder, `${asset}.png`));
  }
  const notices = await page.locator(".notice").allInnerTexts();
  console.log(JSON.stringify({ assets, drawn, notices }));
} finally {
  await browser.close();
}
