// Keyboard shortcuts. Letters can be switched off, for people who dictate or hit them by mistake. Fields keep their
// letters.

const REPEATABLE = new Set(["j", "k", "s"]);
const actions = new Map();

export function letterKeysOn() {
  return localStorage.getItem("letters") !== "off";
}

export function setLetterKeys(on) {
  localStorage.setItem("letters", on ? "on" : "off");
}

/**
 * Calls `action` on any of these keys, such as "f", "ArrowRight" or "Shift+ArrowRight". If it returns false, the browser
 * handles the key.
 */
export function onKeys(keys, action) {
  for (const key of keys) actions.set(key, action);
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  const field = event.target.closest("input:not([type=checkbox]), select, textarea");
  if (field) {
    if (event.key === "Escape") field.blur();
    return;
  }
  const isLetter = event.key.length === 1;
  if (isLetter && event.key !== " " && event.key !== "?" && !letterKeysOn()) return;
  if (event.repeat && isLetter && !REPEATABLE.has(event.key)) return; // a key that is held down labels only one photo
  const key = isLetter ? event.key.toLowerCase() : (event.shiftKey ? "Shift+" : "") + event.key;
  const action = actions.get(key);
  if (action && action(event) !== false) event.preventDefault();
});
