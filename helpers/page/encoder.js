// Asks the encoder for any sentence, in the reader's browser: the word pieces of
// helpers/normalization.py and WordPiece, then encoder.onnx, run by onnxruntime-web.
const UNK = 1, MASK = 4;
const LONGEST = 64; // the row length of pretraining
const near = path => new URL(path, import.meta.url).href;

const BLANK = /[\s\v\u200B\p{Z}\p{Cc}]+/gu;
const INVISIBLE = /[\p{Cf}\u034F\u180B-\u180F\uFE00-\uFE0F\u{E0100}-\u{E01EF}]/gu;
const ACCENT = /[\u0300-\u036f]/gu;
const HAN = "\\u3400-\\u4DBF\\u4E00-\\u9FFF\\uF900-\\uFAFF\\u{20000}-\\u{2FA1F}";
const ALONE = new RegExp(`[\\p{P}\\p{S}${HAN}\\u{1F000}-\\u{1FAFF}]`, "gu");
const LONG = /[\x21-\u07FF]{25,50}|\S{25}/gu;

// JavaScript has no case folding; lower case differs from it in these letters.
const FOLDED = {ß: "ss", ς: "σ", ſ: "s"};

export function words(text) {
  let cleaned = text.replace(BLANK, " ").replace(INVISIBLE, "").normalize("NFKC");
  cleaned = cleaned.toLowerCase().replace(/[ßςſ]/gu, letter => FOLDED[letter]);
  cleaned = cleaned.normalize("NFD").replace(ACCENT, "").normalize("NFC");
  cleaned = cleaned.replace(BLANK, " ").replace(INVISIBLE, "");
  cleaned = cleaned.replace(ALONE, " $& ").replace(LONG, "$& ");
  return cleaned.split(" ").filter(word => word);
}

// The longest piece that begins the word, again and again; a word without one is [UNK].
export function pieces(word, ids) {
  const letters = [...word];
  const found = [];
  for (let start = 0, end; start < letters.length; start = end) {
    const prefix = start ? "##" : "";
    end = letters.length;
    while (end > start && !ids.has(prefix + letters.slice(start, end).join(""))) end--;
    if (end === start) return [UNK];
    found.push(ids.get(prefix + letters.slice(start, end).join("")));
  }
  return found;
}

// Word pieces of a sentence in which [MASK] or ___ stands for a missing word.
export function tokenize(sentence, ids) {
  const parts = sentence.split(/\[MASK\]|_{2,}/u);
  const tokens = parts.flatMap(part =>
    [...words(part).flatMap(word => pieces(word, ids)), MASK]);
  return tokens.slice(0, -1);
}

// Loads runtime, model and vocabulary: a function from a sentence to the likeliest words
// of each blank, `[[[word, probability], ...], ...]`.
export async function load() {
  const ort = await import(near("ort/ort.wasm.min.mjs")).catch(() => {
    throw new Error("This copy of the page has no runtime: see README.md, `make demo`.");
  });
  ort.env.wasm.wasmPaths = near("ort/");
  ort.env.wasm.numThreads = 1; // more need headers that few servers send
  const listed = await (await fetch(near("vocabulary.txt"))).text();
  const vocabulary = listed.split("\n").filter(piece => piece);
  const ids = new Map(vocabulary.map((piece, id) => [piece, id]));
  const session = await ort.InferenceSession.create(near("encoder.onnx"));
  const tensor = array => new ort.Tensor("int32", array, [1, array.length]);
  return async (sentence, count = 5) => {
    const tokens = tokenize(sentence, ids);
    const blanks = [...tokens.keys()].filter(place => tokens[place] === MASK);
    if (!blanks.length) throw new Error("Write ___ where a word is missing.");
    if (tokens.length > LONGEST) {
      throw new Error(`The sentence has ${tokens.length} word pieces; ${LONGEST} fit.`);
    }
    const feeds = {token_ids: tensor(tokens), mask_positions: tensor(blanks)};
    const [{data}] = Object.values(await session.run(feeds));
    return blanks.map((_, blank) => {
      const shares = data.subarray(blank * ids.size, (blank + 1) * ids.size);
      const order = [...shares.keys()].sort((one, other) => shares[other] - shares[one]);
      return order.slice(0, count).map(id => [vocabulary[id], shares[id]]);
    });
  };
}
