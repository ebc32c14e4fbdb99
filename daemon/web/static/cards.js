// Cards as the server renders them.

/** The list of cards in an answer, not yet on the page. Throws when there is none. */
export async function fetched(address) {
  const answer = await fetch(address, { headers: { "X-Requested-With": "foodsort" } }).catch(() => null);
  if (!answer) throw new Error("foodsort review does not answer; is it still running?");
  if (answer.status === 401) location.reload();
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok) throw new Error((page.querySelector("main p") ?? page.body).textContent.trim());
  return page.querySelector("ol");
}

export function parsed(html) {
  return new DOMParser().parseFromString(html, "text/html").querySelector("ol");
}

/** An address with this page's filters and more. */
export function asking(path, more) {
  const words = new URLSearchParams(location.search);
  words.delete("after");
  for (const [name, value] of Object.entries(more)) words.set(name, value);
  return `${path}?${words}`;
}
