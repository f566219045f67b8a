"""tools/prose_lint: for each rule a sample with a finding and one without."""

import subprocess
from itertools import chain
from pathlib import Path

import pytest

from tools.prose_lint import (
    GLOSSARY,
    check_glossary,
    check_markdown,
    check_python,
    check_rates,
    check_subject,
    commits,
    is_covered,
    main,
    rates,
)
from tools.prose_text import excluded_words, sentence_ends
from tools.prose_words import EXCEPTIONS, NAMES, RULE_4, UNCHECKED, WORDS

HEAD = "| term | meaning | not |\n|---|---|---|\n"
TABLE = f"""{HEAD}
| user | whoever uses the assistant | person, people, somebody (allowed in texts that users themselves read) |
| pseudonym | keyed hash of a user id | digest, name |
| event | one record in | word, observation of a person |
| feedback | | judgement, wish |
| turn, conversation | one answer; a sequence of turns | |
| facet, value, catalogue | | slot (in public names), place |
| user model | | own part, preferences of somebody |
| population model | shared beliefs | everybody, what is believed of everybody, there, known, first |
| checkpoint interval | time between checkpoints (`--epoch` becomes `--checkpoint-every`) | epoch |
| checkpoint, manifest | | seal, shelf |
| signal | | news, what was said |
| emit, publish | | say, tell, retell |
| evidence, reason | | why (the JSON member stays `why`) |
| reject | | refused (of records), malformed |
| shard, exchange, worker, host | | place (of a process) |
| cluster node, hash slot | | slot without "hash" |
| Φ, φ | `normal_cdf`, `normal_pdf` | `phi` for the CDF |
"""
"""The glossary as it was when the lint was made."""


def python(source: str) -> list[str]:
    """Return the findings in a Python file, without its path."""
    return [str(finding).removeprefix("a.py:") for finding in check_python("a.py", source)]


def markdown(source: str) -> list[str]:
    """Return the findings in a Markdown file, without its path."""
    return [str(finding).removeprefix("a.md:") for finding in check_markdown("a.md", source)]


def subject(text: str) -> list[str]:
    """Return the messages on a commit's subject."""
    return [finding.message for finding in check_subject("abc1234", text)]


# Rule 1


@pytest.mark.parametrize("start", ["What", "Who", "Whose", "That which", "Whether", "How", "Why", "Where", "Whoever"])
def test_docstring_must_not_begin_with_a_clause(start: str) -> None:
    assert python(f'"""{start} holds here."""') == [
        f'1: rule 1: docstring begins with "{start}"; begin with a noun or an imperative'
    ]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ('class A:\n    """What it is."""', 2),
        ('def f() -> None:\n    """What it is."""', 2),
        ('async def f() -> None:\n    """What it is."""', 2),
        ('A = 1\n"""What it is."""', 2),
        ('class A:\n    a: int\n    """What it is."""', 3),
        ('def __init__(self):\n    self.a = 1\n    """What it is."""', 3),
    ],
)
def test_docstring_is_found_wherever_it_stands(source: str, line: int) -> None:
    assert [finding.partition(": docstring")[0] for finding in python(source)] == [f"{line}: rule 1"]


@pytest.mark.parametrize(
    "source",
    [
        '"""Whole numbers."""',
        '"""Return what is held."""',
        '"""That."""',
        'f("What is this?")',
        'if x:\n    "What is it"',
    ],
)
def test_other_texts_may_begin_so(source: str) -> None:
    assert python(source) == []


def test_rates_count_words_of_docstrings_only() -> None:
    source = '"""Return what it is, and `what` they were.\n\n>>> what\nit\n"""\nA = "what it is"  # what it is\n'
    found = rates([source, 'B = 1\n"""Number of users."""'])
    assert (found.words, found.clauses, found.pronouns) == (10, 1, 2)
    assert str(found) == "10 words, 100.0 clauses and 200.0 pronouns per 1,000 words"
    assert len(list(check_rates(found))) == 2


def test_rates_within_the_limits_are_no_finding() -> None:
    assert list(check_rates(rates([f'"""{"Return its number. " * 13}{"Noun. " * 961}"""']))) == []
    assert list(check_rates(rates([]))) == []


# Rule 2


@pytest.mark.parametrize(
    "text",
    [
        "a person's", "People", "somebody", "everybody", "nobody", "judgement", "judgments", "judged", "wishes",
        "digest", "the epoch", "epochs", "sealed", "shelf", "news", "said", "says", "tells", "retold", "heard",
        "malformed", "refused record", "records are refused", "learns of", "goes on", "went  on", "mends", "beside",
        "anew", "for ever", "forever", "what there is", "own part", "observation of a person",
    ],
)  # fmt: skip
def test_word_to_avoid_is_found_in_every_kind_of_text(text: str) -> None:
    assert any(": rule 2: " in finding for finding in python(f'"""Noun {text}."""'))
    assert any(": rule 2: " in finding for finding in python(f"a = 1  # Noun {text}."))
    assert any(": rule 2: " in finding for finding in python(f'f(f"Noun {text}: {{a}}")'))
    assert any(": rule 2: " in finding for finding in markdown(f"Noun {text}.\n"))
    assert any(": rule 2: " in finding for finding in markdown(f"| Noun | {text} |\n"))


