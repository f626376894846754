"""The programs of scripts/, and the classifier of notebook 6 without the series."""

import ast
import base64
import contextlib
import hashlib
import http.client
import io
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import keras
import nbformat
import numpy as np
import pytest
import tokenizers
from onnxruntime import quantization

from conftest import NOTEBOOKS, REPOSITORY, finish, run_python, start_python
from helpers import corpora, kerashub, normalization, packing, profiles, tasks, wordpieces

pytestmark = pytest.mark.slow

# What `pytest --nbval notebooks` leaves.
LEFT = REPOSITORY / "artifacts" / "tested" / "sample"
SCRIPTS = REPOSITORY / "scripts"
CLASSIFY = SCRIPTS / "classify.py"
SERVE = SCRIPTS / "serve.py"
# In which `python` is the Python that runs the tests
ENVIRONMENT = os.environ | {"PATH": f"{sys.prefix}/bin:{os.environ['PATH']}"}
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
    """A copy of the classifier of notebook 6, to which its appendix adds an int8 model."""
    assert (LEFT / "06_using_your_encoder.json").exists(), "run `make test-slow` first"
    return shutil.copytree(LEFT / "classifier", tmp_path / "classifier")


@pytest.fixture
def program(monkeypatch):
    """The module classify.py."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import classify

    return classify


def environment(folder, *packages):
    """Creates an environment with some packages of requirements.txt: its Python."""
    requirements = (REPOSITORY / "requirements.txt").read_text("utf-8")
    pins = []
    for package in packages:
        pins += re.findall(rf"^{package}==\S+$", requirements, re.MULTILINE)
    assert len(pins) == len(packages)
    run_python("-m", "venv", folder)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *pins], check=True)
    return python


def run(command, text="", folder=None):
    """Runs a line in bash: status, standard output and standard error."""
    command = ["bash", "-o", "pipefail", "-c", command]
    options = {"capture_output": True, "encoding": "utf-8", "cwd": folder}
    done = subprocess.run(command, input=text, env=ENVIRONMENT, timeout=300, **options)
    return done.returncode, done.stdout, done.stderr


# classify.py and the ONNX models


def test_every_line_is_answered_by_a_runtime_alone(folder, tmp_path):
    """In the same way as with Keras installed."""
    runtime = environment(tmp_path / "venv", "onnxruntime", "tokenizers")
    assert run(f"{runtime} -c 'import keras'")[0] == 1
    lines = "\n".join(SENTENCES) + "\n"
    status, printed, _ = run(f"{runtime} {CLASSIFY} {folder}", lines)
    assert status == 0
    assert printed == run(f"python {CLASSIFY} {folder}", lines)[1]
    for sentence, line in zip(SENTENCES, printed.splitlines(), strict=True):
        label, probability, text = line.split("\t")
        assert label in tasks.CLASSES
        assert 0.5 <= float(probability) <= 1
        assert text == sentence.strip().replace("\t", " ")


def read_lines(program, content):
    return list(program.read_lines(io.BufferedReader(io.BytesIO(content))))


def test_lines_are_read_in_the_encoding_of_their_mark(program):
    lines = ["a film", "", "日本 \u2028 \x0b 🎬", "Ça"]
    for encoding in "utf-8", "utf-8-sig", "utf-16", "utf-32":
        for end in "\n", "\r\n", "\r":
            assert read_lines(program, end.join(lines).encode(encoding)) == lines


def test_what_is_no_utf_8_is_refused_or_answered(program):
    for encoding in "utf-16-le", "utf-16-be", "utf-32-le":
        with pytest.raises(ValueError, match=r"Line \d has a NUL .*: save .* as UTF-8\."):
            read_lines(program, "日本\n".encode(encoding))
    assert read_lines(program, b"caf\xe9\ngood\n") == ["caf\ufffd", "good"]


@pytest.mark.parametrize("model", ["model.onnx", "model_int8.onnx", "dynamic.onnx"])
def test_an_answer_does_not_depend_on_the_other_sentences(folder, program, model):
    """Nor with a model that rounds the numbers of a batch by a common scale."""
    if model == "dynamic.onnx":
        path = folder / "onnx" / model
        quantization.quantize_dynamic(path.with_name("model.onnx"), path)
    classifier = program.Classifier(folder, model)
    together = classifier(SENTENCES)
    for sentence, row in zip(SENTENCES, together, strict=True):
        assert np.array_equal(classifier([sentence])[0], row)
        assert classifier.answer(sentence).probability == row.max()


def test_lines_are_answered_as_they_come_and_ctrl_c_ends_it(folder):
    """However long a line is."""
    options = dict.fromkeys(["stdin", "stdout", "stderr"], subprocess.PIPE) | {"text": True}
    with subprocess.Popen([sys.executable, CLASSIFY, folder], **options) as process:
        for line in "good", "bad", "so long " * 1_500_000:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            assert process.stdout.readline().endswith(f"\t{line.strip()}\n")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == -signal.SIGINT  # 130 in a shell
        assert not process.stderr.read()


def test_it_ends_as_other_programs_do(folder):
    program = f"python {CLASSIFY} {folder}"
    # A reader that has enough: the signal 13, SIGPIPE.
    status, printed, message = run(f"yes good | head -2000 | {program} | head -1")
    assert status == 128 + signal.SIGPIPE
    assert printed.count("\n") == 1
    assert not message
    status, _, message = run(f"echo good | {program} > /dev/full")
    assert status == 1
    assert message == "Reading lines or writing answers failed: No space left on device.\n"
    status, _, message = run(f"{program} <&-")
    assert status == 1
    assert message == "Standard input or output is closed: leave both open.\n"


def test_what_is_longer_than_the_model_reads_is_named(folder):
    lines = ["short", "one word " * 24, "one word " * 24 + "more", "one word " * 200]
    status, printed, message = run(f"python {CLASSIFY} {folder}", "\n".join(lines))
    assert status == 0
    assert printed.count("\n") == len(lines)
    assert message == "Only the first 48 word pieces were read of 2 lines: 3, 4\n"


def test_onnx_computes_what_keras_does(folder, program):
    """For several numbers and lengths of rows, with padding and without."""
    rng = np.random.default_rng(0)
    session = program.Classifier(folder).session
    classifier = kerashub.TextClassifier.from_preset(str(folder), compile=False)
    classifier.preprocessor = None
    for shape in (1, 48), (7, 5), (64, 127):
        token_ids = rng.integers(5, 8_000, shape).astype("int32")
        ends = rng.integers(1, shape[1] + 1, (shape[0], 1))
        padded = np.where(np.arange(shape[1]) < ends, token_ids, 0)
        for rows in token_ids, padded:
            wanted = keras.ops.softmax(classifier.predict(rows, verbose=0))
            (probabilities,) = session.run(None, {"token_ids": rows})
            np.testing.assert_allclose(probabilities, wanted, atol=1e-4)


@pytest.mark.parametrize("beginning", [20, 2000])
def test_the_exported_tokenizer_reads_as_the_series_does(
    folder, program, monkeypatch, beginning
):
    """However many characters of a sentence it reads first."""
    monkeypatch.setattr(program, "BEGINNING", beginning)
    profile = profiles.load_profile()
    vocabulary = wordpieces.read_vocabulary(LEFT / "vocabulary.txt")
    texts = SENTENCES + tasks.read_task(profile).test.text.tolist()
    length = profile.sentence_lengths[-1]
    classifier = program.Classifier(folder)
    wanted = wordpieces.tokenize(texts, vocabulary, profile)
    for text, ids in zip(texts, wanted, strict=True):
        ids = ids.tolist() or [normalization.UNK]
        assert classifier.read(text) == (ids[:length], len(ids) > length), text


def test_missing_damaged_or_changed_files_are_refused_by_name(folder):
    model = folder / "onnx" / "model.onnx"
    tokenizer = folder / "onnx" / "tokenizer.json"
    for damage, reason in (
        (lambda: tokenizer.write_text(tokenizer.read_text() + " "), "not the tokenizer"),
        (lambda: os.truncate(model, 100_000), "model.onnx can't be used"),
        (lambda: shutil.rmtree(folder / "onnx"), "model.onnx: give the folder"),
    ):
        damage()
        status, printed, message = run(f"python {CLASSIFY} {folder}", "good\n")
        assert status == 1
        assert not printed
        assert reason in message
        assert message.count("\n") == 1  # no traceback


# The preset, with KerasHub

LOAD = """
import sys
import keras_hub

