"""Tables of the prose lint: words to count, words to avoid, names to avoid, and exceptions.

A pattern in `WORDS` is matched case-insensitively between word boundaries; a space stands for any white space.
A pattern in `NAMES` is matched against one or several whole parts of a name in snake case.
"""

from typing import NamedTuple

CLAUSE_WORDS = frozenset(["what", "who", "whom", "whose", "whoever", "whatever"])
"""Words that open the clauses of rule 1: 22.8 per 1,000 words before the rule, 0.3 to 1.0 in its peers.

Peers measured with the same lists: River, Bytewax, httpx2, msgspec and redis-py.
"""

# fmt: off
PRONOUNS = frozenset([
    # personal, possessive, demonstrative
    "it", "its", "itself", "they", "them", "their", "theirs", "themselves", "we", "us", "our", "ours",
    "you", "your", "yours", "he", "she", "his", "her", "him", "this", "these", "those",
    # indefinite
    "one", "one's", "none", "nobody", "everybody", "somebody", "anybody", "everyone", "someone", "anyone",
    "nothing", "something", "anything", "everything", "others",
])
# fmt: on
"""Pronouns of rule 1: 74 per 1,000 words before the rule, 15 to 40 in the peers.

"that" and "each" are left out: in most places the one is a conjunction, and the other precedes a noun.
"""

MAX_CLAUSES = 1.0
"""Clauses per 1,000 words of the product's docstrings."""
MAX_PRONOUNS = 40.0
"""Pronouns per 1,000 words of the product's docstrings."""


class Avoid(NamedTuple):
    """A word or a part of a name to avoid."""

    name: str
    """Key for `EXCEPTIONS`."""
    pattern: str
    use: str
    """Terms to use in place of the word."""
    public_only: bool = False
    """Of names: check only those of modules, classes, functions, constants and members."""


WORDS = (
    Avoid("person", "persons?|peoples?", "user"),
    Avoid("somebody", "(?:some|any|no)body|(?:some|any)one", "user, caller, process"),
    Avoid("everybody", "everybody|everyone", "population, all users"),
    Avoid("digest", "digests?", "pseudonym; checksum, hash"),
    Avoid("observation of a person", "observations? of (?:a|the|one) (?:person|user)s?", "event"),
    Avoid("judgement", "judge?ments?|judge[sd]?|judging", "feedback"),
    Avoid("wish", "wish(?:es|ed|ing)?", "directed feedback"),
    Avoid("own part", "own parts?", "user model"),
    Avoid("believed of", "believed of", "user model, population model"),
    Avoid(
        "epoch",
        r"(?<!unix[\s-])(?<!leader\s)(?<!bytewax\s)(?<!bytewax's\s)epochs?(?! (?:milli|micro)?seconds| ms)",
        "checkpoint interval; wiped_ms; Unix epoch, leader epoch, Bytewax epoch",
    ),
    Avoid("seal", "seal(?:s|ed|ing)?", "manifest, checksum"),
    Avoid("shelf", "shel(?:f|ves)", "checkpoint, manifest"),
    Avoid("news", "news", "signal"),
    Avoid("say", "say(?:s|ing)?|(?:un)?said", "emit, report, state"),
    Avoid("tell", "(?:re)?tell(?:s|ing)?|(?:re|un)?told", "emit, publish, report, distinguish"),
    Avoid("hear", "hear(?:s|d|ing)?|unheard", "receive"),
    Avoid("refused record", "refused records?|records? (?:that )?(?:is|are|was|were) refused", "reject"),
    Avoid("malformed", "malformed(?! (?:json|utf))", "reject; invalid"),
    Avoid("learn of", "learn(?:s|ed|t|ing)? (?:of|from) (?:every|some|any|no)body|learn(?:s|ed|t|ing)? of", "train"),
    Avoid("go on", "(?:go|goes|going|went|gone) on", "continue, resume"),
    Avoid("mend", "mend(?:s|ed|ing)?", "fix, repair"),
    Avoid("beside", "beside", "next to, with, in addition to"),
    Avoid("anew", "anew", "again, from the prior"),
    Avoid("for ever", r"for\s?ever", "without expiry, permanently"),
    Avoid("what there is", "what there is|what is there", "the noun itself"),
)

NAMES = (
    Avoid("person", "persons?|people|peoples", "user"),
    Avoid("somebody", "(?:some|any|no)body|(?:some|any)one", "user"),
    Avoid("everybody", "everybody|everyone", "population"),
    Avoid("digest", "digests?", "pseudonym; checksum, hash"),
    Avoid("judgement", "judge?ments?|judge[sd]?|judging", "feedback"),
    Avoid("wish", "wish(?:es|ed)?", "directed"),
    Avoid("own part", "own_parts?", "user_model"),
    Avoid("epoch", "(?<!unix_)(?<!leader_)epochs?(?!_interval)", "wiped_ms, checkpoint_every"),
    Avoid("seal", "seal(?:s|ed)?", "manifest"),
    Avoid("shelf", "shel(?:f|ves)", "checkpoint"),
    Avoid("news", "news", "signal"),
    Avoid("say", "says?|saying|(?:un)?said", "emit"),
    Avoid("tell", "(?:re)?tells?|telling|(?:re|un)?told", "emit, publish"),
    Avoid("hear", "hears?|heard|unheard", "receive"),
    Avoid("malformed", "malformed(?!_(?:json|utf8))", "rejected, invalid"),
    Avoid("mend", "mend(?:s|ed)?", "fix, repair"),
    Avoid("beside", "beside", "with, next_to"),
    Avoid("anew", "anew", "again"),
    Avoid("for ever", "for_?ever", "permanent"),
    Avoid("slot", "(?<!hash_)slots?", "value; hash_slot", public_only=True),
    Avoid("phi", "phi", "normal_cdf, normal_pdf"),
)

UNCHECKED = {
    "name": "an everyday word; wrong only for a pseudonym",
    "word": "an everyday word; wrong only for an event",
    "place": "an everyday word; wrong only for a value or a process",
    "there": "an everyday word; wrong only for a population version",
    "known": "an everyday word; wrong only for a population version",
    "first": "an everyday word; wrong only for a population version",
    "why": "the JSON member keeps the name",
    "refused": "connections are refused, too; `WORDS` has the refused record",
}
"""Words of the glossary's "not" column, or of rule 4, that no pattern can check: word → reason."""

RULE_4 = (
    "somebody, everybody, judgement, learn of, say, tell, hear, word, "
    "go on, mend, beside, anew, for ever, what there is"
)
"""Words after "Do not use:" in rule 4."""

EXCEPTIONS = (
    # path (glob), name in WORDS or NAMES ("*" for all), reason
    ("tools/prose_words.py", "*", "the tables themselves"),
    ("tests/tools/test_prose_lint.py", "*", "samples of everything to avoid"),
    ("state/*", "slot", "the number of a facet's value; only names of the client are public"),
    ("tests/*", "slot", "as in state/"),
)
"""Places where rule 2 does not hold. A text that users themselves read may have "person" and "people"."""

IMPERATIVES = frozenset(
    ["Alias", "Bias", "Bring", "Embed", "Exceed", "Feed", "Focus", "Need", "Proceed", "Seed", "String"]
)
"""Imperatives that end like another form of a verb; those in "ss" need no entry."""
NO_VERBS = frozenset(
    ["A", "An", "The", "This", "No", "Not", "All", "Also", "Now", "More", "When", "What", "How", "For", "In"]
)
"""Words that a commit's subject begins with in place of a verb."""
