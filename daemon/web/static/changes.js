// Changes made in this tab, newest last, so that they can be undone on every page.

import { post } from "./post.js";
import { problem, toast } from "./toast.js";

const CHANGES = "changes"; // a list of changes; each is a list of pairs: a photo and the label it got, by their ids
const CHANGED = "changed"; // ids of photos whose cards may be outdated
const NEXT_TOAST = "next-toast";
const MOST = 200;

function read(name) {
  return JSON.parse(sessionStorage.getItem(name) || "[]");
}

function save(changes) {
  sessionStorage.setItem(CHANGES, JSON.stringify(changes.filter((pairs) => pairs.length).slice(-MOST)));
}

export function changedIds() {
  return read(CHANGED);
}

function addChanged(ids) {
  sessionStorage.setItem(CHANGED, JSON.stringify([...new Set([...changedIds(), ...ids])].slice(-MOST)));
}

/** Stores a toast for the next page. */
export function saveToast(message, undoable) {
  sessionStorage.setItem(NEXT_TOAST, JSON.stringify({ message, undoable }));
}

/** Shows the toast that the page before has stored. */
export function showSavedToast(undo) {
  const { message, undoable } = JSON.parse(sessionStorage.getItem(NEXT_TOAST) || "{}");
  sessionStorage.removeItem(NEXT_TOAST);
  if (message) toast(message, undoable ? undo : undefined);
}

let last = Promise.resolve();
let pending = 0;

/** Runs one change after another, so that U undoes the last one even before it is answered. */
function enqueue(change) {
  pending += 1;
  last = last.then(change).finally(() => { pending -= 1; });
  return last;
}

export const isBusy = () => pending > 0;

/** Navigates once all changes are answered, so that they can be undone on the next page. */
export function leave(navigate) {
  last.then(navigate);
}

function showProblems({ problems, done }) {
  if (!problems.length) return;
  const heading = problems.length === 1 ? "1 photo was not changed:" : `${problems.length} photos were not changed:`;
  problem(done.length ? heading : "Nothing was changed:", problems);
}

/** Labels photos. Returns the result, see `post`, or null if the whole change failed; shows problems itself. */
export function label(ids, name, onPart) {
  return enqueue(async () => {
    const result = await send("/label", ids, (part) => ({ ids: part, label: name }), onPart);
    if (result) save([...read(CHANGES), result.labels]);
    return result;
  });
}

/**
 * Undoes the last change of this tab, except for photos labelled since. Returns the result of `label`; null if there
 * is nothing to undo.
 */
export function undo(onPart) {
  return enqueue(async () => {
    const changes = read(CHANGES);
    const pairs = changes.pop();
    if (!pairs) {
      toast("There is nothing to undo.");
      return null;
    }
    const body = (part) => ({ ids: part.map(([id]) => id), labels: part.map(([, labelId]) => labelId) });
    const result = await send("/withdraw", pairs, body, onPart);
    save([...changes, result ? result.left : pairs]); // without a response, a photo can still be undone
    return result;
  });
}

/** Answers a question of Teach. earlier: the id of the label that is asked for again, or null. Result as of `label`. */
export function answer(id, name, earlier) {
  return enqueue(async () => {
    const result = await send("/teach/answer", [id], (ids) => ({ ids, label: name, earlier }), () => {});
    if (result) save([...read(CHANGES), result.labels]);
    return result;
  });
}

/** Takes back an answer. labels: returns its labels, see `answer`, once the answer has been sent. */
export function undoAnswer(labels) {
  return enqueue(async () => {
    const [pair] = labels();
    if (!pair) return null; // it failed
    const [id, labelId] = pair;
    const result = await send("/teach/undo", [id], (ids) => ({ ids, labels: [labelId] }), () => {});
    if (result) save(read(CHANGES).map((pairs) => pairs.filter(([, other]) => other !== labelId)));
    return result;
  });
}

/** Removes the newest label of a photo, also one by another person. */
export function withdraw(id) {
  return enqueue(async () => {
    const result = await send("/withdraw", [id], (ids) => ({ ids }), () => {});
    const removed = new Set(result?.labels.map(([, labelId]) => labelId));
    save(read(CHANGES).map((pairs) => pairs.filter(([, labelId]) => !removed.has(labelId))));
    return result;
  });
}

async function send(path, items, body, onPart) {
  try {
    const result = await post(path, items, body, onPart);
    if (result.done.length) addChanged(result.done);
    showProblems(result);
    return result;
  } catch (error) {
    problem(error.message);
    return null;
  }
}
