// Speaking to the service. Addresses are relative to the page: it may stand behind a stage or another path.

/** A request that the service refused, with its reason in words. */
export class Refusal extends Error {
  constructor(status, error, retryAfter) {
    super(error?.message ?? `The service answered with status ${status}, and without a reason.`);
    this.status = status;
    this.code = error?.code ?? "";
    this.requestId = error?.requestId ?? "";
    this.details = error?.details ?? {};
    this.again = retryTime(retryAfter);
  }
}

/** No answer came. */
export class NoAnswer extends Error {}

/** From this length on an image goes as an upload at once: a gateway before the service may take no more. */
const LARGE = 4 << 20;

/** How long nothing may happen, in milliseconds. The service works on an image for 30 s at most. */
const SILENCE = 60_000;

let key = "";

/** Uses this API key until the page is left. */
export const useKey = (text) => { key = text.trim(); };

/** The report on an image. `tell` hears the share of it that was sent, of 1, and null while the service works. */
export async function verify(file, tell, signal) {
  return json(await give(file, "verify?thumbnails=true", {}, tell, signal));
}

/** The signed image, what to call it, and the id of its proof. */
export async function sign(file, says, tell) {
  const answer = await give(file, "sign", says, tell);
  return { image: answer.blob, name: signedName(file.name, answer.blob.type), proof: proofOf(answer) };
}

/** The record of a proof. */
export async function proof(id, signal) {
  return json(await send("GET", `proofs/${id}`, { headers: { Accept: "application/json" }, signal }));
}

/** The manifest store that is kept with the proof whose page this is. */
export async function manifestStore(address) {
  return (await send("GET", address, { headers: { Accept: "application/c2pa" } })).blob;
}

const json = async ({ blob }) => JSON.parse(await blob.text());

const JSON_TYPE = { "Content-Type": "application/json" };

/** Gives an image in a form, or, when it is too long for that, by the name of an upload. */
async function give(file, address, says, tell, signal) {
  const type = await typeOf(file);
  const inForm = () => send("POST", address, { body: form(file, says), tell, signal });
  if (file.size < LARGE) {
    try {
      return await inForm();
    } catch (error) {
      if (!error.details?.uploads) throw error;
    }
  }
  let uploadId;
  try {
    uploadId = await upload(file, type, tell, signal);
  } catch (error) {
    // This service takes no uploads: whatever it takes, it takes in a form.
    if (error.code === "NOT_FOUND") return inForm();
    throw error;
  }
  return send("POST", address, { body: JSON.stringify({ uploadId, ...says }), headers: JSON_TYPE, signal });
}

function form(file, says) {
  const fields = new FormData();
  for (const [name, value] of Object.entries(says)) fields.append(name, value);
  fields.append("image", file, file.name || "image");
  return fields;
}

/** The type of an image by its first bytes. A refusal here spares a long file that is none the way. */
async function typeOf(file) {
  const gone = new Refusal(400, { message: "The file cannot be read any more. Choose it again." });
  const head = await file.slice(0, 12).arrayBuffer().catch(() => { throw gone; });
  const text = String.fromCharCode(...new Uint8Array(head));
  if (text.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (text.startsWith("\x89PNG\r\n\x1a\n")) return "image/png";
  if (text.startsWith("RIFF") && text.endsWith("WEBP")) return "image/webp";
  const message = "This is not a JPEG, PNG or WebP picture. Choose another file, or save it as one of these.";
  throw new Refusal(400, { message });
}

async function upload(file, type, tell, signal) {
  const body = JSON.stringify({ contentType: type, contentLength: file.size });
  const ticket = await json(await send("POST", "uploads", { body, headers: JSON_TYPE, signal }));
  const address = new URL(ticket.url);
  // Behind a proxy that speaks TLS the service may not know the scheme of its own address.
  if (address.host === location.host) address.protocol = location.protocol;
  // The browser sets these two itself.
  const rest = Object.entries(ticket.headers).filter(([name]) => !/^(host|content-length)$/i.test(name));
  const [bytes, headers] = [file.slice(0, file.size, type), Object.fromEntries(rest)];
  await send(ticket.method, address.href, { body: bytes, headers, tell, signal, isUpload: true });
  return ticket.uploadId;
}

/** One request. Fetch does not tell how much was sent, so this is the older way. */
function send(method, address, { body = null, headers = {}, tell = () => {}, signal, isUpload = false }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    let silence = 0;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => giveUp("The service has been silent for a minute. Try again."), SILENCE);
    };
    const giveUp = (reason) => { reject(new NoAnswer(reason)); request.abort(); };
    const cancel = () => { reject(signal.reason); request.abort(); };
    request.open(method, address);
    request.responseType = "blob";
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    // An upload is allowed by its address; the key is for the service alone.
    if (key && !isUpload) request.setRequestHeader("X-API-Key", key);
    request.upload.onprogress = ({ loaded, total }) => { heard(); tell(total ? loaded / total : 0); };
    request.upload.onload = () => { heard(); tell(null); };
    request.onprogress = heard;
    request.onerror = () => reject(new NoAnswer("The service does not answer. Check your connection, then try again."));
    request.onload = () => resolve({
      status: request.status,
      blob: request.response,
      address: request.responseURL,
      header: (name) => request.getResponseHeader(name),
    });
    request.onloadend = () => { clearTimeout(silence); signal?.removeEventListener("abort", cancel); };
    if (signal?.aborted) return cancel();
    signal?.addEventListener("abort", cancel);
    heard();
    request.send(body);
  }).then(accepted);
}

async function accepted(answer) {
  if (answer.status >= 200 && answer.status < 300) return answer;
  const body = await json(answer).catch(() => null);
  throw new Refusal(answer.status, body?.error, answer.header("Retry-After"));
}

/** `Retry-After` is a number of seconds or a date (RFC 9110, section 10.2.3). */
function retryTime(text) {
  if (!text) return null;
  const at = /^\d+$/.test(text) ? new Date(Date.now() + Number(text) * 1000) : new Date(text);
  return Number.isNaN(at.getTime()) ? null : at;
}

/** A result that was fetched from elsewhere has the proof's id in its address only. */
function proofOf(answer) {
  const { searchParams, pathname } = new URL(answer.address);
  return idIn(answer.header("X-Proof-Uri") ?? searchParams.get("proof") ?? pathname);
}

/** The last thing in a text that looks like the id of a proof; empty when nothing does. */
export function idIn(text) {
  return text.match(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])/gi)?.at(-1)?.toLowerCase() ?? "";
}

const EXTENSIONS = { "image/jpeg": "jpg", "image/png": "png", "image/webp": "webp" };

function signedName(name, type) {
  return `${(name || "image").replace(/\.[^.]*$/, "")}-signed.${EXTENSIONS[type] ?? "jpg"}`;
}
