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

let last = Promise.resolve();
/** One change after another: U takes back what was asked for last, also while that is under way. */
function inTurn(deed) {
  last = last.then(deed);
  return last;
}

function told({ problems, done }) {
  if (problems.length) problem(done.length ? `${problems.length} stay as they were:` : "That could not be done:", problems);
}

/** Labels photos; answers {done, said, problems}, or null when it failed as a whole, which is said. */
export function label(ids, name, each) {
  return inTurn(async () => {
    const answer = await changed("/label", ids, { label: name }, each);
    if (answer?.done.length) remember(answer.done);
    return answer;
  });
}

/** Takes back what was changed last, or the labels of these photos. Answers as `label` does, and null when there is nothing. */
export function undo(each, ids) {
  return inTurn(async () => {
    const stack = read(DONE);
    const some = ids || stack.pop();
    if (!some) {
      toast("There is nothing to undo.");
      return null;
    }
    const answer = await changed("/withdraw", some, {}, each);
    const left = answer ? answer.left : some; // of these the server has not said anything, so they can be undone yet
    if (!ids) sessionStorage.setItem(DONE, JSON.stringify(left.length ? [...stack, left] : stack));
    return answer;
  });
}

async function changed(what, ids, more, each) {
  try {
    const answer = await post(what, ids, more, each);
    if (answer.done.length) touch(answer.done);
    told(answer);
    return answer;
  } catch (error) {
    problem(error.message);
    return null;
  }
}
