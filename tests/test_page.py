"""The first page: its data, and its tokenizer in JavaScript."""

import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.request

import keras
import numpy as np
import onnxruntime
import pytest

from conftest import run_python, start_python
from helpers import models, normalization, packing, presets, profiles, showing, wordpieces

GUESSES = json.loads((showing.PAGE / "guesses.json").read_text("utf-8"))
SENTENCES = [sentence["text"] for sentence in GUESSES["sentences"]]
# What European and other scripts, symbols and invisible characters may look like.
ODD = [
    "Straße, naïve & 学 !",
    "\U0001f600\U0001fae9 ﬁn ὈΔΥΣΣΕΎΣ",
    "İstanbul, \u017ft; й and Ё; हिन्दी; ไทย",
    "soft\u00adhyphen, zero\u200bwidth, tab\tand\x0bvertical",
    "x" * 120,
    "",
]
NODE = """
import {readFileSync} from "node:fs";
import {tokenize} from "./encoder.mjs";
const pieces = readFileSync(process.argv[2], "utf-8").split("\\n");
const ids = new Map(pieces.map((piece, id) => [piece, id]));
const sentences = JSON.parse(readFileSync(0, "utf-8"));
console.log(JSON.stringify(sentences.map(sentence => tokenize(sentence, ids))));
"""


def read(sentences):
    """The token ids of sentences as notebooks read them, with [MASK] as one token."""
    vocabulary = wordpieces.read_vocabulary(showing.PAGE / "vocabulary.txt")
    parts = []
    for sentence in sentences:
        parts += sentence.split("[MASK]")
    ids = iter(wordpieces.tokenize(parts, vocabulary, profiles.load_profile("evening")))
    rows = []
    for sentence in sentences:
        row = next(ids).tolist()
        if "[MASK]" in sentence:
            row += [normalization.MASK, *next(ids).tolist()]
        rows.append(row)
    return rows


@pytest.mark.skipif(not shutil.which("node"), reason="`node` is not installed")
def test_the_page_reads_the_same_word_pieces_as_the_notebooks(tmp_path):
    (tmp_path / "tokenize.mjs").write_text(NODE, "utf-8")
    shutil.copy(showing.PAGE / "encoder.js", tmp_path / "encoder.mjs")
    sentences = SENTENCES + ODD
    command = ["node", tmp_path / "tokenize.mjs", showing.PAGE / "vocabulary.txt"]
    options = {"input": json.dumps(sentences), "text": True, "check": True}
    done = subprocess.run(command, stdout=subprocess.PIPE, **options)
    assert json.loads(done.stdout) == read(sentences)


@pytest.fixture(scope="module")
def address():
    """The address of the page as `make demo` serves it."""
    process = start_python("scripts/demo.py", 0)
    yield process.stdout.readline().split()[0]
    process.terminate()
    process.wait()


def test_the_demo_serves_the_page_and_nothing_else(address):
    for name, kind in (
        ("index.html", "text/html"),
        ("first.js", "text/javascript"),
        ("guesses.json", "application/json"),
        ("encoder.onnx", "application/octet-stream"),
    ):
        path = name.removeprefix("index.html")
        with urllib.request.urlopen(address + path, timeout=10) as answer:
            assert answer.headers.get_content_type() == kind
            assert answer.read() == (showing.PAGE / name).read_bytes()
    for path in "missing.js", "ort/missing.mjs", "ort/../../README.md":
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(address + path, timeout=10)


def test_a_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
        process = start_python("scripts/demo.py", port)
        printed, _ = process.communicate(timeout=10)
    assert process.returncode == 1
    assert printed.startswith(f"Port {port} can't be used")
    assert printed.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("step", [250, 1000, 5000])
def test_the_encoders_that_come_along_guess_what_the_page_says(step):
    model, vocabulary = presets.load(presets.ENCODERS / f"evening-{step:04}")
    token_ids = packing.pad(read(SENTENCES), 64)
    places = (token_ids == normalization.MASK).argmax(axis=1)[:, None].astype("int32")
    logits = models.predict(model, {"token_ids": token_ids, "mask_positions": places}, 30)
    probabilities = keras.ops.convert_to_numpy(keras.ops.softmax(logits))[:, 0]
    moment = GUESSES["steps"].index(step)
    for sentence, row in zip(GUESSES["sentences"], probabilities, strict=True):
        for word, share in sentence["guesses"][moment]:
            # These weights are in float16.
            assert abs(row[vocabulary.index(word)] - share) < 0.01


@pytest.mark.slow
def test_the_onnx_file_is_the_encoder_that_comes_along(tmp_path):
    preset = presets.ENCODERS / "evening-5000"
    run_python("scripts/to_onnx.py", preset, tmp_path / "encoder.onnx")
    features = {
        "token_ids": np.array([[5, 600, normalization.MASK, 7000]], "int32"),
        "mask_positions": np.array([[2]], "int32"),
    }
    answers = []
    for folder in (tmp_path, showing.PAGE):
        session = onnxruntime.InferenceSession(folder / "encoder.onnx")
        answers.append(session.run(None, features)[0])
    assert np.abs(answers[0] - answers[1]).max() < 1e-5
    vocabulary = (showing.PAGE / "vocabulary.txt").read_bytes()
    assert (tmp_path / "vocabulary.txt").read_bytes() == vocabulary
