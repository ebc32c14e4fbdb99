// Short words about what was done, with a way back; and what went wrong, which stays until it is read.

const place = document.getElementById("toasts");
const status = document.getElementById("status");
const LASTS_MS = 9000;

/** Has a screen reader say something when it comes to it. */
export function announce(words) {
  status.textContent = "";
  requestAnimationFrame(() => { status.textContent = words; });
}

function made(words, kind) {
  const toast = document.createElement("div");
  toast.className = `toast ${kind}`;
  const said = document.createElement("p");
  said.textContent = words;
  toast.append(said);
  place.replaceChildren(toast);
  return toast;
}

function button(toast, words, deed) {
  const one = document.createElement("button");
  one.type = "button";
  one.textContent = words;
  one.addEventListener("click", () => { toast.remove(); deed(); });
  toast.append(one);
}

export function toast(words, undo) {
  const one = made(words, "");
  if (undo) button(one, "Undo", undo);
  announce(words);
  let timer;
  const leave = () => { timer = setTimeout(() => one.remove(), LASTS_MS); };
  one.addEventListener("pointerenter", () => clearTimeout(timer));
  one.addEventListener("focusin", () => clearTimeout(timer));
  one.addEventListener("pointerleave", leave);
  one.addEventListener("focusout", leave);
  leave();
}

/** What could not be done, and to which photo. */
export function problem(words, each = []) {
  const one = made(words, "problem");
  one.setAttribute("role", "alert");
  if (each.length) {
    const list = document.createElement("ul");
    for (const said of each) list.appendChild(document.createElement("li")).textContent = said;
    one.firstChild.append(list);
  }
  button(one, "Close", () => {});
}
