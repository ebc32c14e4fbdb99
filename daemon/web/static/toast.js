// Toasts: short messages about changes, with Undo; and problems, which stay until they are closed.

const container = document.getElementById("toasts");
const status = document.getElementById("status");
const TOAST_MS = 9000;

/** Announces a message to screen readers. */
export function announce(message) {
  status.textContent = "";
  requestAnimationFrame(() => { status.textContent = message; });
}

function show(message, kind) {
  const element = document.createElement("div");
  element.className = `toast ${kind}`;
  const paragraph = document.createElement("p");
  paragraph.textContent = message;
  element.append(paragraph);
  container.replaceChildren(element);
  return element;
}

function addButton(element, text, action) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.addEventListener("click", () => { element.remove(); action(); });
  element.append(button);
}

/** Shows a message for some seconds. undo: called by its button (default: no button). */
export function toast(message, undo) {
  const element = show(message, "");
  if (undo) addButton(element, "Undo", undo);
  announce(message);
  let timer;
  const startTimer = () => { timer = setTimeout(() => element.remove(), TOAST_MS); };
  element.addEventListener("pointerenter", () => clearTimeout(timer));
  element.addEventListener("focusin", () => clearTimeout(timer));
  element.addEventListener("pointerleave", startTimer);
  element.addEventListener("focusout", startTimer);
  startTimer();
}

/** Shows an error, and a line for each photo. */
export function problem(message, lines = []) {
  const element = show(message, "problem");
  element.setAttribute("role", "alert");
  if (lines.length) {
    const list = document.createElement("ul");
    for (const line of lines) list.appendChild(document.createElement("li")).textContent = line;
    element.firstChild.append(list);
  }
  addButton(element, "Close", () => {});
}
