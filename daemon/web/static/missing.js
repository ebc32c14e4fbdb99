// Pictures that cannot be shown: why, in their place.

/** Why there is no picture at an address, in words. */
export async function reason(address) {
  const answer = await fetch(address, { headers: { "X-Requested-With": "foodsort" } }).catch(() => null);
  return answer ? answer.text() : "foodsort review does not answer";
}

async function say(image) {
  const words = document.createElement("span");
  words.className = "missing";
  words.textContent = await reason(image.src);
  image.replaceWith(words);
}

/** Has each picture inside that fails to load, now or later, replaced by the reason. */
export function sayWhatIsMissing(place) {
  // An error does not bubble, but is seen on its way down.
  place.addEventListener("error", (event) => event.target.matches("img:not(.map)") && say(event.target), true);
  for (const image of place.querySelectorAll("img")) {
    if (image.complete && !image.naturalWidth) say(image);
  }
}
