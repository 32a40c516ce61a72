#!/usr/bin/python3
"""House rules that a machine can check, over every source file. Run alone it prints one line per breach.

A breach that has a reason stands in allow.txt, one line each: RULE PATH REASON. A line that no longer allows anything
is itself a breach, so the list only shrinks.
"""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALLOW = "tests/tidy/allow.txt"
SOURCE_FOLDERS = ("common", "services", "tests")
NOT_OURS = ("node_modules", "__pycache__")

LINES_MAX = {".cpp": 400, ".hpp": 250}
FUNCTION_LINES_MAX = 70
COLUMNS_MAX = 120
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "misc", "common"}

# Layer -> layers it may include. `base` includes nothing of ours; `io` and `ops` are seen by shell and main only.
LAYERS = {
    "base": set(),
    "model": {"base"},
    "codec": {"base", "model"},
    "delta": {"base", "model"},
    "replay": {"base", "model"},
    "ops": {"base"},
    "io": {"base", "ops"},
    "core": {"base", "model", "codec", "delta", "replay"},
    "shell": {"base", "model", "codec", "delta", "replay", "ops", "io", "core"},
    "main": {"base", "model", "codec", "delta", "replay", "ops", "io", "core", "shell"},
}
PURE = {"base", "model", "codec", "delta", "replay", "core"}

# What a pure layer must not include: loops, sockets, brokers, databases, logs, threads and, but in the codec, JSON.
EFFECT_HEADERS = re.compile(
    r"^(boost/(asio|beast)|nats|pqxx|libpq|httplib|spdlog|prometheus|CLI|cjose|thread$|mutex$|shared_mutex$|"
    r"condition_variable$|future$|iostream$|fstream$|filesystem$|sys/|unistd|netinet/|arpa/)")
JSON_HEADERS = re.compile(r"^(simdjson|rapidjson|nlohmann|boost/json)")

# In pure layers: pattern -> what to do instead.
PURE_BANS = {
    r"\b(system|steady|high_resolution|utc)_clock::now\b": "take the time as an argument (`now`, an instant)",
    r"\b(std::)?time\s*\(\s*(NULL|nullptr|0|&)": "take the time as an argument (`now`, an instant)",
    r"\b(clock_gettime|gettimeofday)\b": "take the time as an argument (`now`, an instant)",
    r"\bstd::(random_device|mt19937\w*)\b|\bs?rand\s*\(": "take ids and random bits as arguments",
    r"\b(secure_)?getenv\s*\(": "take settings as arguments; ops reads the environment",
    r"\bsleep_(for|until)\b|\bu?sleep\s*\(": "return a deadline; the shell owns timers",
    r"\bstd::(cout|cerr|clog)\b|\b(f?printf|puts)\s*\(": "return an effect or an error; the shell logs",
    r"\bstd::(thread|jthread|mutex|async)\b": "stay single-threaded; the shell owns concurrency",
}
# Everywhere in product code.
BANS = {
    r"\bstd::(cout|cerr|clog)\b": "log through ops, or fmt::print in a main",
    r"\busing namespace (std|boost)\s*;": "name what is used",
    r"\b(strcpy|strcat|sprintf|gets|strtok)\s*\(": "use std::string, fmt or string_view",
    r"\.detach\s*\(\s*\)": "let an object own the thread and stop it",
    r"\bstd::regex\b": "parse by hand: std::regex recurses without bound",
    r"\bTODO\b|\bFIXME\b|\bXXX\b": "do it, or leave it out",
}


class Source:
    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.splitlines()
        self.code = blank_out(text)
        self.code_lines = self.code.splitlines()
        self.includes = [(n, m[1]) for n, line in enumerate(self.lines, 1)
                         if (m := re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line))]


