"""Writes a C++ file that holds the browser's files: web_embed.py FOLDER OUTPUT DEPFILE."""

import hashlib
import pathlib
import sys

TYPES = {
    '.css': 'text/css; charset=utf-8',
    '.html': 'text/html; charset=utf-8',
    '.ico': 'image/x-icon',
    '.js': 'text/javascript; charset=utf-8',
    '.png': 'image/png',
    '.svg': 'image/svg+xml',
    '.webmanifest': 'application/manifest+json',
}


def literal(data):
    """The bytes as string literals of 64 each: octal escapes end after three digits, whatever follows."""
    lines = (data[at:at + 64] for at in range(0, len(data), 64))
    return '\n'.join('    "' + ''.join(f'\\{byte:03o}' for byte in line) + '"' for line in lines) or '    ""'


def main(folder, output, depfile):
    root = pathlib.Path(folder)
    files = sorted(path for path in root.rglob('*') if path.is_file() and path.suffix in TYPES)
    out = ['#include "services/gateway/shell/web_pages.hpp"', '', '#include <array>', '',
           'namespace throughline::gateway {', '', 'namespace {', '']
    rows = []
    for number, path in enumerate(files):
        data = path.read_bytes()
        out += [f'constexpr char bytes_{number}[] =', literal(data) + ';', '']
        etag = hashlib.sha256(data).hexdigest()[:32]
        rows.append(f'    web_page{{"/{path.relative_to(root).as_posix()}", "{TYPES[path.suffix]}",\n'
                    f'             "\\"{etag}\\"", {{bytes_{number}, {len(data)}}}}},')
    out += [f'constexpr std::array<web_page, {len(files)}> pages = {{', *rows, '};', '', '}  // namespace', '',
            'std::span<const web_page> embedded_pages() {', '  return pages;', '}', '',
            '}  // namespace throughline::gateway', '']
    pathlib.Path(output).write_text('\n'.join(out))
    folders = {root, *(path for path in root.rglob('*') if path.is_dir())}
    inputs = ' '.join(str(path).replace(' ', '\\ ') for path in [*files, *sorted(folders)])
    pathlib.Path(depfile).write_text(f'{output}: {inputs}\n')


main(*sys.argv[1:])
