"use strict";

// Everything that comes from the service or an image is put on the page as text, never as HTML.

const $ = (id) => document.getElementById(id);
const drop = $("drop");
const fileInput = $("file");
const preview = $("preview");
const result = $("result");
const answer = $("answer");
const buttons = [$("verify"), $("sign")];

let image = null;
let previewUrl = null;
let downloadUrl = null;

fileInput.addEventListener("change", () => choose(fileInput.files[0]));
$("verify").addEventListener("click", () => work("Verifying …", verify));
$("sign-form").addEventListener("submit", (event) => {
  event.preventDefault();
  work("Signing …", sign);
});

for (const kind of ["dragenter", "dragover"]) {
  drop.addEventListener(kind, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  choose(event.dataTransfer.files[0]);
});
// A picture that misses the field must not replace the page.
for (const kind of ["dragover", "drop"]) {
  window.addEventListener(kind, (event) => event.preventDefault());
}

function choose(file) {
  image = file ?? null;
  buttons.forEach((button) => { button.disabled = image === null; });
  $("chosen").textContent = image ? `${image.name}, ${size(image.size)}` : "";
  result.hidden = true;
  if (previewUrl) URL.revokeObjectURL(previewUrl);
  previewUrl = image ? URL.createObjectURL(image) : null;
  preview.hidden = true;
  preview.onload = () => { preview.hidden = false; };
  if (previewUrl) preview.src = previewUrl;
}

async function work(message, task) {
  if (image === null) return;
  buttons.forEach((button) => { button.disabled = true; });
  show(element("p", message));
  try {
    show(...await task(image));
  } catch (error) {
    show(element("p", error instanceof Refusal ? error.message : `The service cannot be reached: ${error.message}`,
      "verdict bad"), ...(error.requestId ? [element("p", `Request ${error.requestId}`, "note")] : []));
  } finally {
    buttons.forEach((button) => { button.disabled = image === null; });
    result.focus();
  }
}

class Refusal extends Error {
  constructor(message, requestId) {
    super(message);
    this.requestId = requestId;
  }
}

async function post(path, form) {
  const response = await fetch(path, { method: "POST", body: form });
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  const message = body?.error?.message ?? `The service answered with status ${response.status}.`;
  throw new Refusal(message, body?.error?.requestId);
}

async function sign(file) {
  const form = new FormData($("sign-form"));
  form.append("image", file, file.name);
  const response = await post("sign", form);
  const signed = await response.blob();
  if (downloadUrl) URL.revokeObjectURL(downloadUrl);
  downloadUrl = URL.createObjectURL(signed);
  const download = element("a", "Download the signed image", "button");
  download.href = downloadUrl;
  download.download = fileName(response.headers.get("Content-Disposition"));
  const uri = response.headers.get("X-Proof-Uri");
  return [
    element("p", "The image is signed.", "verdict good"),
    paragraph(download),
    facts([
      ["Proof", link(uri)],
      ["Manifest store, SHA-256", response.headers.get("X-Manifest-Hash")],
      ["Size", size(signed.size)],
    ]),
  ];
}

async function verify(file) {
  const form = new FormData();
  form.append("image", file, file.name);
  const report = await (await post("verify", form)).json();
  return [
    ...verdict(report),
    element("h3", `Score: ${report.confidence} of 100`),
    scoreTable(report.score),
    ...certificate(report.certificate),
    ...proof(report.proof),
    ...findings(report.status),
    rawReport(report),
  ];
}

function verdict(report) {
  if (report.substitution) {
    const { embeddedManifestHash: embedded, storedManifestHash: stored } = report.substitution;
    const alarm = embedded
      ? "Alarm: the image carries another credential than the one that was stored for it."
      : "Alarm: the image names the proof of another picture.";
    return [
      element("p", alarm, "verdict bad"),
      facts([...(embedded ? [["Embedded", embedded]] : []), ["Stored", stored]]),
    ];
  }
  const recovered = report.status.some((status) => status.code === "com.credlink.store.recovered");
  if (report.valid && recovered) {
    return [
      element("p", "Valid, by the credential that is kept for it.", "verdict good"),
      element("p", "The image carries no credential any more. It is as it was when it was signed."),
    ];
  }
  if (report.valid && report.state === "none") {
    return [
      element("p", "Valid, by a proof of CredLink's first system.", "verdict good"),
      element("p", "The image is as it was when it was signed. The proof is no C2PA credential."),
    ];
  }
  if (report.valid && report.state === "trusted") {
    return [
      element("p", "Valid. The image is as it was when it was signed, and this service trusts the signer.", "verdict good"),
    ];
  }
  if (report.valid) {
    return [
      element("p", "Valid, but this service does not know the signer.", "verdict doubt"),
      element("p", "The image is as it was when it was signed. Who signed it is only what the certificate says."),
    ];
  }
  if (report.state === "none" && !report.details.hasManifest) {
    return [
      element("p", "No credential was found.", "verdict doubt"),
      element("p", "That says nothing for or against the picture: most pictures have none, and many services remove them."),
      ...report.proof ? [element("p", "The image still names a proof that this service keeps; see below.")] : [],
    ];
  }
  return [
    element("p", "Not valid. The image has a credential, but it does not hold.", "verdict bad"),
    element("p", "The image or its credential was changed after signing, or a check below failed."),
  ];
}

