// Pictures that cannot be shown: why, in their place.

import { ask } from "./ask.js";

/** Why there is no picture at an address, in words. */
export function reason(address) {
  return ask(address).then((answer) => answer.text(), (error) => error.message);
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
