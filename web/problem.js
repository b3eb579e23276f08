// What went wrong, what to do about it, and a way to try again.

import { button, element, foreign } from "./dom.js";
import { verdictCard } from "./report.js";
import { NoAnswer, Refusal, useKey } from "./service.js";

/** Tells of `error`; `again` is done when the reader wants to try again. */
export function problem(error, again) {
  if (error.status === 401) {
    return framed("This service asks for an API key.", foreign(error.message), keyForm(again), reference(error));
  }
  const isKnown = error instanceof Refusal || error instanceof NoAnswer;
  const text = isKnown ? foreign(error.message) : "This page has failed. Load it again.";
  const retry = isKnown && !isPassing(error) ? null : element("p", "actions", button("Try again", "", again));
  return framed(title(error), text, time(error), retry, reference(error));
}

const framed = (title, text, ...further) =>
  verdictCard("alarm problem", "Not done", title, [element("p", "", text), ...further]);

/** Whether the same may work later. */
function isPassing(error) {
  return error instanceof NoAnswer || error.status === 429 || error.status >= 500;
}

function title(error) {
  if (error instanceof NoAnswer) return "The service cannot be reached.";
  if (!(error instanceof Refusal)) return "Something went wrong here.";
  if (error.status === 429) return "Too many requests for now.";
  if (error.status === 413) return "The picture is too large.";
  if (error.status === 404) return "It is not there.";
  if (error.status >= 500) return "The service could not do it.";
  return "The service does not take this.";
}

function time({ again }) {
  if (!again) return null;
  const seconds = Math.max(1, Math.round((again - Date.now()) / 1000));
  const left = seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} minutes`;
  return element("p", "", `Try again at ${again.toLocaleTimeString()}, in ${left}.`);
}

/** What to name to whoever runs the service. */
const reference = ({ code, requestId }) => requestId && element("p", "hint", `${code}, request `, foreign(requestId));

/** Asks for an API key. It is kept in this page's memory only. */
function keyForm(again) {
  const label = element("label", "", "API key");
  const input = element("input");
  label.htmlFor = input.id = "api-key";
  Object.assign(input, { type: "password", autocomplete: "off", required: true });
  const hint = element("p", "hint", "It stays in this page until you leave it, and goes to this service only.");
  const line = element("span", "", input, element("button", "", "Use this key"));
  const form = element("form", "inline", label, line, hint);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    useKey(input.value);
    again();
  });
  return form;
}
