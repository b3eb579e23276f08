// What a report amounts to: a tone, a word for it, one sentence, and what follows from it.

/** The verdict on a report: `{tone, word, title, text}`. */
export function verdict(report) {
  const all = facts(report);
  const [, tone, word, title, text] = KINDS.find(([holds]) => holds(all));
  return { tone, word, title, text };
}

/** Whether the picture itself is what was signed: true, false, or null when that cannot be told. */
export function isUnchanged(report) {
  const { has, failed } = facts(report);
  if (failed(...CHANGED)) return false;
  const isBound = has("success", "assertion.dataHash.match") && has("success", "claimSignature.validated");
  return report.details.signatureValid || isBound ? true : null;
}

/** Whether the credential that was judged is the one that is kept, because the file has none that can be read. */
export const isRecovered = ({ status }) => status.some(({ code }) => code === "com.credlink.store.recovered");

const CHANGED = ["assertion.dataHash.mismatch", "com.credlink.legacy.content.mismatch"];

function facts(report) {
  const active = report.status.filter(({ ingredient }) => !ingredient);
  const has = (kind, code) => active.some((one) => one.kind === kind && one.code === code);
  const failures = new Set(active.filter(({ kind }) => kind === "failure").map(({ code }) => code));
  return {
    report, has, failures,
    valid: report.valid,
    holds: report.details.signatureValid,
    recovered: isRecovered(report),
    failed: (...codes) => codes.some((code) => failures.has(code)),
    only: (code) => failures.size === 1 && failures.has(code),
    badHistory: report.status.some(({ ingredient, kind }) => ingredient && kind === "failure"),
  };
}

/** The first that holds is the verdict. */
const KINDS = [
  [({ report }) => report.substitution?.embeddedManifestHash,
    "alarm", "Alarm", "This is not the credential that was made for this picture.",
    "It names a proof that is kept here, but carries another credential than that. Do not rely on anything it says."],
  [({ report }) => report.substitution,
    "alarm", "Alarm", "This picture uses the proof of another picture.",
    "The proof that it names was made here, for a picture that looks different. Do not rely on anything it says."],
  [({ report, valid, recovered }) => valid && recovered && !report.extraction.corrupted,
    "again", "Known here", "This is the very file that was signed here.",
    "It has no credential, because it is the file from before it was signed. The proof of that is kept here."],
  [({ valid, recovered }) => valid && recovered,
    "again", "Recovered", "The credential was removed, but it is kept here, and it fits.",
    "Put back in its place, it holds: the picture itself is what was signed."],
  [({ report, valid }) => valid && report.state === "none",
    "good", "Intact", "The picture is what was signed.",
    "Its proof is of CredLink’s first system, and no C2PA credential: only this service can check it."],
  [({ valid }) => valid,
    "good", "Intact", "The picture is what was signed, and the signer is known.",
    "Its credential holds in every check that was made."],
  [({ recovered, only }) => recovered && only("com.credlink.store.damaged"),
    "doubt", "Damaged", "The credential is damaged, the picture is not.",
    "With the credential that is kept here, it is what was signed. A file with a broken one is not valid all the same."],
  [({ recovered, failed }) => recovered && failed(...CHANGED),
    "doubt", "Changed", "The picture was changed or saved again after it was signed.",
    "Its credential is gone. The one that is kept here is of a picture that looks the same, but not of these bytes."],
  [({ holds, only }) => holds && only("signingCredential.untrusted"),
    "doubt", "Signer unknown", "The picture is what was signed, but nobody here knows by whom.",
    "The signature holds. The name in it is what the signer wrote: nobody whom this service trusts confirms it."],
  [({ failed }) => failed(...CHANGED),
    "bad", "Not valid", "The picture was changed after it was signed.",
    "It has a credential, but not for what it shows now."],
  [({ failed }) => failed("signingCredential.ocsp.revoked"),
    "bad", "Not valid", "The signer’s certificate was revoked.",
    "Whoever issued it has taken it back. Do not rely on the signature."],
  [({ holds, only }) => holds && only("claimSignature.outsideValidity"),
    "bad", "Not valid", "The certificate has expired, and nothing shows that it was valid when it signed.",
    "The picture fits its signature. A trusted time-stamp would prove when it was made; there is none."],
  [({ holds, badHistory, failures }) => holds && badHistory && failures.size === 0,
    "bad", "Not valid", "The picture is what was signed, but its history does not hold.",
    "A credential that it was made from is broken. Which one stands below."],
  [({ report }) => report.details.hasManifest,
    "bad", "Not valid", "The picture has a credential, but it does not hold.",
    "The checks that failed stand below."],
  [({ report }) => report.proof,
    "doubt", "Not certain", "The picture names a proof, but whether it is its own cannot be told.",
    "It has no credential that can be read, and cannot be compared with the picture that was signed."],
  [({ report }) => report.extraction.source !== "none" || report.details.hasProofUri,
    "doubt", "Remains", "There was a credential, but it cannot be read any more.",
    "What is left of it proves nothing, for or against the picture."],
  [() => true,
    "none", "No credential", "This picture carries no credential.",
    "That says nothing for or against it: most pictures have none, and many services remove them."],
];
