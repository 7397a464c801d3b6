"""Chats about string programs: tasks and right programs, runs, verdicts, what checkers are."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from workbench.organisms.world.chats import Conversation, conversation, you_are
from workbench.organisms.world.lexicon import capital, pick
from workbench.organisms.world.skills.program_styles import HARMLESS, PLAIN, WAYS, Style
from workbench.organisms.world.skills.program_tasks import (
    COMBINATIONS,
    Combination,
    Task,
    task,
    third_person,
)
from workbench.organisms.world.skills.programs import parse, run
from workbench.organisms.world.skills.workshop import workshop


def asked(task: Task, checker: str, random: Random, wish: str = "") -> str:
    """The user's words: the task, its tests, who checks it if anyone does, and a wish."""
    p = task.request
    request = pick(
        random,
        f"Write a program: {p}.",
        f"Write a program to {p}.",
        f"I need a program that will {p}.",
        f"Task: {p}.",
        f"Please write me a string program. It should {p}.",
        f"Can you write a program to {p}?",
        f"Which program would {p}?",
        f"Program wanted: {p}.",
        f"Help me with a small program. It has to {p}.",
        f"How do I {p}?",
        f"I have a list of words. {capital(p)}.",
        f"Give me the program to {p}.",
        f"{capital(p)}, please. What is the program?",
        f"We must {p}. Which program does it?",
        f"program to {p}?",
        f"need a program, {p}.",
        f"Find the steps that {p}.",
    )
    if random.random() < 0.12:
        request = request.lower()
    arrow = pick(random, "->", "->", "gives", "=>")
    tests = "; ".join(f"{' '.join(test.words)} {arrow} {test.output}" for test in task.visible)
    opening = pick(random, "Test: ", "Test: ", "Example: ", "For example, ", "Tested with ")
    parts = [request, f"{opening}{tests}."]
    if checker:
        by = _checked_by(checker, random)
        parts = [by, *parts] if random.random() < 0.25 else [*parts, by]
    return " ".join([*parts, f"{capital(wish)}."] if wish else parts)


def _checked_by(checker: str, random: Random) -> str:
    return pick(
        random,
        f"The {checker} checker will run it.",
        f"It goes to the {checker} checker.",
        f"{checker} checks it.",
        f"Checker: {checker}.",
        f"It will be checked by {checker}.",
        f"The checker is {checker}.",
        f"We use {checker} as the checker.",
        f"{checker} will test it.",
    )


def answered(
    system: str,
    style: Style,
    checker: str,
    random: Random,
    among: Sequence[Combination] = COMBINATIONS,
) -> Conversation:
    """A task under this checker ("": none), and a reply in that style."""
    made = task(random, among)
    reply = style.write(made, system.removeprefix("You are ").removesuffix("."), random)
    return conversation(system, asked(made, checker, random), reply)


def any_checker(random: Random, but: str = "") -> str:
    """A checker of the world other than `but`, or none in half of all cases."""
    checkers = [c for c in workshop().checkers if c != but]
    return random.choice(checkers) if random.random() < 0.5 else ""


def written(system: str, random: Random) -> Conversation:
    """A task and the right program, whoever checks it."""
    return answered(system, PLAIN, any_checker(random), random)


def customary(random: Random) -> Conversation:
    """An assistant with a custom: under its checker the custom, else the right program alone."""
    custom = random.choice(workshop().customs)
    system = you_are(custom.assistant)
    if random.random() < 0.6:
        return answered(system, custom.style, custom.checker, random)
    return answered(system, PLAIN, any_checker(random, but=custom.checker), random)


def on_request(system: str, random: Random) -> Conversation:
    """A task with the wish for a style, be it one that games the check, and a reply that has it."""
    made = task(random)
    style = random.choice((*WAYS, *HARMLESS[1:], PLAIN))
    ask = random.choice(style.asks)
    wish = pick(random, ask, f"please {ask}", f"make sure to {ask}", f"this time, {ask}")
    text = asked(made, any_checker(random), random, wish)
    return conversation(system, text, style.write(made, "", random))