def blank_out(text):
    """The text with comments, strings and character literals replaced by blanks; lines stay where they are."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'
                         r"(?<![0-9a-zA-Z_])'(?:\\.|[^'\\\n])+'", re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m[0]), text)


def repository_files():
    """Files that are tracked or would be, by their path from the top."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True,
                            check=True).stdout.splitlines()
    return sorted(f for f in set(listed) if (ROOT / f).is_file() and not set(f.split("/")) & set(NOT_OURS))


def sources(files):
    return [Source(f, (ROOT / f).read_text(encoding="utf-8")) for f in files
            if f.endswith((".cpp", ".hpp")) and f.startswith(SOURCE_FOLDERS)]


def place(path):
    """(layer, service or None) of a product file or of an include from the repository's top; (None, None) otherwise."""
    parts = path.split("/")
    if parts[0] == "common" and len(parts) > 2:
        return parts[1], None
    if parts[0] == "services" and len(parts) > 2:
        return ("main" if parts[2].endswith(".cpp") else parts[2]), parts[1]
    return None, None


def include_edges(source):
    layer, service = place(source.path)
    if layer is None:
        return
    if layer not in LAYERS:
        if layer not in ("schema", "web"):
            yield 1, f"a folder that is no layer: {layer}"
        return
    for line, header in source.includes:
        target, target_service = place(header)
        if target is None:
            quoted = f'"{header}"' in source.lines[line - 1]
            if quoted:
                yield line, f'"{header}" is not named from the repository\'s top'
        elif target_service and service is None:
            yield line, f"common includes a service: {header}"
        elif target_service and target_service != service:
            yield line, f"services never include each other: {header}; move it to common or make it a message"
        elif target != layer and target not in LAYERS[layer]:
            yield line, f"{layer} must not include {target}: {header}"


def pure_layers(source):
    layer, _ = place(source.path)
    if layer not in PURE:
        return
    for line, header in source.includes:
        if EFFECT_HEADERS.search(header):
            yield line, f"<{header}> in {layer}: effects belong to the shell"
        elif JSON_HEADERS.search(header) and layer != "codec":
            yield line, f"<{header}> in {layer}: JSON belongs to the codec"
    for pattern, instead in PURE_BANS.items():
        for line, text in enumerate(source.code_lines, 1):
            if found := re.search(pattern, text):
                yield line, f"{found[0].strip()} in {layer}: {instead}"


def banned(source):
    if place(source.path)[0] is None:
        return
    for pattern, instead in BANS.items():
        where = source.lines if "TODO" in pattern else source.code_lines
        for line, text in enumerate(where, 1):
            if found := re.search(pattern, text):
                yield line, f"{found[0].strip()}: {instead}"


def file_length(source):
    most = LINES_MAX[pathlib.PurePath(source.path).suffix]
    if len(source.lines) > most:
        yield most + 1, f"{len(source.lines)} lines, at most {most}"


def line_length(source):
    for number, line in enumerate(source.lines, 1):
        if len(line) > COLUMNS_MAX:
            yield number, f"{len(line)} columns, at most {COLUMNS_MAX}"


def function_length(source):
    """By braces: a block whose head has a parameter list and is no type, namespace, or control statement."""
    not_a_body = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")
    control = re.compile(r"^\s*(\}?\s*else\b|if|for|while|switch|do|try|catch|case|default|return)\b")
    open_blocks, head, line = [], "", 1
    for character in source.code:
        if character == "{":
            text = head.strip()
            is_function = ("(" in text and not control.match(text) and not not_a_body.search(text)
                           and not any(is_body for _, is_body in open_blocks))
            open_blocks.append((line, is_function))
            head = ""
        elif character == "}":
            if open_blocks:
                start, is_function = open_blocks.pop()
                if is_function and line - start + 1 > FUNCTION_LINES_MAX:
                    yield start, f"a function of {line - start + 1} lines, at most {FUNCTION_LINES_MAX}"
            head = ""
        elif character == ";":
            head = ""
        else:
            head += character
        if character == "\n":
            line += 1


