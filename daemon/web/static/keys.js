// One key each. Letters can be switched off, for who dictates or hits them by mistake; they are never taken from a field.

const WALKS = new Set(["j", "k", "s"]);
const deeds = new Map();

export function lettersAreKeys() {
  return localStorage.getItem("letters") !== "off";
}

export function setLetters(on) {
  localStorage.setItem("letters", on ? "on" : "off");
}

/** Calls `deed` on any of these keys, such as "f", "ArrowRight" or "Shift+ArrowRight". A deed that returns false leaves the key be. */
export function onKeys(keys, deed) {
  for (const key of keys) deeds.set(key, deed);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  const field = event.target.closest("input:not([type=checkbox]), select, textarea");
  if (field) {
    if (event.key === "Escape") field.blur();
    return;
  }
  const letter = event.key.length === 1;
  if (letter && event.key !== " " && event.key !== "?" && !lettersAreKeys()) return;
  if (event.repeat && letter && !WALKS.has(event.key)) return; // a key held down labels one photo, not all that follow
  const key = letter ? event.key.toLowerCase() : (event.shiftKey ? "Shift+" : "") + event.key;
  const deed = deeds.get(key);
  if (deed && deed(event) !== false) event.preventDefault();
});
