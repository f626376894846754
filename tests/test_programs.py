"""The classifier of notebook 5, used without the rest of the series."""

import contextlib
import hashlib
import http.client
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import onnx
import pytest

from conftest import REPOSITORY, finish, start_python
from helpers import corpora, preprocessing, profiles

pytestmark = pytest.mark.slow

# What `pytest --nbval notebooks` leaves.
LEFT = REPOSITORY / "artifacts" / "tested" / "sample"
SCRIPTS = REPOSITORY / "scripts"
# Words, signs and letters that are hard to normalise, and empty sentences
SENTENCES = [
    "A film to remember!",
    "",
    "\u200b \t",
    "STRASSE Straße ÇA naïve e\u0301 ﬁlm ½",
    "ὈΔΥΣΣΕΎΣ и Йод, हिन्दी ภาษาไทย العَرَبِيَّة 日本語が 한국어 🎬👍🏽",
    "a" * 300 + " " + "я" * 300,
    "one word " * 200,
    'tabs\tand "quotes" [MASK] <br />',
]


@pytest.fixture
def folder(tmp_path):
    """A copy of the classifier of notebook 5."""
    assert (LEFT / "05_using_your_encoder.json").exists(), "run `make test` first"
    return shutil.copytree(LEFT / "classifier", tmp_path / "classifier")


def classify(folder, text="good\n", python=sys.executable, model="model.onnx"):
    """Runs classify.py: status, standard output and standard error."""
    command = [python, SCRIPTS / "classify.py", folder, model]
    options = {"input": text, "capture_output": True, "text": True, "encoding": "utf-8"}
    done = subprocess.run([*map(str, command)], **options)
    return done.returncode, done.stdout, done.stderr


def environment(folder, *packages):
    """Creates an environment with some packages of requirements.txt: its Python."""
    pins = re.findall(r"^\S+==\S+$", (REPOSITORY / "requirements.txt").read_text(), re.M)
    wanted = [pin for pin in pins if pin.partition("==")[0] in packages]
    assert len(wanted) == len(packages)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
    return python


@pytest.fixture(scope="module")
def runtime(tmp_path_factory):
    """A Python with onnxruntime and tokenizers, and without Keras, JAX or TensorFlow."""
    folder = tmp_path_factory.mktemp("runtime") / "venv"
    python = environment(folder, "onnxruntime", "tokenizers")
    absent = "import importlib.util as u; print([*map(u.find_spec, ('keras', 'jax'))])"
    printed = subprocess.run([python, "-c", absent], capture_output=True, text=True).stdout
    assert printed.strip() == "[None, None]"
    return python


def test_every_line_is_answered_by_a_runtime_alone(folder, runtime):
    """In the same way as with Keras installed."""
    lines = "".join(f"{line}\n" for line in SENTENCES)
    status, printed, _ = classify(folder, lines, runtime)
    assert status == 0
    assert printed == classify(folder, lines)[1]
    rows = [line.split("\t") for line in printed.splitlines()]
    wanted = [line.strip().replace("\t", " ") for line in SENTENCES]
    assert [row[2] for row in rows] == wanted
    assert {row[0] for row in rows} <= {*corpora.CLASSES}
    assert all(0.5 <= float(row[1]) <= 1 for row in rows)


def test_bytes_that_are_no_text_are_answered(folder):
    command = [sys.executable, SCRIPTS / "classify.py", folder]
    done = subprocess.run(command, input=b"caf\xe9\ngood\n", capture_output=True)
    assert done.returncode == 0
    texts = [line.split("\t")[2] for line in done.stdout.decode("utf-8").splitlines()]
    assert texts == ["caf\ufffd", "good"]


