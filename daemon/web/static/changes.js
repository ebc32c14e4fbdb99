// What was changed in this tab, newest last, so that it can be undone on whichever page one is.

import { post } from "./post.js";
import { problem, toast } from "./toast.js";

const DONE = "done";
const MOST = 200;

function read(name) {
  return JSON.parse(sessionStorage.getItem(name) || "[]");
}

function remember(ids) {
  sessionStorage.setItem(DONE, JSON.stringify([...read(DONE), ids].slice(-MOST)));
}

export function touched() {
  return read("touched");
}

function touch(ids) {
  sessionStorage.setItem("touched", JSON.stringify([...new Set([...touched(), ...ids])].slice(-MOST)));
}

/** Shows a toast on the page that comes next. */
export function later(words, undoable) {
  sessionStorage.setItem("later", JSON.stringify({ words, undoable }));
}

export function sayLater(undo) {
  const { words, undoable } = JSON.parse(sessionStorage.getItem("later") || "{}");
  sessionStorage.removeItem("later");
  if (words) toast(words, undoable ? undo : undefined);
}

function told({ problems, done }) {
  if (problems.length) problem(done.length ? `${problems.length} stay as they were:` : "That could not be done:", problems);
}

/** Labels photos; answers {done, said, problems}, or null when it failed as a whole, which is said. */
export async function label(ids, name, each) {
  return changed("/label", ids, { label: name }, each, (done) => remember(done));
}

/** Takes back what was changed last, or the labels of these photos. Answers as `label` does, and null when there is nothing. */
export async function undo(each, ids) {
  const stack = read(DONE);
  const last = ids || stack.pop();
  if (!last) {
    toast("There is nothing to undo.");
    return null;
  }
  if (!ids) sessionStorage.setItem(DONE, JSON.stringify(stack));
  return changed("/withdraw", last, {}, each, () => {});
}

async function changed(what, ids, more, each, then) {
  try {
    const answer = await post(what, ids, more, each);
    if (answer.done.length) {
      then(answer.done);
      touch(answer.done);
    }
    if (ids.length > 1 && answer.done.length > 1) {
      answer.said = answer.said.replace(/^.*? (are|is) /, `${answer.done.length} photos are `);
    }
    told(answer);
    return answer;
  } catch (error) {
    problem(error.message);
    return null;
  }
}
