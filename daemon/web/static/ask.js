// What every question to the server says, and what is said when none is answered.

/** Fetches an address for this page's scripts. Throws in words when nobody answers. */
export async function ask(address, more = {}) {
  try {
    return await fetch(address, { ...more, headers: { ...more.headers, "X-Requested-With": "foodsort" } });
  } catch {
    throw new Error("foodsort review does not answer; is it still running?");
  }
}
