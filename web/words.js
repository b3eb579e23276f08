// Plain words for the terms of C2PA, IPTC and CAWG.

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Many terms are words but for their form: `color_adjustments`, `keyUsage`. */
export const spaced = (term) => term.replace(/[._]+|(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();

const ACTIONS = {
  "c2pa.opened": "Opened an existing picture",
  "c2pa.placed": "Placed another picture into it",
  "c2pa.removed": "Took out a part",
  "c2pa.unknown": "Did something that is not named",
};

/** What an action did. */
export const actionWords = (term) => ACTIONS[term] ?? capital(spaced(String(term ?? "").replace(/^c2pa\./, "")));

const SOURCES = {
  algorithmicMedia: "computed, without a trained model",
  algorithmicallyEnhanced: "enhanced by an algorithm",
  composite: "a composite of several pictures",
  compositeWithTrainedAlgorithmicMedia: "edited or composed with generative AI",
  computationalCapture: "a photograph computed from several exposures",
  digitalCapture: "a photograph from a digital camera",
  digitalCreation: "drawn or painted with software",
  humanEdits: "edited by a person",
  negativeFilm: "a scan of a negative",
  positiveFilm: "a scan of a slide",
  print: "a scan of a print",
  screenCapture: "a screenshot",
  trainedAlgorithmicMedia: "made by generative AI",
};

const sourceTerm = (uri) => String(uri ?? "").split("/").pop();

/** What kind of picture it is, in a clause; empty when nothing is said. */
export const sourceWords = (uri) => SOURCES[sourceTerm(uri)] ?? spaced(sourceTerm(uri));

const MODELS = {
  trainedAlgorithmicMedia: "Made by generative AI",
  trainedAlgorithmicData: "Made by generative AI",
  compositeWithTrainedAlgorithmicMedia: "Edited or composed with generative AI",
  compositeSynthetic: "Composed with synthetic parts",
};

/** What a source type discloses about generative AI; empty when it discloses nothing. */
export const disclosure = (uri) => MODELS[sourceTerm(uri)] ?? "";

const USES = { ai_training: "training AI models", ai_generative_training: "training generative AI" };
const PERMISSIONS = { notAllowed: "not allowed", constrained: "only after asking" };

/** The entries of a training preference, those of equal permission together. */
export function trainingWords(entries) {
  const byPermission = new Map();
  for (const [label, entry] of Object.entries(entries ?? {})) {
    const permission = PERMISSIONS[entry?.use] ?? String(entry?.use);
    const use = label.split(".").pop();
    byPermission.set(permission, [...(byPermission.get(permission) ?? []), USES[use] ?? spaced(use)]);
  }
  return [...byPermission].map(([permission, uses]) => capital(`${uses.join(", ")}: ${permission}`));
}

const CHECKS = {
  hasManifest: "It has a credential",
  signatureValid: "Signature and picture hold",
  certificateValid: "The certificate holds",
  hasProofUri: "It names a proof",
  proofFound: "The proof is kept here",
  proofsMatch: "It is the credential of that proof",
};
export const check = (name) => CHECKS[name] ?? name;

export const RELATIONS = { parentOf: "the picture was made from it", componentOf: "placed into the picture" };

const CHANGED = "The picture’s bytes are not those that were signed.";
const FORGED = "The signature does not belong to this credential.";
const FAILURES = {
  "assertion.dataHash.mismatch": CHANGED,
  "assertion.hashedURI.mismatch": "A statement in the credential is not the one that was signed.",
  "claimSignature.mismatch": FORGED,
  "claimSignature.outsideValidity": "Nothing shows that the certificate was valid when it signed.",
  "signingCredential.untrusted": "The signer’s certificate leads to nobody whom this service trusts.",
  "signingCredential.ocsp.revoked": "The signer’s certificate was revoked.",
  "com.credlink.store.altered": "It names a proof of this service, but is not what was written for it.",
  "com.credlink.store.damaged": "The credential in the file is damaged.",
  "com.credlink.legacy.content.mismatch": CHANGED,
  "com.credlink.legacy.signature.mismatch": FORGED,
};

/** What a failure means; empty where the service's own explanation has to do. */
export const failureWords = (code) => FAILURES[code] ?? "";

/** The common name and the organisation in a name as RFC 4514 writes it. */
export function person(text) {
  const parts = {};
  const pairs = text.matchAll(/(?:^|,\s*)([\w.]+)=((?:\\.|[^,\\])*)/g);
  for (const [, type, value] of pairs) parts[type] ??= value.replace(/\\(.)/g, "$1");
  return { name: parts.CN ?? parts.O ?? text, organisation: parts.CN && parts.O };
}
