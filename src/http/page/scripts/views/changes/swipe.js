// The handle that divides a picture: before on its left, after on its right.

import { element } from "../../elements.js";

const STEPS = { ArrowLeft: -2, ArrowDown: -2, ArrowRight: 2, ArrowUp: 2, PageDown: -10, PageUp: 10, Home: -100, End: 100 };

/// A handle over a picture, for pointers, fingers and the keyboard. `onmove` receives its place, from 0 to 1.
export class Swipe {
  constructor(onmove) {
    this.onmove = onmove;
    this.element = element("div", {
      class: "swipe", role: "slider", tabindex: 0, "aria-label": "Before and after",
      "aria-orientation": "horizontal", "aria-valuemin": 0, "aria-valuemax": 100,
      onkeydown: (event) => this.step(event),
      onpointerdown: (event) => this.take(event),
      onpointermove: (event) => this.follow(event),
      // A swipe ends with a click, which is not one on the picture.
      onclick: (event) => event.stopPropagation(),
    });
    this.move(0.5);
  }

  move(place) {
    this.place = Math.min(Math.max(place, 0), 1);
    const percent = Math.round(100 * this.place);
    this.element.style.left = `${100 * this.place}%`;
    this.element.setAttribute("aria-valuenow", percent);
    this.element.setAttribute("aria-valuetext", `${percent} % before, ${100 - percent} % after`);
    this.onmove(this.place);
  }

  step(event) {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.move(this.place + step / 100);
  }

  take(event) {
    event.preventDefault();
    this.element.focus();
    this.element.setPointerCapture(event.pointerId);
  }

  follow({ pointerId, clientX }) {
    if (!this.element.hasPointerCapture(pointerId)) return;
    const { left, width } = this.element.parentElement.getBoundingClientRect();
    this.move((clientX - left) / width);
  }
}