sys.path.insert(0, "")  # the current folder, which is the preset's
import series_encoder

classifier = keras_hub.models.TextClassifier.from_preset(".", compile=False)
rows = classifier.predict(["A film to remember.", "dull"], verbose=0)
print(series_encoder.models.__file__)
for row in rows:
    print(classifier.classes[row.argmax()])
"""


def test_keras_hub_alone_loads_the_preset(folder, tmp_path):
    packages = "keras", "keras-hub", "jax", "tensorflow", "tensorflow-text", "numpy"
    python = environment(tmp_path / "venv", *packages)
    options = {"capture_output": True, "text": True, "cwd": folder}
    options["env"] = os.environ | {"KERAS_BACKEND": "jax"}
    done = subprocess.run([python, "-I", "-c", LOAD], **options)
    code = str(folder / "series_encoder" / "models.py")
    assert done.stdout.splitlines() == [code, "favourable", "unfavourable"], done.stderr


# serve.py


@contextlib.contextmanager
def serving(command, folder=None):
    """Starts a server with a line of bash: its process and the port."""
    options = {"stdout": subprocess.PIPE, "text": True, "cwd": folder, "env": ENVIRONMENT}
    process = subprocess.Popen(["bash", "-c", f"exec {command}"], **options)
    try:
        address = process.stdout.readline()
        yield process, int(re.fullmatch(r"http://127.0.0.1:(\d+)/\n", address)[1])
    finally:
        process.kill()
        process.communicate()


def request(port, method, path, body=None, **headers):
    """The status of a response, its headers, and its content if that is JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
        if content and response.headers.get_content_type() == "application/json":
            content = json.loads(content)
        return response.status, response.headers, content


