// Attention by hand: sliders for two matrices, and what these make of a few tokens.
function draw(element, data) {
  const { tokens, features, vectors } = data;
  const { query, key } = structuredClone(data);
  let degrees = 30;
  let first = 0;

  const sizes = (numbers) => numbers.flat().map(Math.abs);
  const sum = (numbers) => numbers.reduce((one, other) => one + other, 0);
  const dot = (one, other) => sum(one.map((entry, at) => entry * other[at]));
  const product = (rows, matrix) => {
    const columns = matrix[0].map((_, column) => matrix.map((row) => row[column]));
    return rows.map((row) => columns.map((column) => dot(row, column)));
  };
  const rotate = ([x, y], at) => {
    const angle = rotary.checked ? ((first + at) * degrees * Math.PI) / 180 : 0;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    return [x * cos - y * sin, x * sin + y * cos];
  };

  const slider = (name, [min, max, step, value], unit, change) => {
    const input = make("input", { type: "range", min, max, step, value });
    input.setAttribute("aria-label", name);
    const number = make("span", {}, value + unit);
    input.oninput = () => {
      number.textContent = input.value + unit;
      change(Number(input.value));
      show();
    };
    return make("span", { class: "slider" }, input, number);
  };
  const table = (caption, columns, names, cells) => {
    const made = make("table", { class: "grid" }, make("caption", {}, caption));
    const heads = columns.map((name) => make("th", { scope: "col" }, name));
    made.append(make("tr", {}, make("td"), ...heads));
    for (const [at, row] of cells.entries()) {
      made.append(make("tr", {}, make("th", { scope: "row" }, names[at]), ...row));
    }
    return made;
  };

  const limit = Math.ceil(Math.max(5, ...sizes(query), ...sizes(key)));
  const sliders = (caption, matrix) => {
    const cell = (row, at, column) => {
      const name = `${caption}: ${features[at]}, column ${column + 1}`;
      const change = (to) => (row[column] = to);
      return make("td", {}, slider(name, [-limit, limit, 0.5, row[column]], "", change));
    };
    const cells = matrix.map((row, at) => [cell(row, at, 0), cell(row, at, 1)]);
    return table(caption, ["column 1", "column 2"], features, cells);
  };
  const shaded = (caption, columns, numbers, say) => {
    const largest = Math.max(1, ...sizes(numbers));
    const cell = (number) => {
      const share = Math.abs(number) / largest;
      const style = `background: rgba(0, 114, 178, ${0.7 * share})`;
      return make("td", { style }, say(number));
    };
    return table(caption, columns, tokens, numbers.map((row) => row.map(cell)));
  };

  // The plane ends where no sum of entries gets.
  const edge = limit * Math.max(1, ...vectors.map((vector) => sum(sizes(vector))));
  const arrows = (kind, rows) => {
    const ends = {}; // the tokens whose arrows end in the same place
    for (const [at, row] of rows.entries()) {
      (ends[row.map((entry) => entry.toFixed(2))] ??= []).push(tokens[at]);
    }
    return Object.entries(ends).flatMap(([end, names]) => {
      const [x, y] = end.split(",").map((entry) => (90 * entry) / edge);
      const length = Math.hypot(x, y);
      if (length < 1) return [];
      const angle = Math.atan2(y, x);
      const transform = `rotate(${(-180 * angle) / Math.PI})`;
      const d = `M0 0H${length}m-6 -4l6 4l-6 4`;
      // Queries have their names beyond the tip, keys beside it.
      const to = kind === "query" ? angle : angle - Math.PI / 2;
      const anchor = ["end", "middle", "start"][Math.round(Math.cos(to)) + 1];
      const place = { x: x + 6 * Math.cos(to), y: 3 - y - 9 * Math.sin(to) };
      return [
        make("path", { d, transform, class: kind }),
        make("text", { ...place, "text-anchor": anchor }, names.join(", ")),
      ];
    });
  };

  const rotary = make("input", { type: "checkbox" });
  const turn = slider("turn per position", [0, 90, 5, 30], "°", (to) => (degrees = to));
  const shift = slider("first position", [0, 12, 1, 0], "", (to) => (first = to));
  const plane = make("svg", { viewBox: "-105 -105 210 210", role: "img" });
  plane.setAttribute("aria-label", "queries and keys as arrows from the origin");
  const results = make("div");
  const said = make("p", { "aria-live": "polite" });
  function show() {
    const queries = product(vectors, query).map(rotate);
    const keys = product(vectors, key).map(rotate);
    const match = (one, other) => Math.exp(dot(one, other) / Math.sqrt(one.length));
    const matches = queries.map((one) => keys.map((other) => match(one, other)));
    const weights = matches.map((row) => row.map((exponential) => exponential / sum(row)));
    const received = product(weights, product(vectors, data.value));
    const axes = make("path", { d: "M-105 0H105M0 -105V105", class: "axes" });
    plane.replaceChildren(axes, ...arrows("query", queries), ...arrows("key", keys));
    results.replaceChildren(
      shaded("Attention of each row", tokens, weights, percent),
      shaded("What each token receives", features, received, (entry) => entry.toFixed(2)),
    );
    const parts = weights.map((row, at) => {
      const most = Math.max(...row);
      const isEven = most - Math.min(...row) < 0.005;
      const to = isEven ? "all alike" : `${tokens[row.indexOf(most)]} ${percent(most)}`;
      return `${tokens[at]} → ${to}`;
    });
    said.textContent = `Looks mostly at: ${parts.join(" · ")}`;
    turn.firstChild.disabled = shift.firstChild.disabled = !rotary.checked;
  }
  rotary.onchange = show;

  const toQuery = sliders("to_query: what a token looks for", query);
  const toKey = sliders("to_key: what it can be found by", key);
  const left = make("div", { class: "left" }, plane);
  left.append(
    make("span", {}, make("u", {}, "thin"), " queries, ", make("b", {}, "thick"), " keys"),
    make("span", {}, make("label", {}, rotary, " rotary positions")),
    make("label", {}, "turn per position", turn),
    make("label", {}, "first position", shift),
  );
  const reset = make("button", { type: "button" }, "Reset");
  reset.onclick = () => {
    draw(element, data);
    element.querySelector("button").focus();
  };
  const above = make("div", { class: "parts" }, toQuery, toKey);
  const below = make("div", { class: "parts" }, left, results);
  fill(element, "head", above, below, said, reset);
  show();
}
