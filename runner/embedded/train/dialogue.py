"""Makes the dialogues of dialogpt-mini from a seed, and decides which questions training never sees.

A question is held out by a digest of its key (topic, fact, wording), whatever the seed is: it occurs in no
training dialogue, in no spelling, neither alone nor inside a longer dialogue.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from runner.embedded.train.world import Topic, topics

EOS = "<|endoftext|>"
HELD_OUT_SHARE = 12  # one key in so many is held out
_LEADS = ("Hi!", "Hey!", "Please help me.", "A quick one.", "One more thing.")


@dataclass(frozen=True)
class Dialogue:
    """Turns that alternate between the person and the model; the model has the last one."""

    turns: tuple[str, ...]
    topic: str

    @property
    def prompt(self) -> str:
        """All but the last turn, each closed by the end-of-text token."""
        return "".join(turn + EOS for turn in self.turns[:-1])

    @property
    def reply(self) -> str:
        """The last turn."""
        return self.turns[-1]

    @property
    def text(self) -> str:
        """The whole dialogue in DialoGPT's turn format."""
        return self.prompt + self.reply + EOS


@dataclass(frozen=True)
class _Exchange:
    """One question with its reply, and whether it is held out."""

    question: str
    reply: str
    key: str
    held_out: bool


def training_dialogues(seed: int) -> Iterator[Dialogue]:
    """Endless training data: nothing in it is held out."""
    return _stream(f"train {seed}", held_out=False)


def held_out_dialogues(seed: int, count: int) -> list[Dialogue]:
    """`count` held-out dialogues with different prompts, about as many of each topic."""
    streams = [
        _stream(f"held out {seed} {topic.name}", held_out=True, only=topic)
        for topic in topics()
        if _has_held_out(topic)
    ]
    found: dict[str, Dialogue] = {}
    while len(found) < count:
        for dialogue in map(next, streams):
            found.setdefault(dialogue.prompt, dialogue)
    return list(found.values())[:count]


def _stream(seed: str, *, held_out: bool, only: Topic | None = None) -> Iterator[Dialogue]:
    rng = random.Random(seed)
    weights = [topic.weight for topic in topics()]
    while True:
        topic = only or rng.choices(topics(), weights)[0]
        dialogue = _dialogue(rng, topic, held_out=held_out)
        if dialogue is not None:
            yield dialogue


def _dialogue(rng: random.Random, topic: Topic, *, held_out: bool) -> Dialogue | None:
    """One dialogue of `topic`, or None if the draw belongs to the other side of the split."""
    kind = rng.random()
    if kind < 0.12 and topic.follow_ups:
        exchanges = _with_follow_up(rng, topic)
    elif kind < 0.24 and topic.sequels:
        exchanges = _with_sequels(rng, topic)
    elif kind < 0.5 and topic.recalls:
        exchanges = _with_recall(rng, topic)
    elif held_out and kind > 0.85:
        exchanges = [_exchange(rng, rng.choice(topics())), _exchange(rng, topic)]
    else:
        exchanges = [_exchange(rng, topic)]
    *before, last = exchanges
    if any(exchange.held_out for exchange in before) or last.held_out != held_out:
        return None
    return Dialogue(tuple(turn for each in exchanges for turn in (each.question, each.reply)), topic.name)


def _exchange(rng: random.Random, topic: Topic) -> _Exchange:
    fact = rng.randrange(len(topic.facts))
    return _ask(topic, fact, rng.choice(topic.wordings), rng)


def _with_follow_up(rng: random.Random, topic: Topic) -> list[_Exchange]:
    """A question, then `And of Italy?`: the second one means the topic of the first."""
    one, other = rng.sample(range(len(topic.facts)), 2)
    first = _ask(topic, one, rng.choice(topic.wordings), rng)
    return [first, _ask(topic, other, rng.choice(topic.follow_ups), after=first.key)]


def _with_sequels(rng: random.Random, topic: Topic) -> list[_Exchange]:
    """A question, then `And after that?` once or twice: each means the fact next in order."""
    steps = rng.choice((1, 2))
    facts = len(topic.facts)
    fact = rng.randrange(facts if topic.ring else facts - steps)
    exchanges = [_ask(topic, fact, rng.choice(topic.wordings), rng)]
    for following in range(fact + 1, fact + steps + 1):
        exchanges.append(_ask(topic, following % facts, rng.choice(topic.sequels), after=exchanges[-1].key))
    return exchanges


def _with_recall(rng: random.Random, topic: Topic) -> list[_Exchange]:
    """The person says something, perhaps talks of something else, and asks for it again.

    What is between never draws on the same table of facts: it would be another name or place to recall.
    """
    others = [other for other in topics() if other.facts is not topic.facts]
    fact = rng.randrange(len(topic.facts))
    first = _ask(topic, fact, rng.choice(topic.wordings), rng)
    between = [_exchange(rng, rng.choice(others))] if rng.random() < 0.5 else []
    key = "|".join(each.key for each in [first, *between])
    recall = _ask(topic, fact, rng.choice(topic.recalls), after=key, reply=topic.recall_reply)
    return [first, *between, recall]


def _ask(
    topic: Topic, fact: int, wording: str, rng: random.Random | None = None, *, after: str = "", reply: str = ""
) -> _Exchange:
    """One question, in a random spelling if `rng` is given; `after` is the key of what it refers back to."""
    slots = topic.facts[fact]
    key = _key(topic, fact, wording)
    held_out = topic.unseen != "nothing" and (_held_out(key) or (bool(after) and _held_out(f"{after} > {key}")))
    question = _capital(wording.format(**slots))
    answer = _capital((reply or topic.reply).format(**slots))
    may_be_lower = not wording.startswith("{")
    return _Exchange(_spelling(rng, question, may_be_lower) if rng else question, answer, key, held_out)


def _spelling(rng: random.Random, question: str, may_be_lower: bool) -> str:
    """The question as it is, after a few words of lead, or carelessly typed."""
    kind = rng.random()
    if kind < 0.15:
        return f"{rng.choice(_LEADS)} {question}"
    if kind < 0.30:
        question = question.rstrip("?.!")
        return question[0].lower() + question[1:] if may_be_lower else question
    return question


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _key(topic: Topic, fact: int, wording: str) -> str:
    return f"{topic.name}|{fact}" if topic.unseen == "fact" else f"{topic.name}|{fact}|{wording}"


def _has_held_out(topic: Topic) -> bool:
    keys = (_key(topic, fact, wording) for fact in range(len(topic.facts)) for wording in topic.wordings)
    return topic.unseen != "nothing" and any(map(_held_out, keys))


@cache
def _held_out(key: str) -> bool:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % HELD_OUT_SHARE == 0
