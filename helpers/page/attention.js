// Where a token looks: a sentence whose tokens are filled as high as their weights are.
function draw(element, data) {
  const choice = make("select", {}, ...data.heads.map((name) => make("option", {}, name)));
  choice.selectedIndex = data.head;
  const shares = data.tokens.map(() => make("small"));
  const buttons = data.tokens.map((word, at) => make("button", {}, word, " ", shares[at]));
  const said = make("p", { "aria-live": "polite" });

  let from = data.start;
  function show(index) {
    from = index;
    const weights = data.weights[choice.selectedIndex][from];
    const order = [...weights.keys()].sort((one, other) => weights[other] - weights[one]);
    const largest = order.slice(0, 3);
    for (const [to, button] of buttons.entries()) {
      button.style.backgroundSize = `100% ${100 * weights[to]}%`;
      shares[to].textContent = largest.includes(to) ? percent(weights[to]) : "";
      button.setAttribute("aria-pressed", to === from);
      // The Tab key stops here once; from here, arrow keys go on.
      button.tabIndex = to === from ? 0 : -1;
    }
    const parts = largest.map((to) => `${data.tokens[to]} ${percent(weights[to])}`);
    said.textContent = `${data.tokens[from]} looks mostly at: ${parts.join(" · ")}`;
  }
  choice.onchange = () => show(from);

  const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
  for (const [index, button] of buttons.entries()) {
    button.onclick = button.onfocus = button.onpointerenter = () => show(index);
    button.onkeydown = (event) => {
      const ends = { Home: buttons[0], End: buttons.at(-1) };
      const next = ends[event.key] ?? buttons[index + steps[event.key]];
      if (!next) return;
      event.preventDefault();
      next.focus();
    };
  }

  const label = make("label", {}, "Head: ", choice);
  const how = make("p", {}, label, " Point at a token, or press the arrow keys.");
  const sentence = make("div", { role: "group", "aria-label": "tokens" }, ...buttons);
  fill(element, "attention", how, sentence, said);
  show(from);
}
