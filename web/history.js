// The history of a picture: what it was made from, and those in turn, as a tree with pictures where there are some.

import { element, foreign, moment, note, part, sign } from "./dom.js";
import { RELATIONS, capital, disclosure, sourceWords } from "./words.js";

/** The tree; null when the picture has no history. */
export function history({ ingredients, manifest }) {
  if (ingredients.length === 0) return null;
  const byOwner = new Map();
  for (const entry of ingredients) byOwner.set(entry.ingredientOf, [...(byOwner.get(entry.ingredientOf) ?? []), entry]);
  const tree = branch(byOwner, manifest?.label ?? ingredients[0].ingredientOf, new Set());
  return part("What it was made from", tree);
}

/** Every manifest is shown with its own history once: a crafted one may name itself. */
function branch(byOwner, owner, seen) {
  const entries = seen.has(owner) ? [] : byOwner.get(owner) ?? [];
  seen.add(owner);
  if (entries.length === 0) return null;
  const below = ({ manifest }) => manifest && branch(byOwner, manifest, seen);
  return element("ul", "tree", entries.map((entry) => element("li", "", leaf(entry), below(entry))));
}

function leaf(entry) {
  const { title, relationship, digitalSourceType: source, issuer, signedAt } = entry;
  return element("div", "leaf", thumbnail(entry.thumbnail), element("div", "",
    element("p", "name", foreign(title || "Without a title"), note(foreign(RELATIONS[relationship] ?? relationship))),
    element("p", "", ...state(entry)),
    source && element("p", disclosure(source) && "name", foreign(capital(sourceWords(source)))),
    issuer && element("p", "note", "Signed by ", foreign(issuer), signedAt ? [", ", moment(signedAt)] : [])));
}

function state({ manifest, validationState, failures }) {
  if (!manifest) return [sign("none"), "Had no credential"];
  const reasons = failures.slice(0, 5).join(", ");
  if (reasons || validationState === "invalid") return [sign("bad"), "Its credential did not hold. ", foreign(reasons)];
  return [sign("good"), "Its credential held", validationState === "trusted" ? ", from a trusted signer" : ""];
}

/** The service tells the type by the bytes, and only types that browsers show as pictures. */
function thumbnail(found) {
  if (!found) return element("span", "thumbnail");
  const picture = element("img", "thumbnail");
  const bytes = Uint8Array.from(atob(found.data), (c) => c.charCodeAt(0));
  const address = URL.createObjectURL(new Blob([bytes], { type: found.contentType }));
  picture.alt = "";
  picture.onload = picture.onerror = () => URL.revokeObjectURL(address);
  picture.src = address;
  return picture;
}
