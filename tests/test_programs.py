"""The programs of scripts/, and the classifier of notebook 6 without the series."""

import base64
import contextlib
import dataclasses
import hashlib
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

import nbformat
import pytest
import requests
import tokenizers

from conftest import NOTEBOOKS, REPOSITORY, finish, run_python, start_python
from helpers import corpora, normalization, packing, profiles, tasks, wordpieces

pytestmark = pytest.mark.slow

# What `pytest --nbval notebooks` leaves.
LEFT = REPOSITORY / "artifacts" / "tested" / "sample"
SCRIPTS = REPOSITORY / "scripts"
CLASSIFY = SCRIPTS / "classify.py"
SERVE = SCRIPTS / "serve.py"
# Words, signs and letters that are hard to normalise, and empty sentences; three have more
# than the 48 word pieces that the model reads.
SENTENCES = [
    "A film to remember!",
    "",
    "\u200b \t",
    "STRASSE Straße ÇA naïve e\u0301 ﬁlm ½",
    "ὈΔΥΣΣΕΎΣ и Йод, हिन्दी ภาษาไทย العَرَبِيَّة 日本語が 한국어 🎬👍🏽",
    "a" * 300 + " " + "я" * 300,
    "one word " * 200,
    'tabs\tand "quotes" [MASK] <br />',
    "one word " * 24,
    "one word " * 24 + "more",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the classifier of notebook 6, to which its appendix adds an int8 model."""
    assert (LEFT / "06_using_your_encoder.json").exists(), "run `make test-slow` first"
    return shutil.copytree(LEFT / "classifier", tmp_path_factory.mktemp("a") / "classifier")


@pytest.fixture(autouse=True)
def programs_as_modules(monkeypatch):
    """Tests import programs."""
    monkeypatch.syspath_prepend(str(SCRIPTS))


def environment(prefix=sys.prefix):
    """One in which `python` is that of this folder."""
    return os.environ | {"PATH": f"{prefix}/bin:{os.environ['PATH']}"}


def run(command, text="", **options):
    """Runs a line in bash: status, standard output and standard error."""
    command = ["bash", "-o", "pipefail", "-c", command]
    options = {"env": environment(), "capture_output": True, "encoding": "utf-8"} | options
    done = subprocess.run(command, input=text, timeout=300, **options)
    return done.returncode, done.stdout, done.stderr


# classify.py and the ONNX models


def test_every_line_is_answered(folder):
    status, printed, note = run(f"python {CLASSIFY} {folder}", "\n".join(SENTENCES))
    assert status == 0
    for sentence, line in zip(SENTENCES, printed.splitlines(), strict=True):
        label, probability, text = line.split("\t")
        assert label in tasks.CLASSES
        assert 0.5 <= float(probability) <= 1
        assert text == sentence.strip().replace("\t", " ")
    assert note == "Only the first 48 word pieces were read of 3 lines: 6, 7, 10\n"


def read_lines(content):
    import classify

    return list(classify.read_lines(io.BufferedReader(io.BytesIO(content))))


def test_lines_are_read_in_the_encoding_of_their_mark():
    lines = ["a film", "", "日本 \u2028 \x0b 🎬", "Ça"]
    for encoding in "utf-8", "utf-8-sig", "utf-16", "utf-32":
        for end in "\n", "\r\n", "\r":
            assert read_lines(end.join(lines).encode(encoding)) == lines
    # Without a mark
    for encoding in "utf-16-le", "utf-16-be", "utf-32-le":
        with pytest.raises(ValueError, match=r"Line \d has a NUL .*: save .* as UTF-8\."):
            read_lines("日本\n".encode(encoding))
    assert read_lines(b"caf\xe9\ngood\n") == ["caf\ufffd", "good"]


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
    full = "Reading lines or writing answers failed: No space left on device.\n"
    closed = "Standard input or output is closed: leave both open.\n"
    for command, status, message in (
        # A reader that has enough: the signal 13, SIGPIPE.
        (f"yes good | head -2000 | {program} | head -1", 128 + signal.SIGPIPE, ""),
        (f"echo good | {program} > /dev/full", 1, full),
        (f"{program} <&-", 1, closed),
    ):
        ended, _, said = run(command)
        assert (ended, said) == (status, message)


@pytest.mark.parametrize("beginning", [20, 2000])
def test_the_exported_tokenizer_reads_as_the_series_does(folder, monkeypatch, beginning):
    """However many characters of a sentence it reads first."""
    import classify

    monkeypatch.setattr(classify, "BEGINNING", beginning)
    profile = profiles.load_profile()
    vocabulary = wordpieces.read_vocabulary(LEFT / "vocabulary.txt")
    texts = SENTENCES + tasks.read_task(profile).test.text.tolist()
    length = profile.sentence_lengths[-1]
    classifier = classify.Classifier(folder)
    wanted = wordpieces.tokenize(texts, vocabulary, profile)
    for text, ids in zip(texts, wanted, strict=True):
        ids = ids.tolist() or [normalization.UNK]
        assert classifier.read(text) == (ids[:length], len(ids) > length), text


def test_missing_damaged_or_changed_files_are_refused_by_name(folder, tmp_path):
    folder = shutil.copytree(folder, tmp_path / "damaged")
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


# serve.py


@contextlib.contextmanager
def serving(command, **options):
    """Starts a server with a line of bash: its process and the port."""
    options = {"env": environment(), "stdout": subprocess.PIPE, "text": True} | options
    with subprocess.Popen(["bash", "-c", f"exec {command}"], **options) as process:
        try:
            address = process.stdout.readline()
            yield process, int(re.fullmatch(r"http://127.0.0.1:(\d+)/\n", address)[1])
        finally:
            process.kill()


@pytest.fixture(scope="module")
def port(folder):
    """That of a server which all tests share that don't end it."""
    with serving(f"python {SERVE} {folder} 0 model_int8.onnx") as (_, port):
        yield port


def request(port, method, path, body=None, **headers):
    """The response of a server."""
    session = requests.Session()
    session.trust_env = False  # without a proxy
    headers = {"Content-Type": "application/json", **headers}
    address = f"http://127.0.0.1:{port}{path}"
    return session.request(method, address, data=body, headers=headers, timeout=60)


def ask(port, sentences, **options):
    """The response to sentences, or to another body."""
    if not isinstance(sentences, bytes):
        sentences = json.dumps({"sentences": sentences}, **options).encode()
    return request(port, "POST", "/classify", sentences)


def test_the_server_answers_as_classify_does(folder, port):
    """It says what an answer is based on, and an answer doesn't depend on the others."""
    import classify

    classifier = classify.Classifier(folder, "model_int8.onnx")
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "onnx" / "tokenizer.json"))
    answers = ask(port, SENTENCES).json()
    for sentence, answer in zip(SENTENCES, answers, strict=True):
        assert answer == dataclasses.asdict(classifier.answer(sentence))
        probabilities = answer["probabilities"]
        assert list(probabilities) == list(tasks.CLASSES)
        assert sum(probabilities.values()) == pytest.approx(1)
        assert answer["label"] == max(probabilities, key=probabilities.get)
        assert answer["probability"] == probabilities[answer["label"]]
        assert answer["tokens"] == (tokenizer.encode(sentence).tokens or ["[UNK]"])
    cut = [number for number, answer in enumerate(answers, 1) if answer["truncated"]]
    assert cut == [6, 7, 10]


