// The report on a picture, the answer in words first.

import { button, element, facts, foreign, moment, note, part, sign, visible, visibleJson } from "./dom.js";
import { history } from "./history.js";
import { isRecovered, isUnchanged, verdict } from "./verdict.js";
import {
  actionWords, capital, check, disclosure, failureWords, person, sourceWords, spaced, trainingWords,
} from "./words.js";

/** The whole report. `picture` shows the image, where the browser can. */
export function reportParts(report, picture) {
  const parts = [disclosures, answers, failures, history, score, certificate, proof, raw];
  return [card(report, picture), ...parts.map((make) => make(report)).filter(Boolean)];
}

function card(report, picture) {
  const { tone, word, title, text } = verdict(report);
  return verdictCard(tone, word, title, [element("p", "", text)], picture);
}

/** A verdict in a frame that tells its tone by shape as well as by colour. */
export function verdictCard(tone, word, title, further, picture) {
  const heading = element("h2", "", title);
  heading.id = "answer";
  const says = element("div", "says", element("p", "word", word), heading, further);
  return element("div", `verdict ${tone}`, sign(tone), says, picture);
}

// Generative AI is told before everything else, also when only a part of the picture comes from it.
function disclosures(report) {
  const own = new Set(sourceTypes(report).map(disclosure).filter(Boolean));
  const says = report.valid || isRecovered(report) ? "says the signer" : "says a credential that is not valid";
  const lines = [...own].map((words) => [words, says]);
  if (own.size === 0 && report.ingredients.some((entry) => disclosure(entry.digitalSourceType))) {
    lines.push(["Parts of it were made with generative AI", "says its history below"]);
  }
  const shown = lines.map(([words, by]) => element("p", "", element("strong", "", words), `, ${by}.`));
  return shown.length === 0 ? null : element("div", "ai", element("span", "tag", "AI"), element("div", "", shown));
}

function answers(report) {
  const { manifest, substitution } = report;
  const alarm = substitution && facts([
    ["Credential in the picture", hash(substitution.embeddedManifestHash ?? "none")],
    ["Credential in the proof", hash(substitution.storedManifestHash)],
  ]);
  if (!manifest) return alarm;
  const list = facts([
    ["Who signed it", ...who(report)],
    ["When", ...when(report)],
    ["What was done", ...done(report)],
    ["Is it still that picture?", ...still(report)],
    ["Creator", ...creator(report)],
    ["Title", ...title(report)],
    ["Use for AI", ...training(report)],
  ]);
  return alarm ? element("div", "", alarm, part("What the credential in the picture says", list)) : list;
}

const hash = (text) => element("code", "", visible(text));

function who({ certificate, details }) {
  if (!certificate) return ["Nobody knows: there is no signature that can be read."];
  const { name, organisation } = person(certificate.subject);
  const issuer = foreign(person(certificate.issuer).name);
  const known = details.certificateValid ? ["confirmed by ", issuer, ", trusted by this service"]
    : ["says the certificate; this service does not vouch for it"];
  return [element("strong", "", foreign(name)), ...(organisation ? [", ", foreign(organisation)] : []), note(...known)];
}

// A time-stamp of a trusted authority is evidence, our own record too; what the signer says is only that.
function when(report) {
  const { certificate, proof, details, manifest } = report;
  if (certificate?.timeSource === "timestamp") {
    return [moment(certificate.evaluatedAt), note("certified by a time-stamp authority")];
  }
  if (proof && (details.proofsMatch || isRecovered(report))) {
    const ours = "says the record of this service, which signed it; there is no trusted time-stamp";
    return [moment(proof.createdAt), note(ours)];
  }
  const said = manifest.signature_info?.time ?? actions(report).map((action) => action.when).find(Boolean);
  if (!said) return ["Not known", note("there is no trusted time-stamp")];
  return [moment(said), note("says the signer; no trusted time-stamp confirms it")];
}

function done(report) {
  const items = actions(report).map(({ action, digitalSourceType, softwareAgent, description }) => {
    const agent = softwareAgent?.name ?? softwareAgent;
    const clauses = [[": ", sourceWords(digitalSourceType)], [", with ", agent], [" – ", description]];
    const shown = clauses.filter(([, text]) => typeof text === "string" && text);
    return element("li", "", foreign(actionWords(action)), shown.flatMap(([before, text]) => [before, foreign(text)]));
  });
  for (const uri of statedTypes(report)) items.push(element("li", "", "Said to be ", foreign(sourceWords(uri))));
  return items.length === 0 ? ["The credential does not say."] : [element("ul", "plain", items)];
}

function still(report) {
  const unchanged = isUnchanged(report);
  if (unchanged === null) return ["Cannot be told", note("there is no signature that holds to compare with")];
  if (!unchanged) return ["No", note("its bytes are not those that were signed")];
  return ["Yes", note(isRecovered(report) ? "but for the credential, " : "", "every byte is what was signed")];
}

function creator(report) {
  const authors = assertions(report, "stds.schema-org.CreativeWork").flatMap((work) => work.author ?? []);
  return told([...metadata(report, "dc:creator"), ...authors.map((author) => author?.name)]);
}

const title = (report) => told([...metadata(report, "dc:title"), report.manifest.title]);

