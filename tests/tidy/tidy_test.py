"""The tree keeps the rules, and each rule catches what it is there for."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import tidy  # noqa: E402

RULES = [*tidy.PER_SOURCE, "unused_files", "machine_paths", "clang_format", "allow_list"]


@pytest.fixture(scope="module")
def found():
    return tidy.breaches()


@pytest.mark.parametrize("rule", RULES)
def test_the_tree_keeps(found, rule):
    assert set(found) == set(RULES)
    assert not found[rule], "\n" + "\n".join(f"{p}:{n}: {what}" for p, n, what in found[rule])


def hits(rule, path, text):
    return list(tidy.PER_SOURCE[rule](tidy.Source(path, text)))


CORE, SHELL, CODEC = "services/gateway/core/a.cpp", "services/gateway/shell/a.cpp", "common/codec/a.cpp"


@pytest.mark.parametrize("path, include, allowed", [
    ("common/base/a.hpp", '"common/base/id.hpp"', True),
    ("common/base/a.hpp", '"common/model/entry.hpp"', False),
    ("common/model/a.hpp", '"common/base/id.hpp"', True),
    ("common/model/a.hpp", '"common/codec/x.hpp"', False),
    (CODEC, '"common/model/entry.hpp"', True),
    (CODEC, '"common/delta/patch.hpp"', False),
    (CODEC, '"common/io/nats/x.hpp"', False),
    ("common/io/nats/a.cpp", '"common/codec/x.hpp"', False),
    (CORE, '"common/replay/x.hpp"', True),
    (CORE, '"common/io/nats/x.hpp"', False),
    (CORE, '"common/ops/x.hpp"', False),
    (CORE, '"services/gateway/shell/x.hpp"', False),
    (CORE, '"services/state-sync/core/x.hpp"', False),
    (CORE, '"x.hpp"', False),
    (SHELL, '"services/gateway/core/x.hpp"', True),
    (SHELL, '"common/io/nats/x.hpp"', True),
    ("services/gateway/main.cpp", '"services/gateway/shell/x.hpp"', True),
    ("common/ops/a.cpp", '"services/gateway/core/x.hpp"', False),
])
def test_include_edges(path, include, allowed):
    assert bool(hits("include_edges", path, f"#include {include}\n")) != allowed


@pytest.mark.parametrize("path, text, allowed", [
    (CORE, "#include <boost/asio.hpp>\n", False),
    (CORE, "#include <nats/nats.h>\n", False),
    (CORE, "#include <pqxx/pqxx>\n", False),
    (CORE, "#include <simdjson.h>\n", False),
    (CODEC, "#include <simdjson.h>\n", True),
    (CODEC, "#include <spdlog/spdlog.h>\n", False),
    (SHELL, "#include <boost/asio.hpp>\n", True),
    (CORE, "#include <vector>\n", True),
    (CORE, "auto t = std::chrono::steady_clock::now();\n", False),
    (CODEC, "auto t = std::chrono::system_clock::now();\n", False),
    (SHELL, "auto t = std::chrono::steady_clock::now();\n", True),
    (CORE, "// steady_clock::now is the shell's\n", True),
    (CORE, 'auto t = "getenv(";\n', True),
    (CORE, "auto t = std::getenv(\"X\");\n", False),
    (CORE, "int n = rand();\n", False),
    (CORE, "int n = operand(1);\n", True),
    (CORE, "std::mutex m;\n", False),
])
def test_pure_layers(path, text, allowed):
    assert bool(hits("pure_layers", path, text)) != allowed


def test_a_banned_call_names_its_replacement():
    (_, what), = hits("pure_layers", CORE, "auto t = std::chrono::steady_clock::now();\n")
    assert "argument" in what
    (_, what), = hits("banned", SHELL, "std::thread([]{}).detach();\n")
    assert "own" in what
    assert hits("banned", SHELL, "// TODO later\n")


def test_sizes():
    assert not hits("file_length", "common/base/a.cpp", "\n" * 400)
    assert hits("file_length", "common/base/a.cpp", "\n" * 401)
    assert hits("file_length", "common/base/a.hpp", "\n" * 251)
    assert not hits("line_length", CORE, "x" * 120)
    assert hits("line_length", CORE, "x" * 121)


def function(lines):
    return "namespace n {\nint f(int a) {\n" + "  g(a);\n" * (lines - 2) + "}\n}\n"


def test_function_length():
    assert not hits("function_length", CORE, function(70))
    assert hits("function_length", CORE, function(71)) == [(2, "a function of 71 lines, at most 70")]
    assert not hits("function_length", CORE, "struct s {\n" + "  int a{};\n" * 100 + "};\n")
    inner = "int f() {\n  if (x) {\n" + "    g();\n" * 70 + "  }\n}\n"
    assert len(hits("function_length", CORE, inner)) == 1


def test_headers_and_names():
    assert hits("pragma_once", "common/base/a.hpp", "int a;\n")
    assert not hits("pragma_once", "common/base/a.hpp", "#pragma once\n")
    for name in ("utils", "helpers", "manager", "misc", "common"):
        assert hits("vague_name", f"common/base/{name}.hpp", "")
    assert not hits("vague_name", "common/base/position.hpp", "")


def test_comments_and_literals_are_blanked_and_lines_kept():
    text = 'a /* x\n y */ "s\\"t" \'"\' b // c\n1\'000'
    blank = tidy.blank_out(text)
    assert blank.count("\n") == text.count("\n") and len(blank) == len(text)
    assert blank.split() == ["a", "b", "1'000"]
