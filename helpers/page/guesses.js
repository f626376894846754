// What an encoder guesses for a blank, from before its training to the end of it.
function draw(element, data) {
  // A comma, alone, would look like punctuation of ours.
  const named = (word) => (/[\p{L}\p{N}]/u.test(word) ? word : `“${word}”`);
  const told = (guesses) =>
    guesses.map(([word, share]) => `${named(word)} ${percent(share)}`).join(", ");

  const choice = make("select", { "aria-label": "Sentence" });
  const groups = Object.groupBy(data.sentences.keys(), (at) => data.sentences[at].group);
  for (const [label, places] of Object.entries(groups)) {
    const options = places.map((at) => {
      const text = data.sentences[at].text.replace("[MASK]", "___");
      return make("option", { value: at }, text);
    });
    choice.append(make("optgroup", { label }, ...options));
  }
  const button = (name, words) => make("button", { type: "button", "aria-label": name }, words);
  const previous = button("Previous sentence", "←");
  const next = button("Next sentence", "→");
  const play = make("button", { type: "button" }, "Play");
  const slider = make("input", { type: "range", max: data.steps.length - 1, value: 0 });
  slider.setAttribute("aria-label", "Time of pretraining");
  const marks = data.times.map((time) => make("span", {}, time));
  const sentenceLine = make("p", { class: "sentence" });
  const time = make("p", { class: "time" });
  const bars = make("ol");
  const counts = make("p", { class: "counts" });
  const about = make("p", { class: "about" });
  const heard = make("p", { class: "heard", role: "status" });

  function show() {
    const sentence = data.sentences[choice.value];
    const moment = data.times[slider.value];
    const guesses = sentence.guesses[slider.value];
    const mark = (word) => (sentence.right.includes(word) ? "right" : "");
    const [before, after] = sentence.text.split("[MASK]");
    const best = make("mark", { class: mark(guesses[0][0]) }, named(guesses[0][0]));
    sentenceLine.replaceChildren(before, best, after);
    slider.setAttribute("aria-valuetext", moment);
    time.textContent = `${moment} (${data.steps[slider.value].toLocaleString("en")} steps)`;
    const lines = guesses.map(([word, share]) => {
      const bar = make("span", { class: "bar", style: `width: ${50 * share}%` });
      const name = make("span", { class: "word" }, named(word));
      return make("li", { class: mark(word) }, name, bar, make("span", {}, percent(share)));
    });
    bars.replaceChildren(...lines);
    counts.textContent = `Counts of both neighbours guess: ${told(sentence.counts.slice(0, 3))}.`;
    about.textContent = sentence.about;
    heard.textContent = `${moment}: ${told(guesses)}`;
  }

  let timer = null;
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }
  function step() {
    slider.value = Number(slider.value) + 1;
    show();
    if (slider.value === slider.max) stop();
  }
  play.onclick = () => {
    if (timer) return stop();
    if (slider.value === slider.max) slider.value = 0;
    show();
    play.textContent = "Pause";
    timer = setInterval(step, 1200);
  };
  const move = (by) => {
    const count = data.sentences.length;
    choice.value = (Number(choice.value) + by + count) % count;
    show();
  };
  previous.onclick = () => move(-1);
  next.onclick = () => move(1);
  choice.onchange = show;
  slider.oninput = () => {
    stop();
    show();
  };
  fill(
    element,
    "guesses",
    make("div", { class: "controls" }, previous, choice, next),
    sentenceLine,
    make("div", { class: "controls" }, play, slider),
    make("div", { class: "marks", "aria-hidden": "true" }, ...marks),
    ...[time, bars, counts, about, heard],
  );
  show();
}