@pytest.mark.parametrize(
    "text",
    [
        "personal", "essay", "epoch milliseconds", "epoch\n    milliseconds", "epoch ms", "the Unix epoch",
        "a Bytewax epoch", "Bytewax's epoch", "epoch_interval", "`say`", "``person``", "malformed JSON",
        "refused connection", "hearth", "newsletter", "besides", "learned off-line", "\n\n>>> say\nsaid\n",
    ],
)  # fmt: skip
def test_other_words_are_none(text: str) -> None:
    assert python(f'"""Noun {text}."""') == []


def test_word_is_shown_with_its_line_and_terms_to_use() -> None:
    assert python('"""Noun.\n\nLong line, and\none person.\n"""') == ['4: rule 2: "person" in a docstring; use: user']
    assert markdown("One.\n\nA person.\n") == ['3: rule 2: "person" in a page; use: user']


def test_string_without_a_space_is_a_key() -> None:
    assert python('a["person"] = f("say")') == []


def test_code_links_and_comments_of_a_page_are_not_checked() -> None:
    source = "`person`\n\n```\nperson\n```\n\n[a](person.md) <!-- person\nperson -->\n\n[a]: person.md\n"
    assert markdown(source) == []
    assert len(markdown("[person](a.md)\n")) == 1


@pytest.mark.parametrize(
    "source",
    [
        "def say(): ...", "class LastSaid: ...", "def f(person): ...", "people = 1", "a.news = 1", "wiped_epoch = 1",
        "for person in a: ...", "slot = 1", "class A:\n    slots: int", "def slot_of(a): ...", "def phi(x): ...",
    ],
)  # fmt: skip
def test_name_to_avoid_is_found_at_its_definition(source: str) -> None:
    assert [": rule 2: name " in finding for finding in python(source)] == [True]


@pytest.mark.parametrize(
    "source",
    [
        "personal = 1", "essay = 1", "epoch_interval = 1", "f(a.said, person)", "from a import said",
        "def f(slot): ...", "def f():\n    slot = 1", "_slot = 1", "hash_slot = 1", "__slots__ = ()",
    ],
)  # fmt: skip
def test_other_names_are_none(source: str) -> None:
    assert python(source) == []


def test_name_counts_once_in_a_file_and_a_files_name_counts() -> None:
    assert len(python("person = 1\nperson = 2")) == 1
    assert [str(f) for f in check_python("a/shelf.py", "")] == ['a/shelf.py:1: rule 2: name "shelf"; use: checkpoint']


def test_escape_is_for_one_line_and_needs_a_reason() -> None:
    assert python('"""A person."""  # prose: a text for users') == []
    assert python("person = 1  # prose: a name of Redis") == []
    assert python('"""A person.\n\nAnd people.\n"""  # prose: a text for users') == []
    assert len(python('"""A person."""  # prose:')) == 1
    assert len(python('"""Noun."""  # prose: a reason\na = 1  # a person')) == 1
    assert markdown("A person. And people. <!-- prose: a text for users -->\n") == []
    assert len(markdown("<!-- prose: a reason -->\nA person.\n")) == 1


def test_exceptions_are_known_words_with_a_reason() -> None:
    known = {"*", *(word.name for word in (*WORDS, *NAMES))}
    assert all(word in known and reason for _, word, reason in EXCEPTIONS)
    assert not list(check_python("tools/prose_words.py", "person = 1"))


# Glossary


def test_tables_have_every_excluded_word() -> None:
    words = [word for _, word in excluded_words(TABLE)]
    assert len(words) == 32
    assert {"person", "what was said", "why", "phi for the CDF", 'slot without "hash"'} <= set(words)
    assert [word for word in chain(words, RULE_4.split(", ")) if not is_covered(word)] == []
    assert all(UNCHECKED.values())


def test_tables_have_every_excluded_word_of_the_project() -> None:
    glossary = Path(__file__).parents[2] / GLOSSARY
    if not glossary.exists():
        pytest.skip(f"{GLOSSARY} is not there yet")
    table = glossary.read_text(encoding="utf-8")
    assert len(list(excluded_words(table))) >= 20
    assert list(check_glossary(str(GLOSSARY), table)) == []


def test_excluded_word_that_the_tables_lack_is_a_finding() -> None:
    (found,) = check_glossary("docs/glossary.md", f"{HEAD}| term | meaning | person, thingamajig |\n")
    assert str(found).startswith('docs/glossary.md:3: rule 2: "thingamajig" is in none of ')


def test_not_column_of_the_glossary_may_have_its_words() -> None:
    assert list(check_markdown("docs/glossary.md", f"{HEAD}| user | one who uses it | person |\n")) == []
    assert len(list(check_markdown("docs/glossary.md", f"{HEAD}| user | a person | |\n"))) == 1
    assert len(list(check_markdown("docs/other.md", f"{HEAD}| user | one who uses it | person |\n"))) == 1


