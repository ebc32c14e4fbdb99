// Requests to the server.

/** Fetches an address. Throws an error for people if there is no response. */
export async function request(address, options = {}) {
  try {
    return await fetch(address, { ...options, headers: { ...options.headers, "X-Requested-With": "foodsort" } });
  } catch {
    throw new Error("foodsort review does not answer; is it still running?");
  }
}
