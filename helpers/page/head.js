// Attention by hand: sliders for two matrices, and what these make of a few tokens.
function draw(element, data) {
  const { tokens, features, vectors, query, key } = data;
  const rotation = { degrees: 30, first: 0 };

  const sizes = (numbers) => numbers.flat().map(Math.abs);
  const sum = (numbers) => numbers.reduce((one, other) => one + other, 0);
  const dot = (one, other) => sum(one.map((entry, at) => entry * other[at]));
  const product = (rows, matrix) => {
    const columns = matrix[0].map((_, column) => matrix.map((row) => row[column]));
    return rows.map((row) => columns.map((column) => dot(row, column)));
  };
  const rotate = ([x, y], at) => {
    const degrees = rotary.checked ? (rotation.first + at) * rotation.degrees : 0;
    const [cos, sin] = [Math.cos, Math.sin].map((of) => of((degrees * Math.PI) / 180));
    return [x * cos - y * sin, x * sin + y * cos];
  };

  // A slider that changes a number in an array or object.
  const slider = (name, min, max, step, numbers, at) => {
    const range = { type: "range", min, max, step, value: numbers[at] };
    const input = make("input", { ...range, "aria-label": name });
    const number = make("span", {}, numbers[at]);
    input.oninput = () => {
      numbers[at] = Number(input.value);
      number.textContent = input.value;
      show();
    };
    return make("span", { class: "slider" }, input, number);
  };
  const table = (caption, columns, names, rows, cell) => {
    const heads = columns.map((name) => make("th", { scope: "col" }, name));
    const lines = rows.map((row, at) => {
      const cells = row.map((_, column) => cell(row, column, names[at]));
      return make("tr", {}, make("th", { scope: "row" }, names[at]), ...cells);
    });
    const parts = [make("caption", {}, caption), make("tr", {}, make("td"), ...heads)];
    return make("table", { class: "grid" }, ...parts, ...lines);
  };

  const limit = Math.ceil(Math.max(5, ...sizes(query), ...sizes(key)));
  const sliders = (caption, matrix) =>
    table(caption, ["column 1", "column 2"], features, matrix, (row, at, feature) => {
      const name = `${caption}: ${feature}, column ${at + 1}`;
      return make("td", {}, slider(name, -limit, limit, 0.5, row, at));
    });
  const shaded = (caption, columns, rows, say) => {
    const largest = Math.max(1, ...sizes(rows));
    return table(caption, columns, tokens, rows, (row, at) => {
      const shade = (0.7 * Math.abs(row[at])) / largest;
      return make("td", { style: `background: rgba(0, 114, 178, ${shade})` }, say(row[at]));
    });
  };

  // The plane ends where no sum of entries gets.
  const edge = limit * Math.max(1, ...vectors.map((vector) => sum(sizes(vector))));
  const plane = make("svg", { viewBox: "-105 -105 210 210", role: "img" });
  plane.setAttribute("aria-label", "queries and keys as arrows from the origin");
  const point = (kind, rows) => {
    // Tokens whose arrows end in the same place share one.
    const ends = Object.groupBy(tokens.keys(), (at) => rows[at].map((x) => x.toFixed(2)));
    for (const places of Object.values(ends)) {
      const [x, y] = rows[places[0]].map((entry) => (90 * entry) / edge);
      const length = Math.hypot(x, y);
      if (length < 1) continue;
      const angle = Math.atan2(y, x);
      const transform = `rotate(${(-180 * angle) / Math.PI})`;
      const d = `M0 0H${length}m-6 -4l6 4l-6 4`;
      // Queries have their names beyond the tip, keys beside it.
      const to = kind === "query" ? angle : angle - Math.PI / 2;
      const anchor = ["end", "middle", "start"][Math.round(Math.cos(to)) + 1];
      const place = { x: x + 6 * Math.cos(to), y: 3 - y - 9 * Math.sin(to) };
      const names = places.map((at) => tokens[at]).join(", ");
      plane.append(make("path", { d, transform, class: kind }));
      plane.append(make("text", { ...place, "text-anchor": anchor }, names));
    }
  };

  const rotary = make("input", { type: "checkbox" });
  rotary.onchange = show;
  const turn = slider("turn per position", 0, 90, 5, rotation, "degrees");
  const shift = slider("first position", 0, 12, 1, rotation, "first");
  const results = make("div");
  const said = make("p", { "aria-live": "polite" });
  function show() {
    const queries = product(vectors, query).map(rotate);
    const keys = product(vectors, key).map(rotate);
    const match = (one, other) => Math.exp(dot(one, other) / Math.sqrt(one.length));
    const matches = queries.map((one) => keys.map((other) => match(one, other)));
    const weights = matches.map((row) => row.map((exponential) => exponential / sum(row)));
    const received = product(weights, product(vectors, data.value));
    plane.replaceChildren(make("path", { d: "M-105 0H105M0 -105V105", class: "axes" }));
    point("query", queries);
    point("key", keys);
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

  const toQuery = sliders("to_query: what a token looks for", query);
  const toKey = sliders("to_key: what it can be found by", key);
  const thin = make("span", { class: "query" }, "thin");
  const thick = make("span", { class: "key" }, "thick");
  const left = make("div", { class: "left" }, plane);
  left.append(
    make("p", {}, thin, " queries, ", thick, " keys"),
    make("label", {}, "rotary positions", rotary),
    make("label", {}, "turn per position (°)", turn),
    make("label", {}, "first position", shift),
  );
  const above = make("div", { class: "parts" }, toQuery, toKey);
  const below = make("div", { class: "parts" }, left, results);
  fill(element, "head", above, below, said);
  show();
}