function told(texts) {
  const known = [...new Set(texts.filter((text) => typeof text === "string" && text))].slice(0, 20);
  const list = known.flatMap((text, at) => (at ? [", ", foreign(text)] : [foreign(text)]));
  return known.length === 0 ? [] : [...list, note("as the signer was told; not checked")];
}

function training(report) {
  const said = ["cawg.training-mining", "c2pa.training-mining"].flatMap((label) => assertions(report, label));
  const lines = said.flatMap(({ entries }) => trainingWords(entries)).slice(0, 10);
  const items = lines.map((line) => element("li", "", foreign(line)));
  return lines.length === 0 ? [] : [element("ul", "plain", items), note("the wish of whoever had it signed")];
}

function assertions({ manifest }, label) {
  const all = Array.isArray(manifest.assertions) ? manifest.assertions : [];
  return all.filter((one) => one?.label === label && one.data && typeof one.data === "object").map((one) => one.data);
}

const metadata = (report, key) => assertions(report, "cawg.metadata").flatMap((data) => data[key] ?? []);

function actions(report) {
  const lists = ["c2pa.actions.v2", "c2pa.actions"].flatMap((label) => assertions(report, label));
  const all = lists.map((data) => data.actions).filter(Array.isArray).flat();
  return all.filter((action) => action && typeof action === "object").slice(0, 50);
}

const isText = (text) => typeof text === "string";
const statedTypes = (report) => metadata(report, "Iptc4xmpExt:DigitalSourceType").filter(isText);

function sourceTypes(report) {
  if (!report.manifest) return [];
  return [...actions(report).map((action) => action.digitalSourceType).filter(isText), ...statedTypes(report)];
}

function failures({ status }) {
  const failed = status.filter(({ kind }) => kind === "failure").slice(0, 50);
  const items = failed.map(({ code, explanation, ingredient }) => {
    const words = failureWords(code);
    const reason = words && explanation ? [" – ", foreign(explanation)] : [];
    const told = foreign(words || capital(explanation ?? "A check failed"));
    return element("li", "", told, ingredient ? " (in its history)" : "", note(hash(code), ...reason));
  });
  return items.length === 0 ? null : part("What failed", element("ul", "", items));
}

function score({ confidence, score: rows }) {
  const line = ({ check: name, points, of, reason }) => element("tr", "", header("row", check(name)),
    element("td", "points", `${points} of ${of}`), element("td", "", foreign(capital(reason))));
  const head = element("tr", "", ["Check", "Points", "Why"].map((text) => header("col", text)));
  const table = element("table", "", element("thead", "", head), element("tbody", "", rows.map(line)));
  return part(`Score: ${confidence} of 100`, table);
}

function header(scope, text) {
  const cell = element("th", "", text);
  cell.scope = scope;
  return cell;
}

function certificate({ certificate: found }) {
  if (!found) return null;
  const isStamped = found.timeSource === "timestamp";
  const source = isStamped ? "the time of the trusted time-stamp" : "now, because there is no trusted time-stamp";
  const checks = found.checks.map(({ name, result, detail }) => {
    const tone = { passed: "good", failed: "bad" }[result] ?? "none";
    const words = [element("strong", "", capital(spaced(name))), `: ${spaced(result)}`];
    return element("li", "", sign(tone), element("span", "", words, detail ? note(foreign(capital(detail))) : ""));
  });
  return part("The signer’s certificate", facts([
    ["Subject", foreign(found.subject)],
    ["Issued by", foreign(found.issuer)],
    ["Valid", moment(found.notBefore), " to ", moment(found.notAfter)],
    ["Judged at", moment(found.evaluatedAt), note(source)],
    ["Serial number", hash(found.serialNumber)],
    ["Algorithm", foreign(found.algorithm.toUpperCase())],
  ]), element("ul", "checks", checks));
}

function proof({ proof: found }) {
  if (!found) return null;
  const page = element("a", "", "Show the proof");
  page.href = `proofs/${found.id}`;
  return part("The proof that is kept here", facts([
    ["Signed", moment(found.createdAt)],
    ["Kept until", moment(found.expiresAt)],
    ["Address", foreign(found.uri)],
  ]), page);
}

function raw(report) {
  const whole = visibleJson(JSON.stringify(report, null, 2));
  const text = element("pre");
  text.tabIndex = 0;
  const said = element("span");
  said.setAttribute("role", "status");
  const copy = button("Copy", "quiet", async () => {
    const refused = "The browser does not allow it: select the text and copy it.";
    said.textContent = await navigator.clipboard.writeText(whole).then(() => "Copied.", () => refused);
  });
  const save = element("a", "button quiet", "Download");
  save.download = "report.json";
  const summary = element("summary", "", "The whole report as JSON");
  const details = element("details", "raw", summary, element("p", "actions", copy, save, said), text);
  details.addEventListener("toggle", () => {
    if (save.href) return;
    save.href = URL.createObjectURL(new Blob([whole], { type: "application/json" }));
    text.textContent = shortened(whole);
  });
  return details;
}

const MOST_SHOWN = 100_000;

// Pictures in base64 are for the copy and the download.
function shortened(json) {
  const short = json.replace(/("data": "[\w+/]{60})[\w+/=]{200,}"/g, '$1…"');
  return short.length <= MOST_SHOWN ? short : `${short.slice(0, MOST_SHOWN)}\n… The rest is in the download.`;
}
