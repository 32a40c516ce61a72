#!/usr/bin/env python3
"""Writes a C++ file that holds the migrations named on the command line: embed.py OUT FILE..."""
import pathlib
import re
import sys

out, files = pathlib.Path(sys.argv[1]), [pathlib.Path(f) for f in sys.argv[2:]]
numbered = []
for file in files:
    match = re.fullmatch(r"(\d{4})_([a-z0-9_]+)\.sql", file.name)
    if not match:
        sys.exit(f"{file}: a migration is called NNNN_name.sql")
    numbered.append((int(match[1]), match[2], file.read_text(encoding="utf-8")))
numbered.sort()
if [n for n, _, _ in numbered] != list(range(1, len(numbered) + 1)):
    sys.exit("migrations are numbered from 0001 without a gap")

lines = ['#include "services/state-sync/shell/store/migrations.hpp"', "",
         "namespace throughline::state_sync {", "",
         "const std::vector<migration>& all_migrations() {",
         "  static const std::vector<migration> all{"]
for number, name, text in numbered:
    lines.append(f'      {{{number}, "{name}", R"~sql~({text})~sql~"}},')
lines += ["  };", "  return all;", "}", "", "}  // namespace throughline::state_sync", ""]
out.write_text("\n".join(lines), encoding="utf-8")
