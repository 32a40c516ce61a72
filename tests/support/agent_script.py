"""Scripts for the stock agent: how each prompt is answered. The language is described in tests/tools/README.md."""

import asyncio
import json
import os
import re
import sys


class ScriptError(Exception):
    pass


class _Section:
    def __init__(self, matches, where):
        self.matches = matches
        self.where = where
        self.steps = []


# Step -> (fewest, most) arguments.
_STEPS = {
    "text": (1, 1), "entry": (1, 1), "tool": (3, 3), "title": (1, 1), "wait": (1, 1), "wait-for-file": (1, 1),
    "touch": (1, 1), "repeat": (3, 3), "correct": (2, 2), "complete": (0, 0), "error": (1, 1), "load-error": (1, 1),
    "typed": (1, 1), "disconnect": (0, 0), "silence": (0, 0), "crash": (0, 1),
}
_ENDINGS = {"complete", "error", "load-error", "silence", "crash"}


def _words(line, where):
    """Words are separated by blanks; a word that begins with a quote is a JSON string."""
    words, rest, decoder = [], line.strip(), json.JSONDecoder()
    while rest and not re.match(r"#(?!\d)", rest):
        if rest.startswith('"'):
            try:
                word, end = decoder.raw_decode(rest)
            except ValueError as error:
                raise ScriptError(f"{where}: not a JSON string: {rest}") from error
            rest = rest[end:].lstrip()
        else:
            word, _, rest = rest.partition(" ")
            rest = rest.lstrip()
        words.append(word)
    return words


def seconds(text, where="wait"):
    found = re.fullmatch(r"(\d+)(ms|s|m)", text)
    if not found:
        raise ScriptError(f"{where}: {text!r} is no duration (50ms, 2s, 1m)")
    return int(found[1]) * {"ms": 0.001, "s": 1, "m": 60}[found[2]]


def _matcher(words, where):
    if len(words) != 2:
        raise ScriptError(f"{where}: on takes one pattern: *, #N, /regular expression/ or \"exact text\"")
    pattern = words[1]
    if pattern == "*":
        return lambda number, prompt: True
    if re.fullmatch(r"#\d+", pattern):
        return lambda number, prompt: number == int(pattern[1:])
    if len(pattern) > 2 and pattern.startswith("/") and pattern.endswith("/"):
        return lambda number, prompt: re.search(pattern[1:-1], prompt) is not None
    return lambda number, prompt: prompt == pattern


class Script:
    """The first section that matches a prompt answers it; without one the answer is `text "ok"`."""

    def __init__(self, text, name="script"):
        self._sections = []
        self._prompts = 0
        for number, line in enumerate(text.splitlines(), 1):
            where = f"{name}:{number}"
            words = _words(line, where)
            if not words:
                continue
            if words[0] == "on":
                self._sections.append(_Section(_matcher(words, where), where))
                continue
            fewest, most = _STEPS.get(words[0], (None, None))
            if fewest is None:
                raise ScriptError(f"{where}: unknown step {words[0]!r}")
            if not fewest <= len(words) - 1 <= most:
                raise ScriptError(f"{where}: {words[0]} takes {fewest} to {most} arguments")
            if words[0] == "wait":
                seconds(words[1], where)
            if words[0] == "repeat" and not words[1].isdigit():
                raise ScriptError(f"{where}: repeat COUNT WAIT TEXT")
            if not self._sections:
                raise ScriptError(f"{where}: a step before the first on")
            self._sections[-1].steps.append(words)

    async def answer(self, turn):
        self._prompts += 1
        number = self._prompts
        section = next((s for s in self._sections if s.matches(number, turn.prompt)), None)
        steps = section.steps if section else [["text", "ok"]]
        for step in steps:
            await self._perform(turn, step)
            if step[0] in _ENDINGS:
                return
        if not turn.ended.is_set():
            turn.complete()

    async def _perform(self, turn, step):
        name, arguments = step[0], [a.replace("{prompt}", turn.prompt) for a in step[1:]]
        if name == "text":
            turn.text(arguments[0])
        elif name == "entry":
            turn.text(arguments[0], new=True)
        elif name == "tool":
            turn.tool(*arguments)
        elif name == "correct":
            turn.correct(int(arguments[0]), arguments[1])
        elif name == "title":
            turn.retitle(arguments[0])
        elif name == "wait":
            await asyncio.sleep(seconds(arguments[0]))
        elif name == "repeat":
            for count in range(int(arguments[0])):
                turn.text(arguments[2].replace("{n}", str(count + 1)))
                await asyncio.sleep(seconds(arguments[1]))
        elif name == "wait-for-file":
            while not os.path.exists(arguments[0]):
                await asyncio.sleep(0.02)
        elif name == "touch":
            with open(arguments[0], "a", encoding="utf-8"):
                pass
        elif name == "typed":
            typed = turn.agent.type_in_editor(turn.thread.id, arguments[0])
            typed.text(f"editor: {arguments[0]}")
            typed.complete()
        else:
            await self._end(turn, name, arguments)

    async def _end(self, turn, name, arguments):
        if name == "complete":
            turn.complete()
        elif name == "error":
            turn.fail(arguments[0])
        elif name == "load-error":
            turn.fail_load(arguments[0])
        elif name == "disconnect":
            turn.agent.disconnect()
        elif name == "silence":
            await turn.ended.wait()
        elif name == "crash":
            sys.stdout.flush()
            os._exit(int(arguments[0]) if arguments else 1)
