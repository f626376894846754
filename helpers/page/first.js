// The first page: draws the guesses, and the form for any sentence.
import {load} from "./encoder.js";

const guesses = await (await fetch(new URL("guesses.json", import.meta.url))).json();
draw(document.querySelector("#guesses"), guesses);

const form = document.querySelector("#ask");
const status = form.querySelector("output");
const list = form.querySelector("div");
const button = form.querySelector("button");
let ask = null;

form.onsubmit = async event => {
  event.preventDefault();
  button.disabled = true;
  try {
    status.textContent = "One moment …";
    ask ??= await load();
    button.textContent = "Ask";
    const answers = await ask(form.elements.sentence.value);
    const lines = answers.map(answer =>
      answer.map(([word, share]) => `${word} ${percent(share)}`).join(" · "));
    list.replaceChildren(...lines.map(line => make("p", {}, line)));
    status.textContent = answers.length > 1 ? "A line for each blank:" : "Its guesses:";
  } catch (error) {
    status.textContent = error.message;
  }
  button.disabled = false;
};