def ask(port, sentences=("good",), body=None, **headers):
    """Sends sentences, or another body: the status and the content of the response."""
    if body is None:
        body = json.dumps({"sentences": sentences}).encode()
    headers = {"Content-Type": "application/json", **headers}
    status, _, content = request(port, "POST", "/classify", body, **headers)
    return status, content


def test_the_server_answers_as_classify_does(folder):
    with serving(f"python {SERVE} {folder} 0 model_int8.onnx") as (_, port):
        status, answers = ask(port, SENTENCES)
    assert status == 200
    lines = "\n".join(SENTENCES) + "\n"
    _, printed, _ = run(f"python {CLASSIFY} {folder} model_int8.onnx", lines)
    for answer, line in zip(answers, printed.splitlines(), strict=True):
        assert line.startswith(f"{answer['label']}\t{answer['probability']:.3f}\t")
    assert not answers[0]["truncated"]
    assert answers[6]["truncated"]


def test_the_server_says_what_an_answer_is_based_on(folder):
    """The probabilities of all classes, and the word pieces that the model read."""
    with serving(f"python {SERVE} {folder} 0") as (_, port):
        status, answers = ask(port, SENTENCES)
    assert status == 200
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "onnx" / "tokenizer.json"))
    for sentence, answer in zip(SENTENCES, answers, strict=True):
        probabilities = answer["probabilities"]
        assert list(probabilities) == list(tasks.CLASSES)
        assert sum(probabilities.values()) == pytest.approx(1)
        assert probabilities[answer["label"]] == answer["probability"]
        assert answer["probability"] == max(probabilities.values())
        assert answer["tokens"] == (tokenizer.encode(sentence).tokens or ["[UNK]"])
        assert not answer["truncated"] or len(answer["tokens"]) == 48