# Rule 8


@pytest.mark.parametrize(
    "text",
    [
        "Fix a leak",
        "Pass the time",
        "Process batches at once",
        "Address a review",
        "Bring tests",
        "Embed Redis",
        "A" * 72,
    ],
)
def test_imperative_is_a_subject(text: str) -> None:
    assert subject(text) == []


@pytest.mark.parametrize(
    "text", ["fix a leak", "Fixed a leak", "Fixes a leak", "Fixing a leak", "The leak", "Fix a leak.", "A" * 73]
)
def test_other_subjects_are_found(text: str) -> None:
    assert len(subject(text)) == 1


def test_commits_after_the_base_are_checked(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
        return subprocess.run(
            ["git", "-C", tmp_path, *identity, *words], check=True, capture_output=True, text=True
        ).stdout

    git("init", "--quiet")
    git("commit", "--quiet", "--allow-empty", "--message", "before")
    base = git("rev-parse", "HEAD").strip()
    assert commits(tmp_path, base) == []
    git("commit", "--quiet", "--allow-empty", "--message", "Fix\ta leak\n\nbody")
    assert [text for _, text in commits(tmp_path, base) or ()] == ["Fix\ta leak"]
    assert commits(tmp_path, "0" * 40) is None


# Rule 9


@pytest.mark.parametrize(
    "line",
    [
        "One. Two.", "- One. Two.", "> One? Two.", "1. One! Two.", "One (a). *Two*.", 'He "ends." Then',
        "One `a.b`. Two.",
        "One. `two` is code.", "One. [Two](a.md).", "One [a](b.md). Two.", "In 2026. Two.", "**One.** Two.",
    ],
)  # fmt: skip
def test_two_sentences_in_a_line_are_found(line: str) -> None:
    assert [": rule 9: line has 2 sentences" in finding for finding in markdown(line)] == [True]


@pytest.mark.parametrize(
    "line",
    [
        "One sentence.", "1. One sentence.", "## 2. Heading", "One, e.g. Redis.", "One, i.e. `code`.", "z. B. Redis.",
        "One cf. Page 1954.", "Two, etc. `code`.", "`One. Two.`", "[One. Two](a.md)", "| One. Two. |",
        "Version 1.2 Beta.",
        "One... two.", "J. Smith wrote.", "```\nOne. Two.\n```", "> ```\n> One. Two.\n> ```", "- [x] One.",
    ],
)  # fmt: skip
def test_one_sentence_in_a_line_is_none(line: str) -> None:
    assert markdown(line) == []


def test_end_of_a_sentence_is_shown() -> None:
    assert sentence_ends("First one. Second `two`. Third") == ["one.", "`two`."]


def test_long_line_is_found() -> None:
    assert markdown("a" * 120) == []
    assert markdown("a" * 121) == ["1: rule 9: line has 121 characters; at most 120 are allowed"]


@pytest.mark.parametrize(
    "line",
    [
        f"| {'a' * 120} |", f"```\n{'a' * 121}\n```", f"- [a](https://{'a' * 120})", f"<https://{'a' * 120}>",
        f"[a]: https://{'a' * 120}", f"[![a](https://{'a' * 90})](https://{'a' * 90})", f"https://{'a' * 120}",
    ],
)  # fmt: skip
def test_long_tables_code_and_links_are_none(line: str) -> None:
    assert markdown(line) == []


# Command line


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project with a module that has three findings of its own, and enter its folder."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state/a.py").write_text('"""What a person said."""\n')
    (tmp_path / "README.md").write_text("One.\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_status_is_1_with_findings_and_0_without(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["state"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        'state/a.py:1: rule 1: docstring begins with "What"; begin with a noun or an imperative',
        'state/a.py:1: rule 2: "person" in a docstring; use: user',
        'state/a.py:1: rule 2: "said" in a docstring; use: emit, report, state',
    ]
    assert main(["README.md"]) == 0
    assert capsys.readouterr().out == ""


def test_whole_project_has_rates_and_a_line_where_commits_are_unknown(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 1
    skipped, rate, *others = capsys.readouterr().out.splitlines()
    assert skipped.startswith("rule 8: skipped")
    assert rate == ".:0: rule 1: docstrings have 250.0 clauses per 1,000 words; at most 1 are allowed"
    assert len(others) == 3
    (project / "state/a.py").write_text('"""User model."""\n')
    assert main([]) == 0


def test_count_is_per_rule_and_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--count", "state", "README.md"]) == 1
    assert capsys.readouterr().out.splitlines() == ["     2 rule 2 state/a.py", "     1 rule 1 state/a.py"]


def test_figures_are_of_the_product(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "tests").mkdir()
    (project / "tests/test_a.py").write_text('"""What it is."""\n')
    assert main(["--figures"]) == 0
    assert capsys.readouterr().out == "4 words, 250.0 clauses and 0.0 pronouns per 1,000 words\n"


@pytest.mark.parametrize("words", [["missing.md"], ["--unknown"], ["--count", "--figures"]])
def test_wrong_usage_is_2(words: list[str], project: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(words)
