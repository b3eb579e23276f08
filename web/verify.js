// The verify page.

import { $, element, facts, foreign, moment, size, takeFiles } from "./dom.js";
import { problem } from "./problem.js";
import { reportParts, verdictCard } from "./report.js";
import { Refusal, idIn, proof, verify } from "./service.js";

let running = new AbortController();
let preview = "";

takeFiles($("file"), $("drop"), ([file]) => check(file));
$("cancel").addEventListener("click", () => {
  running.abort();
  $("work").hidden = true;
  $("file").focus();
});
$("proof-form").addEventListener("submit", (event) => {
  event.preventDefault();
  show($("proof-id").value.trim());
});

function check(file) {
  work("Reading the picture …", async (signal) => {
    const report = await verify(file, (share) => progress(file, share), signal);
    const about = element("p", "about", foreign(file.name || "Pasted picture"), `, ${size(file.size)}`);
    return [about, ...reportParts(report, shownPicture(file))];
  }, () => check(file));
}

function progress(file, share) {
  const isSent = share === null || share === 1;
  $("work-text").textContent = isSent ? "Checking …" : `Sending ${size(file.size)} …`;
  if (isSent) $("work-bar").removeAttribute("value");
  else $("work-bar").value = share;
}

function shownPicture(file) {
  URL.revokeObjectURL(preview);
  preview = URL.createObjectURL(file);
  const picture = element("img", "picture");
  picture.alt = "The picture that was checked";
  picture.onerror = () => picture.remove();
  picture.src = preview;
  return picture;
}

function show(text) {
  const id = idIn(text);
  const wrong = id ? "" : "A proof’s id looks like 123e4567-e89b-42d3-a456-426614174000; its address ends with one.";
  $("proof-error").textContent = wrong;
  $("proof-id").setAttribute("aria-invalid", String(Boolean(wrong)));
  if (wrong) return $("proof-id").focus();
  work("Looking for the proof …", async (signal) => {
    try {
      return record(await proof(id, signal));
    } catch (error) {
      throw elsewhere(error, text);
    }
  }, () => show(text));
}

/** No address of a stranger is followed. Where one was given, the reader is told whom to ask. */
function elsewhere(error, text) {
  const host = /^https?:\/\/([^/]+)/i.exec(text)?.[1];
  if (error.status !== 404 || !host || host === location.host) return error;
  const message = `This service keeps no such proof. Its address belongs to ${host}: open it there, if you trust it.`;
  return new Refusal(404, { message });
}

function record(found) {
  const page = element("a", "button quiet", "Open its page");
  page.href = `proofs/${found.id}`;
  const text = "This service signed a picture and keeps the record of it. Yours may be another one.";
  return [verdictCard("again", "Proof", "There is such a proof.", [element("p", "", text)]), facts([
    ["Signed", moment(found.createdAt)],
    ["Kept until", moment(found.expiresAt)],
    ["Address", foreign(found.uri)],
  ]), page];
}

/** Does a task that ends in something to show. A newer one takes its place. */
async function work(text, task, again) {
  running.abort();
  const own = running = new AbortController();
  document.body.classList.add("answered");
  $("result").hidden = true;
  $("work").hidden = false;
  $("work-text").textContent = text;
  $("work-bar").removeAttribute("value");
  let shown;
  try {
    shown = await task(own.signal);
  } catch (error) {
    shown = [problem(error, again)];
  }
  if (own.signal.aborted) return;
  $("work").hidden = true;
  $("result").replaceChildren(...shown);
  $("result").hidden = false;
  $("result").focus();
}
