// What an encoder guesses for a blank, from before its training to the end of it.
function draw(element, data) {
  // A comma, alone, would look like punctuation of ours.
  const named = (word) => (/[\p{L}\p{N}]/u.test(word) ? word : `“${word}”`);

  const choice = make("select", { "aria-label": "Sentence" });
  const groups = {};
  for (const [value, { text, group }] of data.sentences.entries()) {
    groups[group] ??= make("optgroup", { label: group });
    groups[group].append(make("option", { value }, text.replace("[MASK]", "___")));
  }
  choice.append(...Object.values(groups));
  const previous = make("button", { "aria-label": "Previous sentence" }, "←");
  const next = make("button", { "aria-label": "Next sentence" }, "→");
  const play = make("button", {}, "Play");
  const slider = make("input", { type: "range", max: data.steps.length - 1, value: 0 });
  slider.setAttribute("aria-label", "Time of pretraining");
  const sentenceLine = make("p", { class: "sentence" });
  const time = make("p", { class: "time" });
  const bars = make("ol");
  const counts = make("p");
  const about = make("p", { class: "about" });

  function show() {
    const sentence = data.sentences[choice.value];
    const moment = data.times[slider.value];
    const guesses = sentence.guesses[slider.value];
    const mark = (word) => (sentence.right.includes(word) ? "right" : "");
    const [before, after] = sentence.text.split("[MASK]");
    const best = make("b", { class: mark(guesses[0][0]) }, named(guesses[0][0]));
    sentenceLine.replaceChildren(before, best, after);
    slider.setAttribute("aria-valuetext", moment);
    time.textContent = `${moment} (${data.steps[slider.value].toLocaleString("en")} steps)`;
    const lines = guesses.map(([word, share]) => {
      const bar = make("span", { class: "bar", style: `width: ${50 * share}%` });
      const name = make("span", { class: "word" }, named(word));
      return make("li", { class: mark(word) }, name, bar, make("span", {}, percent(share)));
    });
    bars.replaceChildren(...lines);
    const told = sentence.counts.map(([word, share]) => `${named(word)} ${percent(share)}`);
    counts.textContent = `Counts of both neighbours guess: ${told.slice(0, 3).join(", ")}.`;
    about.textContent = sentence.about;
  }

  let timer = null;
  function pause() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
    show();
  }
  play.onclick = () => {
    if (timer) return pause();
    if (slider.value === slider.max) slider.value = 0;
    show();
    play.textContent = "Pause";
    timer = setInterval(() => {
      slider.stepUp();
      show();
      if (slider.value === slider.max) pause();
    }, 1200);
  };
  const move = (by) => {
    choice.value = (Number(choice.value) + by + choice.length) % choice.length;
    show();
  };
  previous.onclick = () => move(-1);
  next.onclick = () => move(1);
  choice.onchange = show;
  slider.oninput = pause;

  const which = make("div", { class: "controls" }, previous, choice, next);
  const when = make("div", { class: "controls" }, play, slider);
  const what = make("div", { role: "status" }, time, bars);
  fill(element, "guesses", which, sentenceLine, when, what, counts, about);
  show();
}
