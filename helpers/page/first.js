// The first page: draws the guesses, and the form for any sentence.
import {load} from "./encoder.js";

const guesses = await (await fetch(new URL("guesses.json", import.meta.url))).json();
draw(document.querySelector("#guesses"), guesses);

const form = document.querySelector("#ask");
const status = form.querySelector("output");
const list = form.querySelector("div");
const button = form.querySelector("button");
let ask = null;

form.addEventListener("submit", async event => {
  event.preventDefault();
  button.disabled = true;
  try {
    if (!ask) {
      status.textContent = "Loading \u2026";
      ask = await load().catch(error => {
        console.info(error);
        throw new Error("This copy of the page has no runtime: see README.md, `make demo`.");
      });
      button.textContent = "Ask";
    }
    const answers = await ask(form.elements.sentence.value);
    list.replaceChildren(...answers.map(answer => {
      const line = document.createElement("p");
      line.textContent = answer
        .map(([word, share]) => `${word} ${(100 * share).toFixed(1)} %`).join(" \u00B7 ");
      return line;
    }));
    status.textContent = answers.length > 1 ? "A line for each blank:" : "Its guesses:";
  } catch (error) {
    status.textContent = error.message;
  }
  button.disabled = false;
});
