// What was changed in this tab, newest last, so that it can be undone on whichever page one is.

import { post } from "./post.js";
import { problem, toast } from "./toast.js";

const DONE = "done"; // of each change pairs: the photo, and the label in the database that was given to it
const MOST = 200;

function read(name) {
  return JSON.parse(sessionStorage.getItem(name) || "[]");
}

function keep(changes) {
  sessionStorage.setItem(DONE, JSON.stringify(changes.filter((pairs) => pairs.length).slice(-MOST)));
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
let underWay = 0;

/** One change after another: U takes back what was asked for last, also while that is under way. */
function inTurn(deed) {
  underWay += 1;
  last = last.then(deed).finally(() => { underWay -= 1; });
  return last;
}

export const isBusy = () => underWay > 0;

/** Goes to another address once all changes are answered, and so can be undone there. */
export function leave(go) {
  last.then(go);
}

function told({ problems, done }) {
  if (problems.length) problem(done.length ? `${problems.length} stay as they were:` : "That could not be done:", problems);
}

/** Labels photos; answers {done, said, problems}, or null when it failed as a whole, which is said. */
export function label(ids, name, each) {
  return inTurn(async () => {
    const answer = await changed("/label", ids, (some) => ({ ids: some, label: name }), each);
    if (answer) keep([...read(DONE), answer.labels]);
    return answer;
  });
}

/** Takes back what was changed last in this tab, where nobody has changed it since. Answers as `label` does, and null when there is nothing. */
export function undo(each) {
  return inTurn(async () => {
    const changes = read(DONE);
    const pairs = changes.pop();
    if (!pairs) {
      toast("There is nothing to undo.");
      return null;
    }
    const named = (some) => ({ ids: some.map(([id]) => id), labels: some.map(([, given]) => given) });
    const answer = await changed("/withdraw", pairs, named, each);
    keep([...changes, answer ? answer.left : pairs]); // what was not answered can be undone yet
    return answer;
  });
}

/** Takes the newest label of a photo back, whoever gave it. */
export function withdraw(id) {
  return inTurn(async () => {
    const answer = await changed("/withdraw", [id], (ids) => ({ ids }), () => {});
    const taken = new Set(answer?.labels.map(([, given]) => given));
    keep(read(DONE).map((pairs) => pairs.filter(([, given]) => !taken.has(given))));
    return answer;
  });
}

async function changed(what, items, asked, each) {
  try {
    const answer = await post(what, items, asked, each);
    if (answer.done.length) touch(answer.done);
    told(answer);
    return answer;
  } catch (error) {
    problem(error.message);
    return null;
  }
}
