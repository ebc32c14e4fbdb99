// On every page: the help, and forms that leave out empty parameters.

import { letterKeysOn, onKeys, setLetterKeys } from "./keys.js";

const help = document.getElementById("help");
const letters = document.getElementById("letters");

function openHelp() {
  letters.checked = letterKeysOn();
  help.showModal();
}

onKeys(["?"], openHelp);
document.getElementById("help-button")?.addEventListener("click", openHelp);
letters.addEventListener("change", () => setLetterKeys(letters.checked));

document.getElementById("filters")?.addEventListener("formdata", (event) => {
  for (const [name, value] of [...event.formData]) {
    if (!value || (name === "order" && value === "newest")) event.formData.delete(name);
  }
});
for (const field of document.querySelectorAll("#filters > .controls > select")) {
  field.addEventListener("change", () => field.form.requestSubmit());
}

const more = document.querySelector("details.more");
document.addEventListener("pointerdown", (event) => {
  if (more?.open && !more.contains(event.target)) more.open = false;
});
more?.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    more.open = false;
    more.querySelector("summary").focus();
    event.preventDefault();
    event.stopPropagation();
  }
});
