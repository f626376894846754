// What an encoder guesses for a blank, from before its training to the end of it. `data` is
// helpers/page/guesses.json; `draw` replaces the content of `element`.
function draw(element, data) {
  const make = (name, words, attributes = {}) => {
    const made = document.createElement(name);
    made.textContent = words;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  // A comma, alone, would look like punctuation of ours.
  const named = word => (/[\p{L}\p{N}]/u.test(word) ? word : `\u201C${word}\u201D`);
  const percent = share => (share < 0.005 ? "<1" : Math.round(100 * share)) + " %";

  const choice = make("select", "", {"aria-label": "Sentence"});
  const groups = new Map();
  data.sentences.forEach((sentence, number) => {
    if (!groups.has(sentence.group)) {
      const group = make("optgroup", "", {label: sentence.group});
      groups.set(sentence.group, group);
      choice.append(group);
    }
    const words = sentence.text.replace("[MASK]", "___");
    groups.get(sentence.group).append(make("option", words, {value: number}));
  });
  const previous = make("button", "\u2190", {type: "button", "aria-label": "Previous sentence"});
  const next = make("button", "\u2192", {type: "button", "aria-label": "Next sentence"});
  const slider = make("input", "", {
    type: "range", min: 0, max: data.steps.length - 1, step: 1, value: 0,
    "aria-label": "Time of pretraining",
  });
  const play = make("button", "Play", {type: "button"});
  const sentenceLine = make("p", "", {class: "sentence"});
  const time = make("p", "", {class: "time"});
  const bars = make("ol", "", {class: "bars"});
  const counts = make("p", "", {class: "counts"});
  const about = make("p", "", {class: "about"});
  const heard = make("p", "", {class: "heard", role: "status"});

  const now = () => [data.sentences[choice.value], Number(slider.value)];

  function show() {
    const [sentence, moment] = now();
    const guesses = sentence.guesses[moment];
    const isRight = word => sentence.right.includes(word);
    const [before, after] = sentence.text.split("[MASK]");
    const best = make("mark", named(guesses[0][0]));
    best.classList.toggle("right", isRight(guesses[0][0]));
    sentenceLine.replaceChildren(before, best, after);
    const steps = data.steps[moment].toLocaleString("en");
    time.textContent = `${data.times[moment]} (${steps} steps)`;
    slider.setAttribute("aria-valuetext", data.times[moment]);
    bars.replaceChildren(...guesses.map(([word, share]) => {
      const line = make("li", "");
      line.classList.toggle("right", isRight(word));
      const bar = make("span", "", {class: "bar", style: `width: ${50 * share}%`});
      line.append(make("span", named(word), {class: "word"}), bar, make("span", percent(share)));
      return line;
    }));
    const counted = sentence.counts.slice(0, 3);
    counts.textContent = "Counts of both neighbours guess: "
      + counted.map(([word, share]) => `${named(word)} ${percent(share)}`).join(", ") + ".";
    about.textContent = sentence.about;
    heard.textContent = `${data.times[moment]}: `
      + guesses.map(([word, share]) => `${named(word)} ${percent(share)}`).join(", ");
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
  play.addEventListener("click", () => {
    if (timer) return stop();
    if (slider.value === slider.max) slider.value = 0;
    show();
    play.textContent = "Pause";
    timer = setInterval(step, 1200);
  });
  const move = by => {
    const count = data.sentences.length;
    choice.value = (Number(choice.value) + by + count) % count;
    show();
  };
  previous.addEventListener("click", () => move(-1));
  next.addEventListener("click", () => move(1));
  choice.addEventListener("change", show);
  slider.addEventListener("input", () => { stop(); show(); });

  const sentences = make("div", "", {class: "controls"});
  sentences.append(previous, choice, next);
  const times = make("div", "", {class: "controls"});
  times.append(play, slider);
  const marks = make("div", "", {class: "marks", "aria-hidden": "true"});
  data.times.forEach(words => marks.append(make("span", words)));
  element.replaceChildren(sentences, sentenceLine, times, marks, time, bars, counts, about, heard);
  element.classList.add("guesses");
  show();
}