def test_the_server_has_a_page_that_runs_only_its_own_script(folder):
    """Nor may the page ask anyone but the server."""
    with serving(f"python {SERVE} {folder} 0") as (_, port):
        status, headers, page = request(port, "GET", "/")
        assert request(port, "HEAD", "/")[0] == 200
        _, _, described = request(port, "GET", "/openapi.json")
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.decode() == (SCRIPTS / "page.html").read_text("utf-8")
    rules = headers["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in rules
    assert "connect-src 'self'" in rules
    for name in "style", "script":
        (content,) = re.findall(rf"<{name}>(.*?)</{name}>".encode(), page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in rules
    assert list(described["paths"]) == ["/classify"]


def test_the_server_does_not_start_without_its_page(folder, tmp_path):
    for program in CLASSIFY, SERVE:
        shutil.copy(program, tmp_path)
    status, _, message = run(f"python serve.py {folder} 0", folder=tmp_path)
    assert status == 1
    assert re.fullmatch(r"There is no \S+page.html: .*\n", message)


def test_the_server_says_why_it_refuses(folder):
    with serving(f"python {SERVE} {folder} 0") as (_, port):
        for sentences, reason in (
            ([], "at least 1"),
            (["a"] * 65, "at most 64"),
            (["a" * 2001], "at most 2000"),
            ([1], "string"),
        ):
            status, answer = ask(port, sentences)
            assert status == 400
            assert reason in answer["detail"]
        for body in (
            b"no JSON",
            b"{}",
            b'{"sentences": ["caf\xe9"]}',
            b'{"sentences": ["\\ud800"]}',
            b"[" * 1_000_000,
        ):
            status, answer = ask(port, body=body)
            assert status == 400
            assert "body" in answer["detail"]
        # Whatever is within the other limits is within that of bytes.
        largest = json.dumps({"sentences": ["🎬" * 2000] * 64}, indent=8)
        assert ask(port, body=largest.encode())[0] == 200
        # A body that is too long is refused before it is read; so is one without a length.
        status, answer = ask(port, **{"Content-Length": "1542401"})
        assert status == 413
        assert "at most 1542400 bytes" in answer["detail"]
        status, _, answer = request(port, "POST", "/classify", iter([b"{}"]))
        assert status == 411
        assert "Content-Length" in answer["detail"]
        assert ask(port)[0] == 200


def test_other_methods_and_web_pages_get_a_proper_answer(folder):
    asks = {"Access-Control-Request-Method": "POST"}
    asks["Access-Control-Request-Headers"] = "content-type"
    with serving(f"python {SERVE} {folder} 0") as (_, port):
        assert request(port, "HEAD", "/docs")[0] == 200
        for method in "HEAD", "OPTIONS", "GET":
            status, headers, _ = request(port, method, "/classify")
            assert status == 405
            assert headers["Allow"] == "POST"
        for origin, preflight, allowed in (
            ("http://localhost:8888", 200, "http://localhost:8888"),
            ("http://127.0.0.1", 200, "http://127.0.0.1"),
            ("https://example.org", 400, None),
            ("http://localhost.example.org", 400, None),
        ):
            status, headers, _ = request(
                port, "OPTIONS", "/classify", Origin=origin, **asks
            )
            assert status == preflight
            assert headers["Access-Control-Allow-Origin"] == allowed
            status, headers, _ = request(port, "POST", "/classify", b"{}", Origin=origin)
            assert status == 400
            assert headers["Access-Control-Allow-Origin"] == allowed


def test_ports_and_folders_are_refused_in_a_sentence(folder):
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
        status, _, message = run(f"python {SERVE} {folder} {port}")
    assert status == 1
    assert message.startswith(f"Port {port} can't be used (Address already in use): ")
    for port in "99999", "-1", "abc":
        status, _, message = run(f"python {SERVE} {folder} {port}")
        assert status == 2
        assert "give a number from 1 to 65535" in message
    status, _, message = run(f"python {SERVE} /nowhere 0")
    assert status == 1
    assert re.fullmatch(r"There is no \S+model.onnx: .*\n", message)


def begin_request(port, length=None):
    """A connection on which a request was begun: the header, with the length of a body; by
    default only a part of the header."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    header = "POST /classify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    if length is not None:
        header += f"Content-Length: {length}\r\n\r\n"
    connection.sendall(header.encode())
    return connection


def wait_until_closed(port):
    """Waits until a server accepts no more connections."""
    with contextlib.suppress(ConnectionRefusedError):
        for _ in range(300):
            socket.create_connection(("127.0.0.1", port), timeout=20).close()
            time.sleep(0.1)
        raise AssertionError("the server still accepts connections")


def test_requests_that_have_begun_are_answered_before_the_end(folder):
    body = json.dumps({"sentences": SENTENCES}).encode()
    with serving(f"python {SERVE} {folder} 0") as (process, port):
        connection = begin_request(port, len(body))
        connection.sendall(body[:20])
        # Connections are accepted in their order.
        assert ask(port)[0] == 200
        process.send_signal(signal.SIGTERM)
        wait_until_closed(port)
        connection.sendall(body[20:])
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        assert process.wait(timeout=30) == -signal.SIGTERM  # 143 in a shell


def test_stalled_clients_hold_up_neither_others_nor_the_end(folder):
    with serving(f"python {SERVE} {folder} 0") as (process, port):
        stalled = begin_request(port, 300)
        assert ask(port)[0] == 200
        assert stalled.recv(100).startswith(b"HTTP/1.1 408 ")
        # Two more, just before the end
        body_missing = begin_request(port, 300)
        header_incomplete = begin_request(port)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == -signal.SIGTERM
        for connection in stalled, body_missing, header_incomplete:
            connection.close()


# What is documented

COMMAND = re.compile(
    r"^[ \t]*((?:echo .* \| )?\S*python scripts/\w+\.py .*|curl .*)$", re.MULTILINE
)


def documented(text):
    """The commands of a text that run the programs, and curl."""
    return COMMAND.findall(text.replace("\\\n", ""))


TEXTS = {
    "use.md": (REPOSITORY / "docs" / "use.md").read_text("utf-8"),
    "notebook 6": nbformat.read(NOTEBOOKS[5], as_version=4).cells[-1].source,
    "classify.py": (SCRIPTS / "classify.py").read_text("utf-8"),
    "serve.py": (SCRIPTS / "serve.py").read_text("utf-8"),
}


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
@pytest.mark.parametrize("text", TEXTS)
def test_documented_commands_work(folder, tmp_path, text):
    """As they are, but for the port, which may be in use."""
    (tmp_path / "scripts").symlink_to(SCRIPTS)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    for place in "artifacts", "libraries":
        (tmp_path / place / "sample").mkdir(parents=True)
        (tmp_path / place / "sample" / "classifier").symlink_to(folder)
    (tmp_path / "sentences.txt").write_text("A film to remember.\n", "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    commands = documented(TEXTS[text])
    assert commands
    with contextlib.ExitStack() as stack:
        for command in commands:
            command = command.replace("8000", port)
            if "serve.py" in command:
                stack.enter_context(serving(command, tmp_path))
            else:
                status, printed, message = run(command, folder=tmp_path)
                assert status == 0, message
                assert re.search("favourable.*0[.][5-9]", printed)


@pytest.mark.parametrize(
    "program",
    [
        "classify",
        "demo",
        "first_page",
        "pretrain",
        "serve",
        "share",
        "to_onnx",
        "tokenize_corpus",
    ],
)
def test_help_is_the_manual(program, tmp_path):
    """From any folder, and without Keras, which would take seconds."""
    path = SCRIPTS / f"{program}.py"
    options = {"cwd": tmp_path, "capture_output": True, "text": True}
    imports = [sys.executable, "-X", "importtime", path, "--help"]
    done = subprocess.run(imports, **options)
    assert done.returncode == 0
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))) in done.stdout
    assert not re.search(r"\| +(keras|tensorflow|jax)$", done.stderr, re.MULTILINE)


# tokenize_corpus.py and one_page.py


def test_a_cluster_reads_a_vocabulary_as_notebooks_do(
    monkeypatch, tmp_path, texts, vocabulary
):
    """With the special tokens where BERT's vocabulary has them."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.chdir(tmp_path)
    import tokenize_corpus

    distributed = pytest.importorskip("distributed")
    lines = [text.replace("\n", " ") for text in texts]
    pathlib.Path("corpus.txt").write_text("\n".join(lines), "utf-8")
    pieces = vocabulary[:1] + vocabulary[5:104] + vocabulary[1:5] + vocabulary[104:]
    pathlib.Path("vocabulary.txt").write_text("\n".join(pieces), "utf-8")
    (command,) = documented((SCRIPTS / "tokenize_corpus.py").read_text("utf-8"))
    options = {"n_workers": 1, "processes": False, "protocol": "tcp://"}
    with distributed.LocalCluster(**options, dashboard_address=None) as cluster:
        command = command.replace("tcp://10.0.0.1:8786", cluster.scheduler_address)
        monkeypatch.setattr(sys, "argv", command.split()[1:])
        tokenize_corpus.main()
    profile = profiles.load_profile(
        corpus="corpus.txt", vocabulary="vocabulary.txt", vocabulary_size=len(vocabulary)
    )
    pieces = wordpieces.load_vocabulary(profile)
    packing.store_rows(corpora.read_corpus(profile), pieces, profile, "here.bin")
    assert pathlib.Path("rows.bin").read_bytes() == pathlib.Path("here.bin").read_bytes()


def test_one_page_does_all_of_it(tmp_path):
    """Here with few steps of pretraining."""
    process = start_python(SCRIPTS / "one_page.py", folder=tmp_path, STEPS="8")
    printed = finish(process, seconds=1800)
    accuracy = dict(re.findall(r"^(\w[^\d\n]+?) +(\d\d\.\d)$", printed, re.MULTILINE))
    assert {"bag of words", "pretrained encoder"} <= accuracy.keys()
    # By guessing it would be 50, and a fifth of the sentences tell it to 2 points.
    for share in accuracy.values():
        assert float(share) > 65
