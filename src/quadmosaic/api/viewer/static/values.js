/** What each granule says at a place, in the mosaic's order. */

import { byId, element } from "./elements.js";
import { problemText } from "./tiles.js";

/** The panel of values; a new question calls the former one off. */
export class Values {
  constructor({ onHover, onClose }) {
    this.panel = byId("values");
    this.list = byId("values-list");
    this.asked = null;
    this.onHover = onHover;
    byId("values-close").addEventListener("click", () => {
      this.close();
      onClose();
    });
  }

  async ask(url, { heading, asset }) {
    this.asked?.abort();
    const asked = new AbortController();
    this.asked = asked;
    this.panel.hidden = false;
    this.panel.setAttribute("aria-busy", "true");
    byId("values-place").textContent = heading;
    byId("values-asset").textContent = asset;
    this.list.replaceChildren(element("li", { class: "value-note", text: "Reading…" }));
    try {
      const response = await fetch(url, { signal: asked.signal });
      if (!response.ok) throw new Error(await problemText(response));
      this.show((await response.json()).values);
    } catch (error) {
      if (error.name === "AbortError") return;
      this.list.replaceChildren(element("li", { class: "value-note value-error", role: "alert", text: error.message }));
    }
    this.panel.setAttribute("aria-busy", "false");
  }

  show(values) {
    const drawn = values.findIndex((entry) => entry.values !== null && !entry.error);
    const rows = values.map((entry, index) => this.row(entry, { number: index + 1, isDrawn: index === drawn }));
    const nothing = element("li", { class: "value-note", text: "No granule covers this place." });
    this.list.replaceChildren(...(rows.length > 0 ? rows : [nothing]));
  }

  close() {
    this.asked?.abort();
    this.panel.hidden = true;
    this.onHover(null);
  }

  row({ granule, bands, values, error }, { number, isDrawn }) {
    const reading = error
      ? element("span", { class: "value-error", text: error })
      : element("span", { class: values === null ? "value-none" : "value-reading", text: readingText(bands, values) });
    const enter = () => this.onHover(granule);
    const leave = () => this.onHover(null);
    return element("li", {
      class: isDrawn ? "value value-drawn" : "value",
      tabindex: "0",
      "data-granule": granule,
      listeners: { mouseenter: enter, mouseleave: leave, focus: enter, blur: leave },
      children: [
        element("span", { class: "value-number", text: String(number) }),
        element("span", { class: "value-id", text: granule.replaceAll("__", "\u200b__") }),
        reading,
        ...(isDrawn ? [element("span", { class: "value-tag", text: "on top" })] : []),
      ],
    });
  }
}

function readingText(bands, values) {
  if (values === null) return "no data";
  const texts = values.map((value) => (value === null ? "–" : String(Number(value.toPrecision(9)))));
  return texts.length === 1 ? texts[0] : texts.map((text, index) => `${bands[index] ?? `b${index + 1}`} ${text}`).join("   ");
}