def test_the_smaller_model_mostly_agrees(folder, monkeypatch):
    """Rounding weights to 8 bits may turn close decisions: up to one in 20."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from classify import Classifier

    texts = corpora.read_task(profiles.load_profile()).test.text.tolist()
    one, other = (
        Classifier(folder, name)(texts) for name in ("model.onnx", "model_int8.onnx")
    )
    assert (one.argmax(axis=1) == other.argmax(axis=1)).mean() > 0.95
    status, printed, _ = classify(folder, "good\n", model="model_int8.onnx")
    assert status == 0
    assert printed.endswith("\tgood\n")


def test_lines_are_answered_as_they_come(folder):
    options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, str(SCRIPTS / "classify.py"), str(folder)]
    with subprocess.Popen(command, **options) as process:
        for line in "good", "bad":
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            assert process.stdout.readline().endswith(f"\t{line}\n")
        process.stdin.close()
        assert process.wait(timeout=30) == 0


RUNTIME = """
import sys
import numpy, onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1] + "/onnx/model.onnx")
rows = numpy.load(sys.argv[2])
found = {name: session.run(None, {"token_ids": rows[name]})[0] for name in rows.files}
numpy.savez(sys.argv[3], **found)
"""


def test_a_runtime_alone_computes_what_keras_does(folder, runtime, tmp_path, monkeypatch):
    """For several batch sizes and lengths, with and without padding."""
    monkeypatch.syspath_prepend(str(folder))
    import keras
    import tasks

    rng, rows = np.random.default_rng(0), {}
    for batch, length in itertools.product((1, 7, 256), (5, 17, 48, 127, 128)):
        full = rng.integers(5, 16_000, (batch, length)).astype("int32")
        ends = rng.integers(1, length + 1, (batch, 1))
        rows[f"{batch} {length}"] = full
        rows[f"{batch} {length} padded"] = np.where(np.arange(length) < ends, full, 0)
    np.savez(tmp_path / "rows.npz", **rows)
    files = tmp_path / "rows.npz", tmp_path / "found.npz"
    subprocess.run([runtime, "-c", RUNTIME, folder, *files], check=True)
    found = np.load(files[1])
    classifier = tasks.TextClassifier.from_preset(str(folder), compile=False)
    classifier.preprocessor = None
    for name, token_ids in rows.items():
        wanted = keras.ops.softmax(classifier.predict(token_ids, verbose=0))
        np.testing.assert_allclose(found[name], wanted, atol=1e-4, err_msg=name)


def test_the_exported_tokenizer_reads_as_the_series_does(folder, monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from classify import Classifier

    profile = profiles.load_profile()
    vocabulary = (LEFT / "vocabulary.txt").read_text("utf-8").split("\n")
    texts = SENTENCES + corpora.read_task(profile).test.text.tolist()
    length = profile.sentence_lengths[-1]
    found = Classifier(folder).tokenizer.encode_batch(texts)
    wanted = preprocessing.tokenize(texts, vocabulary, profile)
    for text, one, other in zip(texts, found, wanted, strict=True):
        assert one.ids == other[:length].tolist(), text


def other_tokenizer(folder):
    path = folder / "onnx" / "tokenizer.json"
    content = json.loads(path.read_text("utf-8"))
    content["model"]["vocab"]["another"] = len(content["model"]["vocab"])
    path.write_text(json.dumps(content), "utf-8")


def cut(name):
    """Truncates a file to half its size."""

    def damage(folder):
        path = folder / "onnx" / name
        os.truncate(path, path.stat().st_size // 2)

    return damage


def weights_elsewhere(folder):
    """Makes the model read weights from a file outside the folder."""
    path = folder / "onnx" / "model.onnx"
    model = onnx.load(path)
    largest = max(model.graph.initializer, key=lambda each: each.ByteSize())
    (folder.parent / "outside").write_bytes(largest.raw_data)
    onnx.external_data_helper.set_external_data(largest, location="../../outside")
    largest.ClearField("raw_data")
    largest.data_location = onnx.TensorProto.EXTERNAL
    path.write_bytes(model.SerializeToString())


def properties(**changed):
    """A function that changes what the model file says of itself."""

    def damage(folder):
        path = folder / "onnx" / "model.onnx"
        model = onnx.load(path)
        found = {each.key: each.value for each in model.metadata_props}
        del model.metadata_props[:]
        found = {key: value for key, value in {**found, **changed}.items() if value}
        onnx.helper.set_model_props(model, found)
        onnx.save(model, path)

    return damage


def tokenizer_of_another_length(folder):
    """As `other_tokenizer`, but the model file has its checksum."""
    other_tokenizer(folder)
    content = (folder / "onnx" / "tokenizer.json").read_bytes()
    properties(tokenizer_sha256=hashlib.sha256(content).hexdigest())(folder)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda folder: shutil.rmtree(folder / "onnx"), "model.onnx"),
        (cut("model.onnx"), "model.onnx"),
        (cut("tokenizer.json"), "tokenizer.json"),
        (other_tokenizer, "tokenizer.json can't be used: it is not the tokenizer"),
        (weights_elsewhere, "model.onnx"),
        (properties(classes=None), "model.onnx is not a classifier of the series"),
        (properties(classes='["one"]'), "model.onnx can't be used: it gives 2 probabil"),
        (tokenizer_of_another_length, "model.onnx can't be used"),
    ],
)
def test_what_is_damaged_or_hostile_is_refused_by_name(folder, damage, named):
    damage(folder)
    status, printed, said = classify(folder)
    assert status == 1
    assert not printed
    assert named in said
    assert "Traceback" not in said
    assert said.count("\n") == 1


KERAS = """
import sys
import keras_hub
sys.path.insert(0, ".")
import tasks

