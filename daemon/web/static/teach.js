// Teach: one photo after another, each with one key. The page shows nothing of the model's labels.

import { answer, leave, undoAnswer } from "./changes.js";
import { onKeys } from "./keys.js";
import { explainMissing } from "./missing.js";
import { announce, toast } from "./toast.js";

const AHEAD = 2; // photos that are loaded before they are shown
const teach = document.getElementById("teach");
const questions = teach ? [...document.getElementById("questions").children] : [];
const buttons = teach?.querySelector(".actions");
const skipped = (teach?.dataset.skipped || "").split(",").filter(Boolean);
const past = []; // the steps, newest last: position, whether it was skipped, and the labels that the answer gave
let current = 0;

const idOf = (question) => Number(question.dataset.id);

function load(position) {
  const image = questions[position]?.querySelector("img[data-src]");
  if (!image) return;
  image.src = image.dataset.src;
  image.removeAttribute("data-src");
}

function show(position) {
  current = position;
  questions.forEach((question, index) => { question.hidden = index !== position; });
  for (let ahead = 0; ahead <= AHEAD; ahead += 1) load(position + ahead);
  const number = Math.min(position + 1, questions.length);
  document.getElementById("position").textContent = `${number} of ${questions.length}`;
  document.getElementById("progress").value = position;
  buttons.querySelector("[data-action=undo]").disabled = !past.length;
  const again = questions[position]?.querySelector(".again")?.textContent.trim();
  if (position < questions.length) announce(`Photo ${number} of ${questions.length}. ${again || ""}`);
  else finish();
}

/** Goes to the result once all answers have reached the server. */
function finish() {
  buttons.ariaBusy = "true";
  leave(() => {
    if (current < questions.length) return;
    const left = past.filter((step) => step.skipped).map((step) => idOf(questions[step.position]));
    const answered = past.filter((step) => !step.skipped).map((step) => idOf(questions[step.position]));
    const skip = [...skipped, ...left].join(",");
    if (answered.length) location.replace(`/teach/result?ids=${answered.join(",")}${skip && `&skip=${skip}`}`);
    else location.replace(`/teach${skip && `?skip=${skip}`}`);
  });
}

function label(name) {
  const question = questions[current];
  if (!question) return;
  const step = { position: current, skipped: false, labels: [] };
  past.push(step);
  // Before the next photo is shown: after the last one, the page is left as soon as all answers are there.
  answer(idOf(question), name, question.dataset.earlier ? Number(question.dataset.earlier) : null).then((result) => {
    step.skipped = !result?.done.length; // the reason is shown, and a later set asks again
    step.labels = result?.labels || [];
  });
  show(current + 1);
}

function skip() {
  if (!questions[current]) return;
  past.push({ position: current, skipped: true, labels: [] });
  show(current + 1);
}

function undo() {
  const step = past.pop();
  if (!step) {
    toast("There is nothing to undo.");
    return;
  }
  buttons.ariaBusy = "false";
  undoAnswer(() => step.labels);
  show(step.position);
}

const actions = { food: () => label("food"), non_food: () => label("non_food"), skip, undo };
buttons?.addEventListener("click", (event) => actions[event.target.closest("button")?.dataset.action]?.());

if (teach) {
  onKeys(["f"], actions.food);
  onKeys(["n"], actions.non_food);
  onKeys(["s", " "], (event) => (event.target.closest("button, a, summary") && event.key === " " ? false : skip()));
  onKeys(["u"], undo);
  explainMissing(document.getElementById("questions"));
  show(0);
}
