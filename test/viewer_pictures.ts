/**
 * The pictures of the viewer in the documentation: `bun test/viewer_pictures.ts RESULT PICTURE.jpg [KEY…]` opens a
 * result in Chromium, presses the keys and keeps what is seen.
 */

import { serveViewer } from "../src/viewer/server";
import { findResults } from "../src/viewer/worklist";
import { openBrowser, until } from "./browser_rig";

const [result = "", path = "", ...keys] = process.argv.slice(2);
const server = await serveViewer(findResults([result]));
const browser = await openBrowser();
if (typeof browser === "string") throw new Error(browser);
try {
  const page = await browser.newPage();
  await page.setViewportSize({ width: 1280, height: 720 });
  await page.goto(server.url);
  await until(page, `document.querySelector("#lesions li[aria-current=true]")`, 120);
  for (const key of keys) {
    await page.keyboard.press(key);
    await Bun.sleep(1500);
  }
  await Bun.sleep(1500);
  await page.screenshot({ path, type: "jpeg", quality: 84 });
} finally {
  await browser.close();
  await server.stop();
}