classifier = keras_hub.models.TextClassifier.from_preset(".", compile=False)
scores = classifier.predict(["A film to remember.", "dull"], verbose=0)
print(tasks.models.__file__, [classifier.classes[row.argmax()] for row in scores])
"""


@pytest.fixture(scope="module")
def keras_alone(tmp_path_factory):
    """A Python with KerasHub, but without the series."""
    packages = "keras", "keras-hub", "jax", "tensorflow", "tensorflow-text", "numpy"
    return environment(tmp_path_factory.mktemp("keras") / "venv", *packages)


def load_preset(python, folder):
    """Loads the preset, with its own code, in another process."""
    options = {"capture_output": True, "text": True, "cwd": folder}
    options["env"] = {**os.environ, "KERAS_BACKEND": "jax"}
    done = subprocess.run([str(python), "-I", "-c", KERAS], **options)
    return done.returncode, done.stdout, done.stderr


def test_keras_hub_alone_loads_the_preset(folder, keras_alone):
    status, printed, said = load_preset(keras_alone, folder)
    assert status == 0, said
    assert printed.startswith(str(folder / "helpers" / "models.py"))
    assert printed.strip().endswith("['favourable', 'unfavourable']")


def changed(name, change):
    """A function that changes a JSON file of a preset."""

    def damage(folder):
        content = json.loads((folder / name).read_text("utf-8"))
        change(content)
        (folder / name).write_text(json.dumps(content), "utf-8")

    return damage


def call(module, name, argument):
    """Makes a configuration call a function."""
    config = {"module": module, "class_name": name, "config": {"command": argument}}
    return lambda content: content.update(config, registered_name=name)


def a_lambda(content):
    """Puts code into a configuration."""
    code = {"class_name": "__lambda__", "config": {"value": "4wAA"}}
    config = {"name": "lambda", "function": code}
    content["config"]["backbone"] = {"module": "keras.layers", "class_name": "Lambda"}
    content["config"]["backbone"] |= {"config": config, "registered_name": "Lambda"}


def narrow(content):
    content["config"]["backbone"]["config"]["hidden_dim"] = 64


def code_beside_it(folder):
    """Puts a module into the folder that has the name of one that Keras imports."""
    (folder / "keras.py").write_text("open('harm', 'w')", "utf-8")
    changed("task.json", narrow)(folder)


def tokenizer_set(**settings):
    """A function that changes the tokenizer's configuration."""

    def change(content):
        tokenizer = content["config"]["preprocessor"]["config"]["tokenizer"]
        tokenizer["config"] |= settings

    return changed("task.json", change)


def more_pieces(folder):
    """A longer vocabulary, of which the tokenizer's configuration knows."""
    longer_vocabulary(folder)
    tokenizer_set(pieces=16_001)(folder)


def longer_vocabulary(folder):
    path = folder / "assets" / "tokenizer" / "vocabulary.txt"
    path.write_text(path.read_text("utf-8") + "one more\n", "utf-8")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (changed("config.json", call("os", "system", "touch harm")), "no class registered"),
        (changed("task.json", a_lambda), "a `Lambda` layer whose `function` is a Python"),
        (changed("task.json", narrow), "A total of 1 objects could not be loaded"),
        (tokenizer_set(vocabulary="/etc/passwd"), "not a path"),
        (code_beside_it, "A total of 1 objects could not be loaded"),
        (
            lambda folder: os.truncate(folder / "model.weights.h5", 100_000),
            "truncated file",
        ),
        (longer_vocabulary, "The vocabulary has 16001 word pieces"),
        (more_pieces, "The tokenizer has 16001 word pieces, the encoder 16000"),
    ],
)
def test_keras_refuses_a_preset_that_is_damaged_or_hostile(folder, damage, said):
    damage(folder)
    status, printed, errors = load_preset(sys.executable, folder)
    assert status == 1
    assert not printed
    assert re.search(rf"^\w+Error: .*{re.escape(said)}", errors, re.MULTILINE), errors
    assert not (folder / "harm").exists()