const CHECKS = {
  hasManifest: "Has a credential",
  signatureValid: "Signature and content hold",
  certificateValid: "Certificate holds",
  hasProofUri: "Names a proof",
  proofFound: "The proof is kept here",
  proofsMatch: "The credential is the one in the proof",
};

function scoreTable(rows) {
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const title of ["Check", "Points", "Why"]) {
    const cell = element("th", title);
    cell.scope = "col";
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    const name = element("th", CHECKS[row.check] ?? row.check);
    name.scope = "row";
    line.append(name, element("td", `${row.points} of ${row.of}`, "points"), element("td", row.reason));
  }
  const wide = element("div", "", "wide");
  wide.append(table);
  return wide;
}

const RESULTS = { passed: "passed", failed: "failed", notChecked: "not checked" };

function certificate(certificate) {
  if (!certificate) return [];
  const source = certificate.timeSource === "timestamp" ? "the time-stamp of the signature" : "now";
  return [
    element("h3", "Who signed"),
    facts([
      ["Name", certificate.subject],
      ["Issued by", certificate.issuer],
      ["Valid", `${time(certificate.notBefore)} to ${time(certificate.notAfter)}`],
      ["Judged at", `${time(certificate.evaluatedAt)} (${source})`],
      ["Serial number", certificate.serialNumber],
      ["Algorithm", certificate.algorithm],
      ...certificate.checks.map((check) => [
        `Check: ${check.name}`,
        `${RESULTS[check.result] ?? check.result}${check.detail ? ` – ${check.detail}` : ""}`,
      ]),
    ]),
  ];
}

function proof(proof) {
  if (!proof) return [];
  return [
    element("h3", "Proof"),
    facts([
      ["Address", link(proof.uri)],
      ["Signed", time(proof.createdAt)],
      ["Kept until", time(proof.expiresAt)],
    ]),
  ];
}

function findings(status) {
  const failures = status.filter((entry) => entry.kind === "failure");
  if (failures.length === 0) return [];
  return [
    element("h3", "What failed"),
    facts(failures.map((entry) => [entry.code, entry.explanation ?? ""])),
  ];
}

function rawReport(report) {
  const details = document.createElement("details");
  const text = element("pre", JSON.stringify(report, null, 2));
  text.tabIndex = 0;
  details.append(element("summary", "The whole report as JSON"), text);
  return details;
}

function facts(pairs) {
  const list = element("dl", "", "facts");
  for (const [name, value] of pairs) {
    const description = document.createElement("dd");
    description.append(value ?? "");
    list.append(element("dt", name), description);
  }
  return list;
}

// Only plain web addresses become links: a proof URI may come from a stranger.
function link(address) {
  if (!/^https?:\/\//i.test(address ?? "")) return address ?? "";
  const anchor = element("a", address);
  anchor.href = address;
  anchor.rel = "noreferrer";
  return anchor;
}

function fileName(disposition) {
  const encoded = /filename\*=UTF-8''([^;]+)/i.exec(disposition ?? "");
  if (encoded) return decodeURIComponent(encoded[1]);
  return /filename="([^"]*)"/i.exec(disposition ?? "")?.[1] ?? "signed";
}

function show(...nodes) {
  answer.replaceChildren(...nodes);
  result.hidden = false;
}

function element(name, text, className) {
  const node = document.createElement(name);
  if (text) node.textContent = text;
  if (className) node.className = className;
  return node;
}

function paragraph(...nodes) {
  const node = document.createElement("p");
  node.append(...nodes);
  return node;
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(0)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

function time(text) {
  return text ? text.replace("T", " ").replace(/\.\d+Z$/, " UTC") : "";
}
