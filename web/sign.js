// The sign page.

import { $, button, element, foreign, note, sign as symbol, size, takeFiles } from "./dom.js";
import { problem } from "./problem.js";
import { Refusal, sign } from "./service.js";

/** The pictures on the list: `{file, row, state}`; the state is `waiting`, `working`, `done` or `failed`. */
const entries = [];
let isWorking = false;

takeFiles($("file"), $("drop"), (files) => files.forEach(add));
$("sign-form").addEventListener("submit", (event) => {
  event.preventDefault();
  signAll();
});

function add(file) {
  const entry = { file, row: element("li"), state: "waiting" };
  entries.push(entry);
  $("files").append(entry.row);
  tell(entry, "Not signed yet", "none");
  refresh();
}

function remove(entry) {
  if (isWorking) return;
  entry.row.remove();
  entries.splice(entries.indexOf(entry), 1);
  refresh();
  $("file").focus();
}

const left = () => entries.filter((entry) => entry.state !== "done");

function refresh() {
  const count = left().length;
  $("sign").textContent = isWorking ? "Signing …" : count > 1 ? `Sign ${count} pictures` : "Sign";
  $("sign").disabled = isWorking || count === 0;
}

/** One after the other: the service shares its time among all who use it. */
async function signAll() {
  if (isWorking || left().length === 0) return;
  const says = Object.fromEntries([...new FormData($("sign-form"))].filter(([, value]) => value.trim?.()));
  isWorking = true;
  $("problem").replaceChildren();
  refresh();
  let stopped = null;
  for (const entry of left()) {
    stopped = await signOne(entry, says);
    if (stopped) break;
  }
  isWorking = false;
  refresh();
  report(stopped);
}

/** Signs one picture. What would stop every other one too is handed back. */
async function signOne(entry, says) {
  entry.state = "working";
  const bar = element("progress");
  bar.max = 1;
  bar.setAttribute("aria-label", `Sent of ${entry.file.name}`);
  tell(entry, "Sending …", "none", bar);
  try {
    done(entry, await sign(entry.file, says, (share) => progress(entry, bar, share)));
  } catch (error) {
    const stops = !(error instanceof Refusal) || [401, 403, 429].includes(error.status) || error.status >= 500;
    entry.state = stops ? "waiting" : "failed";
    tell(entry, stops ? "Not signed yet" : error.message, stops ? "none" : "bad");
    return stops ? error : null;
  }
  return null;
}

function progress({ row }, bar, share) {
  const isSent = share === null || share === 1;
  if (isSent) bar.removeAttribute("value");
  else bar.value = share;
  row.querySelector(".state").textContent = isSent ? "Signing …" : "Sending …";
}

function done(entry, { image, name, proof }) {
  entry.state = "done";
  const download = element("a", "button", "Download");
  download.href = URL.createObjectURL(image);
  download.download = name;
  download.setAttribute("aria-label", `Download ${name}`);
  const page = element("a", "", "Proof");
  page.href = `proofs/${proof}`;
  page.setAttribute("aria-label", `Proof of ${name}`);
  tell(entry, `Signed, ${size(image.size)}`, "good", download, proof ? page : null);
}

function tell(entry, text, tone, ...further) {
  const { file, row, state } = entry;
  const drop = ["done", "working"].includes(state) ? null : button("Remove", "quiet", () => remove(entry));
  drop?.setAttribute("aria-label", `Remove ${file.name}`);
  row.className = state;
  const name = element("span", "name", foreign(file.name || "Pasted picture"));
  row.replaceChildren(symbol(tone), element("div", "", name, note(size(file.size))),
    element("span", "state", foreign(text)), element("span", "actions", ...further, drop));
}

function report(stopped) {
  if (stopped) {
    $("said").textContent = "";
    $("problem").replaceChildren(problem(stopped, signAll));
    $("problem").querySelector("input, button")?.focus();
    return;
  }
  const signed = entries.filter((entry) => entry.state === "done").length;
  const failed = entries.filter((entry) => entry.state === "failed").length;
  const rest = failed ? `, ${failed} not: the reasons stand in the list` : "";
  $("said").textContent = `${signed} signed${rest}. Download before you leave: this service keeps no pictures.`;
}
