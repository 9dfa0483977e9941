/** Small pieces of page: elements from words, notices, and copying to the clipboard. */

/** An element; `text` is set as text and never as markup. */
export function element(name, { text, children = [], listeners = {}, ...attributes } = {}) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(attribute, value === true ? "" : value);
  }
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  Object.entries(listeners).forEach(([event, listener]) => made.addEventListener(event, listener));
  return made;
}

/** The element of the page with an id. */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

/** Messages at the top of the map: one per kind, with a count instead of a pile. */
export class Notices {
  constructor(container) {
    this.container = container;
    this.open = new Map();
  }

  tell(kind, text, { tone = "error", action = null } = {}) {
    const known = this.open.get(kind);
    if (known !== undefined) {
      known.count += 1;
      known.text.textContent = text;
      known.badge.textContent = `×${known.count}`;
      return;
    }
    const body = element("span", { text });
    const badge = element("span", { class: "notice-count" });
    const buttons = action === null ? [] : [button(action.label, () => { this.close(kind); action.run(); })];
    const box = element("div", {
      class: `notice notice-${tone}`,
      role: tone === "error" ? "alert" : "status",
      children: [body, badge, ...buttons, button("Dismiss", () => this.close(kind))],
    });
    this.open.set(kind, { box, text: body, badge, count: 1 });
    this.container.append(box);
  }

  close(kind) {
    this.open.get(kind)?.box.remove();
    this.open.delete(kind);
  }
}

/** Copies a text, also where the page is no secure context; whether it worked. */
export async function copyText(text, field) {
  if (globalThis.isSecureContext && navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch (error) {
      if (error.name !== "NotAllowedError") throw error;
    }
  }
  field.focus();
  field.select();
  return document.execCommand("copy");
}

function button(label, run) {
  return element("button", { type: "button", class: "quiet", text: label, listeners: { click: run } });
}