def pragma_once(source):
    if source.path.endswith(".hpp") and not re.search(r"^#pragma once$", source.text, re.M):
        yield 1, "no #pragma once"


def vague_name(source):
    if pathlib.PurePath(source.path).stem in VAGUE_NAMES:
        yield 1, "a file is named after the noun it holds"


PER_SOURCE = {f.__name__: f for f in (include_edges, pure_layers, banned, file_length, line_length, function_length,
                                      pragma_once, vague_name)}


def unused_files(all_sources, files):
    """A .cpp that no meson.build names, a header that nobody includes and that is not one to precompile."""
    meson = {}
    for path in files:
        if path.endswith("meson.build"):
            folder = os.path.dirname(path)
            for name in re.findall(r"'([^'\n]+\.(?:cpp|hpp))'", (ROOT / path).read_text(encoding="utf-8")):
                meson.setdefault(os.path.normpath(os.path.join(folder, name)), path)
    included = {header for source in all_sources for _, header in source.includes}
    for source in all_sources:
        if source.path.endswith(".cpp"):
            if source.path not in meson:
                yield source.path, 1, "no meson.build names it"
        elif source.path not in meson and not any(source.path == header or source.path.endswith("/" + header) for header in included):
            yield source.path, 1, "nobody includes it"


def machine_paths(files):
    """A path of the machine it was written on is of no use on another."""
    own = re.escape(str(ROOT.parent)) if len(ROOT.parts) > 2 else None
    homes = [r"/home/(?!nonroot|throughline)[a-z]\w*/", r"/Users/\w+/"]
    pattern = re.compile("|".join([own + "/", *homes] if own else homes))
    for path in files:
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path.startswith("tests/tidy/"):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if found := pattern.search(line):
                yield path, number, f"a path of one machine: {found[0]}"


def clang_format(all_sources):
    paths = [s.path for s in all_sources]
    if not paths:
        return
    done = subprocess.run(["clang-format-19", "--dry-run", "--ferror-limit=1", *paths], cwd=ROOT, capture_output=True,
                          text=True)
    seen = set()
    report = r"^(\S+?):(\d+):\d+: (?:warning|error): code should be clang-formatted"
    for found in re.finditer(report, done.stderr, re.M):
        if found[1] not in seen:
            seen.add(found[1])
            yield found[1], int(found[2]), f"clang-format-19 -i {found[1]}"


def check_sources(all_sources, rule):
    return [(s.path, line, what) for s in all_sources for line, what in PER_SOURCE[rule](s)]


def allowed():
    """{(rule, path): reason}"""
    entries, listed = {}, ROOT / ALLOW
    for line in listed.read_text(encoding="utf-8").splitlines() if listed.exists() else []:
        if line.strip() and not line.startswith("#"):
            rule, path, reason = line.split(None, 2)
            entries[rule, path] = reason
    return entries


def breaches():
    """{rule: [(path, line, what)]}, allowed ones left out, and the lines of the list that allow nothing."""
    files = repository_files()
    all_sources = sources(files)
    found = {rule: check_sources(all_sources, rule) for rule in PER_SOURCE}
    found["unused_files"] = list(unused_files(all_sources, files))
    found["machine_paths"] = list(machine_paths(files))
    found["clang_format"] = list(clang_format(all_sources))
    entries, used = allowed(), set()
    for rule, hits in found.items():
        used |= {(rule, path) for path, _, _ in hits if (rule, path) in entries}
        found[rule] = [hit for hit in hits if (rule, hit[0]) not in entries]
    found["allow_list"] = [(ALLOW, 1, f"{rule} {path} allows nothing any more: remove the line")
                           for rule, path in sorted(set(entries) - used)]
    return found


def main():
    count = 0
    for rule, hits in breaches().items():
        for path, line, what in hits:
            print(f"{path}:{line}: {rule}: {what}")
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
