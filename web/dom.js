// Building the page. What comes from an image or the service is put there as text, never as HTML.

export const $ = (id) => document.getElementById(id);

/** An element with a class and children; strings become text, empty ones are left out. */
export function element(name, className, ...children) {
  const node = document.createElement(name);
  if (className) node.className = className;
  node.append(...children.flat().filter(Boolean));
  return node;
}

/** A button. */
export function button(text, className, act) {
  const node = element("button", className, text);
  node.type = "button";
  node.addEventListener("click", act);
  return node;
}

const SHOWN = 280;

/** Text of a stranger: it turns nothing around that stands beside it, and a long one is cut until asked for. */
export function foreign(text) {
  const whole = visible(String(text ?? ""));
  if (whole.length <= SHOWN) return element("bdi", "", whole);
  const shown = element("bdi", "", `${whole.slice(0, SHOWN)}…`);
  const more = button(`Show all ${whole.length} characters`, "more", () => {
    shown.textContent = whole;
    more.remove();
    shown.tabIndex = -1;
    shown.focus();
  });
  return element("span", "", shown, " ", more);
}

const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

const number = (c) => c.charCodeAt(0).toString(16).padStart(4, "0");

/** Characters that do not show, or turn text around, by their number. */
export const visible = (text) => text.replace(UNSEEN, (c) => `⟨U+${number(c).toUpperCase()}⟩`);

/** The same in JSON text, which stays JSON. */
export const visibleJson = (text) => text.replace(UNSEEN, (c) => `\\u${number(c)}`);

/** A remark on what stands before it. */
export const note = (...text) => element("span", "note", ...text);

/** A list of names and values; a pair without a value is left out. */
export function facts(pairs) {
  const row = ([name, ...value]) => element("div", "", element("dt", "", name), element("dd", "", value));
  return element("dl", "facts", pairs.filter(([, value]) => value).map(row));
}

/** A heading with what belongs under it. */
export function part(title, ...children) {
  return element("section", "part", element("h3", "", title), ...children);
}

/** A moment: in the reader's words and zone, with UTC beside it. */
export function moment(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return foreign(text);
  const time = { hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
  const date = { year: "numeric", month: "long", day: "numeric" };
  const node = element("time", "", at.toLocaleString(undefined, { ...date, ...time }));
  node.dateTime = at.toISOString();
  if (at.getTimezoneOffset() !== 0) {
    const isSameDay = at.getUTCDate() === at.getDate();
    const utc = at.toLocaleString(undefined, { ...(isSameDay ? {} : date), ...time, timeZone: "UTC" });
    node.append(element("span", "utc", ` (${utc})`));
  }
  return node;
}

/** A length in bytes, in words. */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

const PATHS = {
  good: "M6 12.5l4 4 8-9",
  bad: "M7 7l10 10M17 7L7 17",
  doubt: "M9 9.2a3 3 0 1 1 4.4 2.6c-1 .6-1.4 1.1-1.4 2.2M12 17.4v.2",
  none: "M7 12h10",
  alarm: "M12 6v7.5M12 17.4v.2",
  again: "M17.5 9A6 6 0 1 0 18 13M18 5.5V9.5H14",
};

/** A sign that tells a tone by its shape. Words beside it say the same, so it is silent. */
export function sign(tone) {
  const [svg, path] = ["svg", "path"].map((name) => document.createElementNS("http://www.w3.org/2000/svg", name));
  const says = { viewBox: "0 0 24 24", class: `sign ${tone}`, "aria-hidden": "true" };
  for (const [name, value] of Object.entries(says)) svg.setAttribute(name, value);
  path.setAttribute("d", PATHS[tone.split(" ")[0]]);
  svg.append(path);
  return svg;
}

/** Takes pictures that are chosen, dropped anywhere on the page, or pasted. */
export function takeFiles(input, drop, take) {
  const given = (list) => { if (list?.length > 0) take([...list]); };
  input.addEventListener("change", () => { given(input.files); input.value = ""; });
  window.addEventListener("paste", (event) => given(event.clipboardData?.files));
  let depth = 0;
  const over = (change) => { depth = Math.max(0, depth + change); drop.classList.toggle("over", depth > 0); };
  window.addEventListener("dragenter", () => over(1));
  window.addEventListener("dragleave", () => over(-1));
  // Without this, a picture that is dropped takes the place of the page.
  window.addEventListener("dragover", (event) => event.preventDefault());
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    over(-depth);
    given(event.dataTransfer?.files);
  });
}
