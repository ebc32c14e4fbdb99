// Pictures that cannot be shown: why, in their place.

async function say(image) {
  const answer = await fetch(image.src).catch(() => null);
  const words = document.createElement("span");
  words.className = "missing";
  words.textContent = answer ? await answer.text() : "foodsort review does not answer";
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
