// The model page: buttons, and the progress of a running job.

import { explainMissing } from "./missing.js";
import { postOnce } from "./post.js";
import { request } from "./request.js";
import { saveToast, showSavedToast } from "./changes.js";
import { announce, problem } from "./toast.js";

const POLL_MS = 2000;
const ENDED = "job-ended"; // in this tab, with the last load
const job = document.getElementById("job");
const dialog = document.getElementById("confirm");
const main = document.querySelector("main");

/** Asks whether to go on; calls `then` if so. */
function confirm(title, text, yes, then) {
  document.getElementById("confirm-title").textContent = title;
  document.getElementById("confirm-text").textContent = text;
  document.getElementById("confirm-yes").textContent = yes;
  dialog.returnValue = "";
  dialog.onclose = () => dialog.returnValue === "yes" && then();
  dialog.showModal();
}

async function send(path, body) {
  const buttons = [...main.querySelectorAll("button[data-action]:not(:disabled)")];
  for (const button of buttons) button.disabled = true;
  try {
    const { message } = await postOnce(path, body);
    if (message) saveToast(`${message}.`, false);
    location.reload();
  } catch (error) {
    for (const button of buttons) button.disabled = false;
    problem(error.message);
  }
}

function promote({ name, force }) {
  const put = () => send("/model/promote", { name, force: force === "1" });
  if (force !== "1") put();
  else confirm("Put live anyway?", "Its verdict does not recommend it. New photos will be sorted by it, until you take it back.", "Put live", put);
}

const actions = {
  learn: () => send("/model/learn", {}),
  preview: () => send("/model/preview", {}),
  resort: () => send("/model/resort", {}),
  promote,
  rollback: () => confirm(
    "Take the live model back?",
    "New photos will be sorted by the model before it. Photos that it has sorted stay where they are.",
    "Take back",
    () => send("/model/rollback", {}),
  ),
  undo: ({ batch }) => confirm(
    "Undo re-sorting?",
    "Its photos get their earlier labels and move back, except those that a person has labelled or that were sorted again since.",
    "Undo re-sorting",
    () => send("/model/undo", { batch: Number(batch) }),
  ),
};
main.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button) actions[button.dataset.action](button.dataset);
});

/** Shows the progress of a job, and the page anew once it has ended. */
async function poll() {
  let state;
  try {
    const response = await request("/model/job");
    if (!response.ok) throw new Error(await response.text());
    state = await response.json();
  } catch (error) {
    document.getElementById("job-text").textContent = error.message;
    setTimeout(poll, POLL_MS);
    return;
  }
  if (!state.running) {
    sessionStorage.setItem(ENDED, "1");
    location.reload();
    return;
  }
  document.getElementById("job-text").textContent = state.text;
  setTimeout(poll, POLL_MS);
}

if (job.dataset.running === "1") setTimeout(poll, POLL_MS);
if (job.dataset.running === "1" || sessionStorage.getItem(ENDED)) {
  announce(document.getElementById("job-text").textContent);
  sessionStorage.removeItem(ENDED);
}
showSavedToast();
explainMissing(main);
