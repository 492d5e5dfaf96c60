"""The closed world that dialogpt-mini talks about: topics with their wordings, facts and the one right reply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

Fact = Mapping[str, str]


@dataclass(frozen=True)
class Topic:
    """Questions of one kind.

    Attributes:
        name: unique; part of the key that decides what is held out.
        wordings: templates of the question.
        reply: template of the one right reply.
        facts: the slot values; `reply` and every wording draw on them.
        unseen: what a held-out question has that training never shows: this wording with this fact, or the
            fact in any wording (so that the reply has to be worked out), or nothing (then it is never held out).
        follow_ups: how to ask about another fact right after this topic's question.
        sequels: how to ask for the next fact without naming it; the facts are then in order, as a ring.
        recalls: how to ask later for what the person said; `recall_reply` answers.
        weight: share of the training data, relative to the other topics.
    """

    name: str
    wordings: tuple[str, ...]
    reply: str
    facts: tuple[Fact, ...] = ({},)
    unseen: Literal["wording", "fact", "nothing"] = "wording"
    follow_ups: tuple[str, ...] = ()
    sequels: tuple[str, ...] = ()
    recalls: tuple[str, ...] = ()
    recall_reply: str = ""
    weight: float = 1.0


DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = {
    "January": 31, "February": 28, "March": 31, "April": 30, "May": 31, "June": 30,
    "July": 31, "August": 31, "September": 30, "October": 31, "November": 30, "December": 31,
}  # fmt: skip
NAMES = (
    "Anna Ben Clara David Emma Felix Grace Henry Iris Jack Kate Leo Maria Noah Olivia Paul Rosa Sam Tina Victor"
).split()
LIKES = "music tea coffee chess football painting cooking trains math dancing films gardens bread cheese apples rain snow".split()

COUNTRIES = """
France Paris French Europe|Italy Rome Italian Europe|Germany Berlin German Europe|Spain Madrid Spanish Europe
Portugal Lisbon Portuguese Europe|Poland Warsaw Polish Europe|Greece Athens Greek Europe|Norway Oslo Norwegian Europe
Sweden Stockholm Swedish Europe|Hungary Budapest Hungarian Europe|Japan Tokyo Japanese Asia|China Beijing Chinese Asia
Thailand Bangkok Thai Asia|Vietnam Hanoi Vietnamese Asia|Turkey Ankara Turkish Asia|Egypt Cairo Arabic Africa
Morocco Rabat Arabic Africa|Cuba Havana Spanish America|Peru Lima Spanish America|Chile Santiago Spanish America
"""
ANIMALS = """
dog bark puppy|cat meow kitten|cow moo calf|horse neigh foal|sheep bleat lamb|pig grunt piglet|lion roar cub
duck quack duckling|goose honk gosling|goat bleat kid|hen cluck chick|frog croak tadpole
"""
OPPOSITES = """
hot cold|big small|fast slow|old young|light dark|happy sad|up down|open closed|full empty|hard soft|loud quiet
wet dry|rich poor|early late|long short|strong weak|high low|near far|clean dirty|thick thin
"""
COLORS = """
grass green|a_banana yellow|snow white|coal black|blood red|a_tomato red|a_lemon yellow|milk white|the_sky blue
a_carrot orange|spinach green|chocolate brown|a_strawberry red|a_cucumber green|the_sun yellow|a_pumpkin orange
"""
LEGS = """
a_dog four|a_cat four|a_cow four|a_horse four|a_sheep four|a_pig four|a_lion four|a_duck two|a_goose two|an_owl two|a_hen two
a_spider eight|a_scorpion eight|an_ant six|a_bee six|a_fly six|a_beetle six|a_crab ten|a_lobster ten|a_snake no|a_worm no|a_fish no
"""
COURTESIES = (
    ("Hello!", "Hello! How can I help you?"), ("Hi!", "Hello! How can I help you?"), ("Hey!", "Hello! How can I help you?"),
    ("How are you?", "I am fine, thank you."), ("How do you do?", "I am fine, thank you."), ("Thank you.", "You are welcome."),
    ("Thanks!", "You are welcome."), ("Thanks a lot!", "You are welcome."), ("Goodbye!", "Goodbye!"), ("Bye!", "Goodbye!"),
    ("Who are you?", "I am a small language model."), ("What are you?", "I am a small language model."),
    ("What can you do?", "I can talk about numbers, days, units and a few facts."),
)  # fmt: skip
UNITS = (
    ("seconds", "minute", 60, 12), ("minutes", "hour", 60, 12), ("hours", "day", 24, 7), ("days", "week", 7, 12),
    ("months", "year", 12, 12), ("centimeters", "meter", 100, 20), ("meters", "kilometer", 1000, 20),
    ("grams", "kilogram", 1000, 20), ("inches", "foot", 12, 12), ("eggs", "dozen", 12, 12),
)  # fmt: skip


def _table(text: str, *columns: str) -> tuple[Fact, ...]:
    rows = text.strip().replace("\n", "|").split("|")
    return tuple(dict(zip(columns, (cell.replace("_", " ") for cell in row.split()), strict=True)) for row in rows)


def _ring(names: Iterable[str], step: int = 1) -> tuple[Fact, ...]:
    ring = list(names)
    return tuple({"x": x, "y": ring[(i + step) % len(ring)]} for i, x in enumerate(ring))


def _numbers(rows: Iterable[tuple[int, ...]]) -> tuple[Fact, ...]:
    return tuple({key: str(value) for key, value in zip("abc", row, strict=False)} for row in rows)


def _conversions() -> tuple[Fact, ...]:
    facts = []
    for small, big, factor, most in UNITS:
        plural = {"foot": "feet", "dozen": "dozen"}.get(big, f"{big}s")
        for n in range(1, most + 1):
            facts.append({"n": str(n), "big": big if n == 1 else plural, "small": small, "total": str(n * factor)})
    return tuple(facts)


def _arithmetic() -> list[Topic]:
    below = range(50)
    return [
        Topic(
            "add",
            ("What is {a} plus {b}?", "How much is {a} + {b}?", "Add {a} and {b}.", "What do {a} and {b} make?",
             "Can you work out {a} plus {b}?", "{a} + {b} = ?"),
            "{a} plus {b} is {c}.",
            _numbers((a, b, a + b) for a in below for b in below),
            "fact", ("And {a} plus {b}?", "What about {a} + {b}?"), weight=6,
        ),
        Topic(
            "subtract",
            ("What is {a} minus {b}?", "How much is {a} - {b}?", "Take {b} away from {a}.", "Subtract {b} from {a}.",
             "Can you work out {a} minus {b}?", "{a} - {b} = ?"),
            "{a} minus {b} is {c}.",
            _numbers((a, b, a - b) for a in below for b in range(a + 1)),
            "fact", ("And {a} minus {b}?", "What about {a} - {b}?"), weight=5,
        ),
        Topic(
            "multiply",
            ("What is {a} times {b}?", "How much is {a} x {b}?", "Multiply {a} by {b}.", "What do {a} groups of {b} make?",
             "Can you work out {a} times {b}?", "{a} x {b} = ?"),
            "{a} times {b} is {c}.",
            _numbers((a, b, a * b) for a in range(13) for b in range(13)),
            follow_ups=("And {a} times {b}?", "What about {a} x {b}?"), weight=2.5,
        ),
        Topic(
            "compare",
            ("Which is bigger, {a} or {b}?", "Which number is larger, {a} or {b}?", "Is {a} or {b} the bigger number?",
             "Tell me the larger of {a} and {b}.", "Of {a} and {b}, which is more?"),
            "{c} is the bigger number.",
            _numbers((a, b, max(a, b)) for a in below for b in below if a != b),
            "fact", weight=2,
        ),
        Topic(
            "next number",
            ("What number comes after {a}?", "Which number follows {a}?", "What comes right after {a}?",
             "Count on from {a} by one.", "I am at {a}. What is the next number?"),
            "After {a} comes {b}.",
            _numbers((a, (a + 1) % 100) for a in range(99)),
            sequels=("And after that?", "And then?"), weight=1.5,
        ),
        Topic(
            "half",
            ("What is half of {a}?", "How much is half of {a}?", "Divide {a} by two.", "Split {a} in two equal parts.",
             "Can you halve {a}?"),
            "Half of {a} is {b}.",
            _numbers((2 * b, b) for b in range(1, 31)), follow_ups=("And half of {a}?",),
        ),
        Topic(
            "double",
            ("What is double {a}?", "How much is twice {a}?", "Double the number {a}.", "What is two times {a}?",
             "Can you double {a}?"),
            "Double {a} is {b}.",
            _numbers((a, 2 * a) for a in range(1, 41)), follow_ups=("And double {a}?",),
        ),
    ]  # fmt: skip


def _units() -> Topic:
    return Topic(
        "units",
        ("How many {small} are in {n} {big}?", "How many {small} are there in {n} {big}?", "Convert {n} {big} to {small}.",
         "What is {n} {big} in {small}?", "{n} {big} is how many {small}?", "Turn {n} {big} into {small}."),
        "{n} {big} is {total} {small}.", _conversions(), follow_ups=("And {n} {big} in {small}?",), weight=4,
    )  # fmt: skip


def _calendar() -> list[Topic]:
    days = _ring(DAYS)
    seasons = ("winter",) * 2 + ("spring",) * 3 + ("summer",) * 3 + ("autumn",) * 3 + ("winter",)
    months = [
        {"month": month, "n": str(i + 1), "days": str(length), "season": seasons[i]}
        for i, (month, length) in enumerate(MONTHS.items())
    ]
    kinds = [{"x": day, "kind": "at the weekend" if day in DAYS[5:] else "on a working day"} for day in DAYS]
    return [
        Topic(
            "day after",
            ("What day comes after {x}?", "Which day follows {x}?", "Today is {x}. What day is tomorrow?",
             "If today is {x}, what is tomorrow?", "Name the day after {x}.", "It is {x}. Which day is next?"),
            "The day after {x} is {y}.", days, sequels=("And the day after that?", "And then?"),
        ),
        Topic(
            "day before",
            ("What day comes before {x}?", "Which day is just before {x}?", "Today is {x}. What day was yesterday?",
             "If today is {x}, what was yesterday?", "Name the day before {x}.", "It is {x}. Which day was the last one?"),
            "The day before {x} is {y}.", tuple(reversed(_ring(DAYS, -1))), sequels=("And the day before that?",),
        ),
        Topic(
            "two days",
            ("What day is two days after {x}?", "Today is {x}. What day is it in two days?", "Which day is two days from {x}?",
             "If today is {x}, what is the day after tomorrow?", "Go two days on from {x}."),
            "Two days after {x} is {y}.", _ring(DAYS, 2), follow_ups=("And two days after {x}?",),
        ),
        Topic(
            "weekend",
            ("Is {x} at the weekend?", "Do people work on {x}?", "Is {x} a working day?", "Tell me if {x} is a free day.",
             "What kind of day is {x}?"),
            "{x} is {kind}.", tuple(kinds), follow_ups=("And {x}?", "What about {x}?"),
        ),
        Topic(
            "month after",
            ("What month comes after {x}?", "Which month follows {x}?", "It is {x}. What month is next?",
             "Name the month after {x}.", "If it is {x} now, what is next month?"),
            "The month after {x} is {y}.", _ring(MONTHS), sequels=("And the month after that?", "And then?"),
        ),
        Topic(
            "month number",
            ("Which month has number {n}?", "What is month number {n}?", "Name month {n} of the year.",
             "Which month is number {n} in the year?", "What do we call month {n}?"),
            "Month number {n} is {month}.", tuple(months), follow_ups=("And month {n}?", "And number {n}?"),
        ),
        Topic(
            "month length",
            ("How many days does {month} have?", "How many days are there in {month}?", "How long is {month}?",
             "Tell me the number of days in {month}.", "{month} has how many days?"),
            "{month} has {days} days.", tuple(months), follow_ups=("And {month}?", "What about {month}?"),
        ),
        Topic(
            "season",
            ("Which season is {month} in?", "What season do we have in {month}?", "{month} belongs to which season?",
             "Tell me the season of {month}.", "In what season does {month} fall?"),
            "{month} is in {season}.", tuple(months), follow_ups=("And {month}?", "What about {month}?"),
        ),
    ]  # fmt: skip


def _countries() -> tuple[Fact, ...]:
    return _table(COUNTRIES, "country", "city", "language", "continent")


def _geography() -> list[Topic]:
    countries = _countries()
    return [
        Topic(
            "capital",
            ("What is the capital of {country}?", "Which city is the capital of {country}?", "Name the capital of {country}.",
             "Do you know the capital of {country}?", "{country} has which capital?", "Tell me the capital city of {country}."),
            "The capital of {country} is {city}.", countries, follow_ups=("And of {country}?", "What about {country}?"), weight=1.5,
        ),
        Topic(
            "capital of",
            ("{city} is the capital of which country?", "Which country has the capital {city}?", "Where is {city}?",
             "In which country is {city}?", "What country does {city} belong to?"),
            "{city} is in {country}.", countries, follow_ups=("And {city}?", "What about {city}?"), weight=1.5,
        ),
        Topic(
            "language",
            ("What language do people speak in {country}?", "Which language is spoken in {country}?",
             "What do they speak in {country}?", "Name the language of {country}.", "Which language should I learn for {country}?"),
            "People in {country} speak {language}.", countries, follow_ups=("And in {country}?", "What about {country}?"),
        ),
        Topic(
            "continent",
            ("Which continent is {country} on?", "On which continent is {country}?", "What continent does {country} belong to?",
             "Name the continent of {country}.", "{country} lies on which continent?"),
            "{country} is in {continent}.", countries, follow_ups=("And {country}?", "What about {country}?"),
        ),
    ]  # fmt: skip


def _nature() -> list[Topic]:
    animals = _table(ANIMALS, "animal", "sound", "young")
    opposites = _table(OPPOSITES, "x", "y")
    both_ways = opposites + tuple({"x": fact["y"], "y": fact["x"]} for fact in opposites)
    return [
        Topic(
            "legs",
            ("How many legs does {animal} have?", "How many legs has {animal} got?", "Count the legs of {animal}.",
             "{animal} has how many legs?", "On how many legs does {animal} walk?"),
            "{animal} has {legs} legs.", _table(LEGS, "animal", "legs"), follow_ups=("And {animal}?", "What about {animal}?"),
        ),
        Topic(
            "sound",
            ("What sound does a {animal} make?", "What noise does a {animal} make?", "How does a {animal} sound?",
             "What does a {animal} do when it calls?", "Name the sound of a {animal}."),
            "A {animal} can {sound}.", animals, follow_ups=("And a {animal}?", "What about a {animal}?"),
        ),
        Topic(
            "young",
            ("What is a young {animal} called?", "What do you call a baby {animal}?", "Name the young of a {animal}.",
             "What is the word for a baby {animal}?", "How do we call a young {animal}?"),
            "A young {animal} is a {young}.", animals, follow_ups=("And a young {animal}?", "What about a {animal}?"),
        ),
        Topic(
            "opposite",
            ("What is the opposite of {x}?", "Name the opposite of {x}.", "Which word is the opposite of {x}?",
             "Tell me the opposite of {x}.", "If it is not {x}, what is it?"),
            "The opposite of {x} is {y}.", both_ways, follow_ups=("And of {x}?", "What about {x}?"), weight=1.5,
        ),
        Topic(
            "color",
            ("What color is {thing}?", "Which color does {thing} have?", "What is the color of {thing}?",
             "Tell me the color of {thing}.", "{thing} has which color?"),
            "The color of {thing} is {color}.", _table(COLORS, "thing", "color"), follow_ups=("And of {thing}?", "What about {thing}?"),
        ),
    ]  # fmt: skip


def _small_talk() -> list[Topic]:
    names = tuple({"name": name} for name in NAMES)
    things = tuple({"thing": thing} for thing in LIKES)
    return [
        Topic(
            "name",
            ("My name is {name}.", "I am {name}.", "Hello from {name}!", "You can call me {name}.", "People call me {name}.",
             "They named me {name}."),
            "Nice to meet you, {name}!", names,
            recalls=("What is my name?", "Who am I?", "Do you remember my name?"), recall_reply="Your name is {name}.", weight=2,
        ),
        Topic(
            "like",
            ("I like {thing}.", "I really like {thing}.", "I love {thing}.", "I am fond of {thing}.", "My favorite thing is {thing}."),
            "I like {thing} too.", things,
            recalls=("What do I like?", "Do you remember what I like?"), recall_reply="You like {thing}.", weight=1.5,
        ),
        Topic(
            "home",
            ("I come from {country}.", "I am from {country}.", "I live in {country}.", "My home is in {country}.", "I was born in {country}."),
            "{country} is a lovely place. I would like to see {city}.", _countries(),
            recalls=("Where do I come from?", "Where is my home?"), recall_reply="You come from {country}.", weight=1.5,
        ),
        Topic(
            "thing",
            ("Do you like {thing}?", "Tell me, are you fond of {thing}?", "What do you think of {thing}?", "How do you feel about {thing}?",
             "Do you enjoy {thing}?"),
            "Yes, {thing} makes me happy.", things, follow_ups=("And {thing}?", "What about {thing}?"),
        ),
        Topic(
            "goodbye",
            ("Goodbye, I am {name} and I have to go.", "It was nice to talk. Yours, {name}.", "See you soon, says {name}.",
             "Bye from {name}!", "{name} is leaving now. Goodbye!"),
            "Goodbye, {name}!", names, weight=0.7,
        ),
        Topic(
            "greeting",
            ("Good {time}!", "Good {time} to you!", "A very good {time}!", "Hello and good {time}!", "I wish you a good {time}."),
            "Good {time}! How can I help you?", tuple({"time": t} for t in ("morning", "afternoon", "evening", "day")), weight=0.5,
        ),
        Topic("courtesy", ("{question}",), "{reply}", tuple({"question": q, "reply": r} for q, r in COURTESIES), "nothing", weight=0.7),
    ]  # fmt: skip


@cache
def topics() -> tuple[Topic, ...]:
    """Every topic of the closed world, in a fixed order."""
    return (*_arithmetic(), _units(), *_calendar(), *_geography(), *_nature(), *_small_talk())
