// Lets a reader move through the slices of a series: slider, arrow keys, mouse wheel, and outlines on or off.
"use strict";

for (const figure of document.querySelectorAll("figure.browser")) {
  const image = figure.querySelector("img");
  const slider = figure.querySelector("input[type=range]");
  const outlines = figure.querySelector("input[type=checkbox]");
  const told = figure.querySelector("output");
  const kept = new Map();

  const picture = (number) => {
    const address = `${figure.dataset.address}${number}.png?outlines=${outlines.checked ? 1 : 0}`;
    if (!kept.has(address)) {
      const loaded = new Image();
      loaded.src = address;
      kept.set(address, loaded);
    }
    return kept.get(address);
  };

  const show = () => {
    const number = Number(slider.value);
    const wanted = picture(number);
    wanted.decode().then(() => {
      if (Number(slider.value) === number) {
        image.src = wanted.src;
        told.textContent = figure.dataset.label.replace("#", number);
        figure.dataset.shown = number;
      }
    }).catch(() => kept.delete(wanted.src));
    for (const beside of [number - 1, number + 1]) {
      if (beside >= 1 && beside <= Number(slider.max)) picture(beside);
    }
  };

  slider.addEventListener("input", show);
  outlines.addEventListener("change", show);
  image.addEventListener("wheel", (event) => {
    event.preventDefault();
    slider.value = Number(slider.value) + Math.sign(event.deltaY);
    show();
  }, { passive: false });
}