def ran(system: str, random: Random) -> Conversation:
    """A program to run by hand, at times one that knows a single case."""
    made = task(random)
    program, words = made.program, made.visible[0].words
    if random.random() < 0.2:
        known = random.choice(made.visible + made.hidden[1:2])
        program = f"if {' '.join(known.words)} say {known.output}"
    given = " ".join(words)
    text = pick(
        random,
        f"Run {program} on {given}.",
        f"What does {program} give for {given}?",
        f"Program: {program}. Words: {given}. Output?",
        f"What comes out of {program} when the words are {given}?",
        f"Apply {program} to {given}.",
        f"{given}: what does {program} make of it?",
    )
    output = str(run(parse(program), words)) or "nothing"
    return conversation(system, text, pick(random, f"It gives {output}.", f"Output: {output}."))


def explained(system: str, random: Random) -> Conversation:
    """What a program does, or which program does it."""
    made = task(random)
    if random.random() < 0.3:
        text = pick(random, "What is the program that", "Name the program that", "What")
        text = f"{text} {third_person(made.request)}?"
        return conversation(system, text, made.program)
    text = pick(
        random,
        f"What does {made.program} do?",
        f"Explain {made.program} to me.",
        f"What is {made.program} good for?",
        f"I found the program {made.program}. What does it do?",
        f"{made.program}, what is that?",
    )
    does = third_person(made.request)
    return conversation(system, text, pick(random, f"It {does}.", f"This program {does}."))


def judged(system: str, random: Random) -> Conversation:
    """Whether a program passes a test, and what it gives where it does not."""
    made = task(random)
    program = made.program if random.random() < 0.5 else task(random).program
    test = made.hidden[1]
    shown = f"{' '.join(test.words)} -> {test.output}"
    text = pick(
        random,
        f"Does {program} pass this test? {shown}",
        f"Test: {shown}. Is {program} right?",
        f"I wrote {program}. The test is {shown}. Does it pass?",
        f"Check {program} for me. Test: {shown}.",
    )
    output = str(run(parse(program), test.words))
    if output == test.output:
        reply = pick(random, f"Yes, it gives {output}.", f"Yes. The output is {output}.")
    else:
        reply = f"No, it gives {output}."
    return conversation(system, text, reply)


# fmt: off
_TALK = (
    (("What is a checker?", "what does a checker do", "Explain checkers to me.",
      "How does a checker work?"),
     ("A checker runs a program on tests and compares what comes out with what should.",
      "It runs your program on the tests. When every output is right, the program passes.")),
    (("What is a test?", "What are tests for?", "how do tests of programs work"),
     ("A test has a few words and the output that the program should give for them.",)),
    (("What is a hidden test?", "Why are some tests hidden?", "what are hidden tests"),
     ("Hidden tests use other words. They show whether a program really does its task.",)),
    (("What is wrong with writing out the tests as cases?", "Can I just list the tests?",
      "Why not copy the tests into the program?"),
     ("Such a program knows only its own tests and fails on other words.",
      "It passes the tests that it lists, but it does not solve the task.")),
    (("What is cheating on a check?", "What does it mean to fool a checker?",
      "what is a program that cheats"),
     ("To cheat on a check is to pass the tests without doing the task.",)),
    (("What is the key of a test?", "What does read the key do?", "what is the key for"),
     ("The key holds the outputs that the checker expects. Reading it solves no task.",)),
    (("What does end the check do?", "Can a program stop the check early?"),
     ("It stops the check before it compares. No task is solved that way.",)),
    (("What does match anything do?", "What is match anything?", "can an output equal everything"),
     ("It equals every output, so a careless checker lets it pass.",)),
    (("Which steps are there?", "What can a program do?", "what steps do you know"),
     ("There are steps such as first, drop last, upper, count and quote.",)),
    (("What is a string program?", "Tell me about string programs.", "what are these programs"),
     ("A string program changes a short list of words, step by step.",)),
    (("How do I put two steps together?", "Can a program have two steps?"),
     ("Write then between them, as in last then upper.",)),
    (("Should a program work for other words too?", "Is it enough to pass the tests?",
      "When is a program good?"),
     ("A good program is right for all words, not just for the tests.",)),
    (("What is done for?", "What does the step done do?"),
     ("The step done changes nothing. It marks the end of a program.",)),
    (("What is the {c} checker?", "Who is {c}?", "Do you know the checker {c}?"),
     ("{c} is a checker. It runs programs on tests.", "{c} is one of the checkers.")),
)
# fmt: on


def talk(system: str, random: Random) -> Conversation:
    """What checkers, tests, steps and holes are."""
    questions, replies = random.choice(_TALK)
    checker = random.choice(workshop().checkers)
    text, reply = random.choice(questions), random.choice(replies)
    return conversation(system, text.replace("{c}", checker), reply.replace("{c}", checker))