def test_the_server_has_a_page_that_runs_only_its_own_script(port):
    """Nor may the page ask anyone but the server."""
    response = request(port, "GET", "/")
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.content == (SCRIPTS / "page.html").read_bytes()
    rules = response.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "connect-src 'self'"} <= set(rules)
    for name in "style", "script":
        (part,) = re.findall(rf"<{name}>(.*?)</{name}>", response.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in rules


def test_the_server_says_why_it_refuses(port):
    for body, reason in (
        ([], "at least 1"),
        (["a"] * 65, "at most 64"),
        (["a" * 2001], "at most 2000"),
        ([1], "string"),
        (b"no JSON", "body"),
        (b"{}", "body"),
        (b'{"sentences": ["caf\xe9"]}', "body"),
        (b'{"sentences": ["\\ud800"]}', "body"),
        (b"[" * 1_000_000, "body"),
    ):
        response = ask(port, body)
        assert response.status_code == 400
        assert reason in response.json()["detail"]
    # Whatever is within the other limits is within that of bytes.
    assert ask(port, ["🎬" * 2000] * 64, indent=8).status_code == 200
    # A body that is too long is refused before it is read; so is one without a length.
    with begin_request(port, 1_542_401) as too_long:
        assert too_long.recv(100).startswith(b"HTTP/1.1 413 ")
    assert request(port, "POST", "/classify", iter([b"{}"])).status_code == 411
    assert ask(port, ["good"]).status_code == 200


def test_only_web_pages_of_this_machine_may_ask(port):
    asks = {"Access-Control-Request-Method": "POST"}
    asks["Access-Control-Request-Headers"] = "content-type"
    for origin, allowed in (
        ("http://localhost:8888", "http://localhost:8888"),
        ("http://127.0.0.1", "http://127.0.0.1"),
        ("https://example.org", None),
        ("http://localhost.example.org", None),
    ):
        before = request(port, "OPTIONS", "/classify", Origin=origin, **asks)
        response = request(port, "POST", "/classify", b"{}", Origin=origin)
        for headers in before.headers, response.headers:
            assert headers.get("Access-Control-Allow-Origin") == allowed


def test_what_keeps_the_server_from_starting_is_said(folder, monkeypatch, capsys):
    import serve

    with socket.create_server(("127.0.0.1", 0)) as used:
        port = str(used.getsockname()[1])
        for arguments, page, reason in (
            ([folder, port], serve.PAGE, f"Port {port} can't be used (Address already in"),
            ([folder, "99999"], serve.PAGE, "give a number from 1 to 65535"),
            ([folder, "abc"], serve.PAGE, "give a number from 1 to 65535"),
            (["/nowhere", "0"], serve.PAGE, "There is no /nowhere/onnx/model.onnx: "),
            ([folder, "0"], pathlib.Path("/no/page.html"), "There is no /no/page.html: "),
        ):
            monkeypatch.setattr(serve, "PAGE", page)
            monkeypatch.setattr(sys, "argv", ["serve.py", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                serve.main()
            # Python prints the exception, unless it is a number.
            assert reason in f"{ended.value}\n{capsys.readouterr().err}"


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


def test_stalled_clients_hold_up_neither_others_nor_the_end(folder):
    """Before which requests that have begun are answered."""
    body = json.dumps({"sentences": SENTENCES}).encode()
    with serving(f"python {SERVE} {folder} 0") as (process, port):
        stalled = begin_request(port, 300)
        assert ask(port, body).status_code == 200
        assert stalled.recv(100).startswith(b"HTTP/1.1 408 ")
        # Two more, just before the end, and one that goes on
        body_missing = begin_request(port, 300)
        header_incomplete = begin_request(port)
        begun = begin_request(port, len(body))
        begun.sendall(body[:20])
        # Connections are accepted in their order.
        assert ask(port, body).status_code == 200
        process.send_signal(signal.SIGTERM)
        wait_until_closed(port)
        begun.sendall(body[20:])
        assert begun.recv(100).startswith(b"HTTP/1.1 200 ")
        assert process.wait(timeout=20) == -signal.SIGTERM  # 143 in a shell
        for connection in stalled, body_missing, header_incomplete, begun:
            connection.close()


# What is documented

COMMAND = re.compile(
    r"^[ \t]*((?:echo .* \| )?\S*python scripts/\w+\.py .*|curl .*)$", re.MULTILINE
)


def documented(text):
    """The commands of a text that run the programs, and curl."""
    return COMMAND.findall(text.replace("\\\n", ""))


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_documented_commands_work(folder, tmp_path):
    """As they are, but for the port, which may be in use."""
    texts = [nbformat.read(NOTEBOOKS[5], as_version=4).cells[-1].source]
    for path in REPOSITORY / "docs" / "use.md", CLASSIFY, SERVE:
        texts.append(path.read_text("utf-8"))
    commands = {}  # the same ones once
    for text in texts:
        assert documented(text)
        commands |= dict.fromkeys(documented(text))
    # In an environment with what it needs, as serve.py says, and nothing else
    needed = re.search(r"^    pip install (.*)$", SERVE.read_text("utf-8"), re.M)[1].split()
    requirements = (REPOSITORY / "requirements.txt").read_text("utf-8")
    pins = re.findall(rf"^(?:{'|'.join(needed)})==\S+$", requirements, re.M)
    run_python("-m", "venv", tmp_path / ".venv")
    run_python("-m", "pip", f"--python={tmp_path}/.venv", "install", "--quiet", *pins)
    options = {"cwd": tmp_path, "env": environment(tmp_path / ".venv")}
    assert run("python -c 'import keras'", **options)[0] == 1
    (tmp_path / "scripts").symlink_to(SCRIPTS)
    for place in "artifacts", "libraries":
        (tmp_path / place / "sample").mkdir(parents=True)
        (tmp_path / place / "sample" / "classifier").symlink_to(folder)
    (tmp_path / "sentences.txt").write_text("A film to remember.\n", "utf-8")
    with contextlib.ExitStack() as stack:
        for command in commands:
            if "serve.py" in command:
                server = serving(command.replace("8000", "0"), **options)
                _, port = stack.enter_context(server)
                continue
            if "curl" in command:
                command = command.replace("8000", str(port))
            status, printed, message = run(command, **options)
            assert status == 0, message
            assert re.search("favourable.*0[.][5-9]", printed)


# tokenize_corpus.py and one_page.py


def test_a_cluster_reads_a_vocabulary_as_notebooks_do(
    monkeypatch, tmp_path, texts, vocabulary
):
    """With the special tokens where BERT's vocabulary has them."""
    import tokenize_corpus

    monkeypatch.chdir(tmp_path)
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
