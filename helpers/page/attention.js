// Where a token looks: a sentence whose tokens are filled as high as their weights are.
function draw(element, data) {
  const choice = make("select");
  for (const name of data.heads) choice.append(make("option", {}, name));
  choice.selectedIndex = data.head;
  const sentence = make("div", { class: "sentence", role: "group" });
  sentence.setAttribute("aria-label", "tokens");
  const shares = data.tokens.map(() => make("small"));
  const buttons = data.tokens.map((token, at) =>
    make("button", { type: "button" }, make("span", {}, token), " ", shares[at]),
  );
  sentence.append(...buttons);
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

  const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
  const last = buttons.length - 1;
  for (const [index, button] of buttons.entries()) {
    button.onclick = () => show(index);
    button.onfocus = () => show(index);
    button.onpointerenter = () => show(index);
    button.onkeydown = (event) => {
      let next = Math.min(Math.max(index + steps[event.key], 0), last);
      if (event.key === "Home") next = 0;
      if (event.key === "End") next = last;
      if (Number.isNaN(next)) return;
      event.preventDefault();
      buttons[next].focus();
    };
  }
  choice.onchange = () => show(from);

  const label = make("label", {}, "Head: ", choice);
  const how = make("span", {}, "Point at a token, or press the arrow keys.");
  fill(element, "attention", make("div", { class: "choice" }, label, how), sentence, said);
  show(from);
}