@contextlib.contextmanager
def serving(folder, port):
    process = start_python(SCRIPTS / "serve.py", folder, port)
    try:
        for _ in range(100):
            with contextlib.suppress(urllib.error.URLError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/openapi.json")
                break
            time.sleep(0.2)
        yield process
    finally:
        process.kill()


def ask(port, body, **headers):
    """Sends a request: the status and the reply."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/classify", data=body, headers=headers
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_the_server_answers_and_refuses(folder):
    with serving(folder, 8765):
        status, answers = ask(8765, {"sentences": SENTENCES})
        assert status == 200
        assert {answer["label"] for answer in answers} <= {*corpora.CLASSES}
        assert len(answers) == len(SENTENCES)
        for body, said in (
            (b"no JSON", "JSON"),
            ({}, "sentences"),
            ({"sentences": []}, "at least 1"),
            ({"sentences": ["a"] * 65}, "at most 64"),
            ({"sentences": ["a" * 2001]}, "at most 2000"),
            ({"sentences": [1]}, "string"),
            (b'{"sentences": ["caf\xe9"]}', "body"),
            (b'{"sentences": ["\\ud800"]}', "body"),
        ):
            status, answer = ask(8765, body)
            assert status == 400, body
            assert said in answer["detail"]
        # A body that is too long is rejected before it is read.
        status, answer = ask(8765, {}, **{"Content-Length": "500001"})
        assert status == 400
        assert "at most 500000 bytes" in answer["detail"]
        # So is one of unknown length.
        connection = http.client.HTTPConnection("127.0.0.1", 8765, timeout=30)
        connection.request("POST", "/classify", iter([b"{}"]), encode_chunked=True)
        assert connection.getresponse().status == 400
        assert ask(8765, {"sentences": ["still there"]})[0] == 200


def resident(process):
    """The memory of a process, in megabytes."""
    pages = pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_the_server_bears_a_load_and_ends_when_all_is_answered(folder):
    """A minute at 200 requests a second, or as many as two cores handle."""
    seconds, answered = 60, []
    with serving(folder, 8766) as process:
        ask(8766, {"sentences": SENTENCES})
        stop = threading.Event()

        def keep_asking():
            while not stop.is_set():
                begun = time.monotonic()
                answered.append(ask(8766, {"sentences": SENTENCES[:2]})[0])
                time.sleep(max(0, 0.04 - (time.monotonic() - begun)))

        askers = [threading.Thread(target=keep_asking) for _ in range(8)]
        for asker in askers:
            asker.start()
        time.sleep(seconds / 4)
        before = resident(process)
        time.sleep(seconds * 3 / 4)
        after, count = resident(process), len(answered)
        stop.set()
        for asker in askers:
            asker.join()
        assert {*answered} == {200}
        assert count / seconds > 50
        assert after < before + 20
        print(f"{count / seconds:.0f} requests a second")
        # Requests that are half sent when the server is stopped
        body = json.dumps({"sentences": SENTENCES}).encode()
        half = len(body) // 2
        waiting = [http.client.HTTPConnection("127.0.0.1", 8766) for _ in range(4)]
        for each in waiting:
            each.putrequest("POST", "/classify")
            each.putheader("Content-Type", "application/json")
            each.putheader("Content-Length", str(len(body)))
            each.endheaders(body[:half])
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        time.sleep(1)
        for each in waiting:
            each.send(body[half:])
        replies = [each.getresponse() for each in waiting]
        assert [reply.status for reply in replies] == [200] * 4
        assert all(len(json.load(reply)) == len(SENTENCES) for reply in replies)
        assert process.wait(timeout=30) in (0, -signal.SIGTERM)


def test_one_page_does_all_of_it(tmp_path):
    """In 150 lines and without `helpers`; here with few steps of pretraining."""
    program = SCRIPTS / "one_page.py"
    text = program.read_text("utf-8")
    assert len(text.splitlines()) <= 150
    assert "helpers" not in text
    printed = finish(start_python(program, folder=tmp_path, STEPS="8"), seconds=1800)
    accuracy = dict(re.findall(r"^(\w[^\d\n]+?) +(\d\d\.\d)$", printed, re.MULTILINE))
    assert [*accuracy][::3] == ["bag of words", "pretrained encoder"]
    # By guessing it would be 50, and a fifth of the sentences tell it to 2 points.
    assert all(float(each) > 65 for each in accuracy.values())
