#!/usr/bin/env python3
"""Makes the single-file distribution: edgesentry.c and edgesentry.h.

  scripts/amalgamate.py OUTPUT-FOLDER

The rooms base, core, codec, update, bridge and device become one translation unit,
in the order of the rooms.  What keeps them apart in many files has to be done
here:

- A header with an include guard is put in where it is first included; one
  without (a template, a compiler's target) each time.
- Names that a file keeps to itself (static functions and variables, tags,
  enumerators, types) and that any other file also uses are given the file's name
  in front.  Members keep their names: they stand behind . or ->, or are declared
  inside a struct.
- Macros of a .c file end with it.

The result is compiled by tests/e2e/test_amalgamation.sh; a name missed here is an
error there.
"""
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
ROOMS = ["base", "core", "codec", "update", "bridge", "device"]
PUBLIC = ["edgesentry_bridge.h", "edgesentry/error.h", "edgesentry/blake3.h",
          "edgesentry/ed25519.h", "edgesentry/record.h", "edgesentry/attest.h",
          "edgesentry/chain.h", "edgesentry/verifier.h", "edgesentry/command.h",
          "edgesentry/json.h",
          "edgesentry/update.h", "edgesentry/buffer_store.h", "edgesentry/sender.h",
          "edgesentry/buffer.h", "edgesentry/signer.h", "edgesentry/agent.h",
          "edgesentry/commander.h",
          "edgesentry/flash.h", "edgesentry/forwarder.h"]
# What a firmware without an OS has to bring, told to it there.
PORTS = ["base/port.h", "base/log.h"]
# Files of these rooms that are of use to the server alone.
LEFT_OUT = {"base/ini.c"}
# Under what condition a file counts, innermost; the rooms' own are in ROOM_IF.
FILE_IF = {"device/store_sqlite.c": "EDS_BUFFER_SQLITE",
           "device/store_sqlite_connect.c": "EDS_BUFFER_SQLITE",
           "device/store_sqlite_room.c": "EDS_BUFFER_SQLITE",
           "device/signer_pkcs11.c": "EDS_PKCS11"}
FILE_IF.update(dict.fromkeys([
    "base/log.c", "base/place_posix.c", "base/port_posix.c", "device/agent_clock_system.c",
    "device/buffer_open.c", "device/delivery.c", "device/forwarder.c", "device/keyfile.c",
    "device/log_io_file.c", "device/signer_file.c", "device/store_log_file.c"], "!defined(EDS_WITHOUT_OS)"))
ROOM_IF = {"device": "!defined(EDS_WITHOUT_DEVICE)"}

TOKEN = re.compile(r"""
    (?P<comment>/\*.*?\*/|//[^\n]*)
  | (?P<string>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')
  | (?P<name>[A-Za-z_]\w*)
  | (?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)
  | (?P<space>\s+)
  | (?P<mark>->|\.\.\.|\#\#|.)
""", re.X | re.S)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">][^\n]*\n', re.M)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*\n", re.M)
DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.M)
GUARD = re.compile(r"^#ifndef (EDS_\w+_H|EDGESENTRY_\w*H)\n#define \1\n", re.M)
STATIC_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)[ \t]+static\b", re.M)
KEYWORDS = set("""auto break case char const continue default do double else enum extern float for
    goto if inline int long register restrict return short signed sizeof static struct switch
    typedef union unsigned void volatile while _Alignas _Alignof _Atomic _Bool _Generic _Noreturn
    _Static_assert _Thread_local __extension__ __attribute__ __asm__""".split())


def tokens_of(text):
    return [(m.lastgroup, m.group()) for m in TOKEN.finditer(text)]


def code_tokens(text):
    """Without comments, space and preprocessor lines."""
    without = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    without = DIRECTIVE.sub("\n", without)
    return [t for t in tokens_of(without) if t[0] not in ("comment", "space")]


def path_of(name):
    return TOP / ("include" if name.startswith("edgesentry") else "src") / name


def matching(tokens, at):
    """The index behind the bracket that closes the one at at."""
    depth = 0
    while at < len(tokens):
        if tokens[at][1] in "([{":
            depth += 1
        elif tokens[at][1] in ")]}":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    raise SystemExit("a bracket is not closed")


def declared_in(tokens):
    """Splits a file into its outermost declarations: lists of tokens, bodies kept."""
    at, begin = 0, 0
    while at < len(tokens):
        mark = tokens[at][1]
        if mark in ("(", "["):
            at = matching(tokens, at)
        elif mark == "{":
            before = tokens[at - 1][1]
            at = matching(tokens, at)
            if before == ")":  # a function's body ends it
                yield tokens[begin:at]
                begin = at
        elif mark == ";":
            yield tokens[begin:at + 1]
            at += 1
            begin = at
        else:
            at += 1


def enumerators(tokens):
    """Of the enum whose body these tokens are, without its braces."""
    expected = True
    for kind, text in tokens:
        if expected and kind == "name":
            yield text
        expected = text == ","


def private_names(text):
    """What a .c file keeps to itself: ordinary names, and tags."""
    names, tags = set(), set()
    static = {"static", *STATIC_MACRO.findall(text)}
    for declaration in declared_in(code_tokens(text)):
        words = [text for _, text in declaration]
        at = 0
        while at < len(words):
            if words[at] in ("struct", "union", "enum") and at + 1 < len(words):
                tag = at + 1 if declaration[at + 1][0] == "name" else None
                body = at + 1 if tag is None else at + 2
                if body < len(words) and words[body] == "{":
                    end = matching(declaration, body)
                    if tag is not None:
                        tags.add(words[tag])
                    if words[at] == "enum":
                        names.update(enumerators(declaration[body + 1:end - 1]))
                    at = end
                    continue
                at = body
                continue
            at += 1
        if words[0] == "typedef" or words[:2] == ["__extension__", "typedef"]:
            names.add(typedef_name(declaration))
        elif static.intersection(words[:3]):
            names.update(declarators(declaration))
    return names, tags


def typedef_name(declaration):
    """The last name outside of brackets, or (*name)."""
    name, at = None, 0
    while at < len(declaration):
        kind, text = declaration[at]
        if text in "([{":
            if text == "(" and declaration[at + 1][1] == "*":
                return declaration[at + 2][1]
            at = matching(declaration, at)
            continue
        if kind == "name" and text not in KEYWORDS:
            name = text
        at += 1
    return name


def declarators(declaration):
    """The names that a static declaration declares."""
    at = 0
    while at < len(declaration):
        kind, text = declaration[at]
        after = declaration[at + 1][1] if at + 1 < len(declaration) else ""
        if text in ("struct", "union", "enum"):
            at += 2 if declaration[at + 1][0] == "name" else 1
            continue
        if text == "__attribute__":
            at = matching(declaration, at + 1)
            continue
        if text in "([{":
            if text == "(" and declaration[at + 1][1] == "*":  # a pointer to functions
                yield declaration[at + 2][1]
            at = matching(declaration, at)
            continue
        if kind == "name" and text not in KEYWORDS and after in ("(", "[", "=", ";", ","):
            yield text
            if after == "(":
                return
        if text == "=":  # up to the next declarator
            while at < len(declaration) and declaration[at][1] not in (",", ";"):
                at = matching(declaration, at) if declaration[at][1] in "([{" else at + 1
            continue
        at += 1


def rename(text, names, tags):
    """Gives names and tags their new ones, and leaves members alone."""
    out, past = [], ["", ""]
    aggregate, depth = [], 0  # depths of braces that are a struct's or union's
    tokens = tokens_of(text)
    for index, (kind, word) in enumerate(tokens):
        if kind in ("comment", "space"):
            out.append(word)
            continue
        if word == "{":
            depth += 1
            if past[-1] in ("struct", "union") or past[-2] in ("struct", "union"):
                aggregate.append(depth)
        elif word == "}":
            if aggregate and aggregate[-1] == depth:
                aggregate.pop()
            depth -= 1
        new = word
        if kind == "name":
            after = next((t for k, t in tokens[index + 1:] if k not in ("comment", "space")), "")
            if past[-1] in ("struct", "union", "enum"):
                new = tags.get(word, word)
            elif past[-1] in (".", "->"):
                pass
            elif aggregate and aggregate[-1] == depth and after in (";", ",", "[", ":", ")"):
                pass  # a member's declaration
            else:
                new = names.get(word, word)
        out.append(new)
        past = [past[-1], word]
    return "".join(out)


class Amalgamation:
    def __init__(self):
        self.included = set()
        self.public = set(PUBLIC)
        self.target = None    # what wide instructions the text is compiled for here
        self.target_of = {}   # and the headers that were put in there

    def expand(self, text):
        """Puts our own headers in; the system's stay."""
        def put_in(match):
            mark, name = match.groups()
            if mark == "<" or name == "base/features.h":
                return match.group() if mark == "<" else ""
            if name.startswith("core/target_"):
                self.target = None if name == "core/target_end.h" else name
            if self.target_of.get(name, self.target) not in (None, self.target):
                raise SystemExit(f"{name} is compiled under {self.target_of[name]}, "
                                 "and used by what runs anywhere")
            if name in self.public or name in self.included:
                return ""
            header = path_of(name).read_text()
            if GUARD.search(header):
                self.included.add(name)
                self.target_of[name] = self.target
                return f"\x01{name}\x02{self.expand(header)}\x03"
            return self.expand(header)
        return INCLUDE.sub(put_in, text)


def split_shared(text):
    """The parts of an expanded file: (name of a guarded header or None, text)."""
    parts, stack = [], [None]
    for piece in re.split(r"(\x01[^\x02]*\x02|\x03)", text):
        if piece.startswith("\x01"):
            stack.append(piece[1:-1])
        elif piece == "\x03":
            stack.pop()
        elif piece:
            parts.append((stack[-1], piece))
    return parts


def sources():
    """Room by room; what is compiled for a target of its own comes last in a room, so
    that headers for everybody are put in under none."""
    for room in ROOMS:
        files = [(path.name, path.read_text()) for path in (TOP / "src" / room).glob("*.c")]
        for name, text in sorted(files, key=lambda file: ('"core/target_' in file[1], file[0])):
            if f"{room}/{name}" not in LEFT_OUT:
                yield f"{room}/{name}", text


def words_in(text):
    return {word for kind, word in tokens_of(text) if kind == "name"}


def make_header(version):
    out = [f"""/* edgesentry.h - EdgeSentry {version} in one header; edgesentry.c is the library.
 *
 * Made by scripts/amalgamate.py from the headers of the project, in their order:
 *   {(chr(10) + " *   ").join(PUBLIC)}
 *
 * Which parts there are is said when edgesentry.c is compiled: docs/DEVICE.md.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef EDGESENTRY_H
#define EDGESENTRY_H
"""]
    for name in PUBLIC:
        text = path_of(name).read_text()
        out.append(INCLUDE.sub(lambda m: m.group() if m.group(1) == "<" else "", text))
    out.append("#if defined(EDS_WITHOUT_OS) /* a firmware defines these functions */\n\n")
    out.extend(path_of(name).read_text() for name in PORTS)
    out.append("#endif\n#endif /* EDGESENTRY_H */\n")
    return "\n".join(out)


def make_source(version):
    amalgamation = Amalgamation()
    units = [(name, split_shared(amalgamation.expand(text))) for name, text in sources()]
    words = {}  # where each name is used: .c files, and guarded headers as one
    for name, parts in units:
        for header, text in parts:
            for word in words_in(text):
                words.setdefault(word, set()).add(header or name)
    for header in PUBLIC:
        for word in words_in(path_of(header).read_text()):
            words.setdefault(word, set()).add(header)
    out = [f"""/* edgesentry.c - EdgeSentry {version} in one file.
 *
 * Made by scripts/amalgamate.py; the project's own files are the ones to read.
 * Needs libsodium (or its Ed25519 alone) to link, and edgesentry.h beside it.
 *
 * Options, each a definition for the compiler (docs/DEVICE.md says more):
 *   EDS_PORTABLE_ONLY     nothing but C: no SSE, AVX or AVX-512, chosen at run time
 *   EDS_WITHOUT_DEVICE    without agent, buffer and forwarder
 *   EDS_WITHOUT_OS        no files, threads and clock: a firmware brings eds_port_random
 *                         and eds_log, and a clock for each agent
 *   EDS_BUFFER_SQLITE=1   with the buffer in SQLite (libsqlite3)
 *   EDS_PKCS11=1          with keys in tokens (p11-kit)
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "edgesentry.h"

#if defined(__x86_64__) && !defined(EDS_PORTABLE_ONLY)
#include <immintrin.h> /* before any of our targets, which its functions would take */
#endif
#ifndef EDS_VERSION
#define EDS_VERSION "{version}"
#endif
#ifndef EDS_BUFFER_SQLITE
#define EDS_BUFFER_SQLITE 0
#endif
#ifndef EDS_PKCS11
#define EDS_PKCS11 0
#endif
"""]
    room = None
    for name, parts in units + [("/", [])]:
        if name.split("/")[0] != room:
            if ROOM_IF.get(room):
                out.append("#endif\n")
            room = name.split("/")[0]
            if ROOM_IF.get(room):
                out.append(f"#if {ROOM_IF[room]}\n")
        if parts:
            out.append(make_unit(name, parts, words))
    return "".join(out)


def make_unit(name, parts, words):
    own = "".join(text for header, text in parts if header is None)
    names, tags = private_names(own)
    stem = name.split("/")[1].removesuffix(".c")
    tags = {tag for tag in tags if not tag.startswith("eds_")}  # all the project's
    maps = []
    for kind in (names, tags):
        clashing = sorted(word for word in kind if words[word] != {name})
        maps.append({word: f"{stem}_{word}" for word in clashing})
        for new in maps[-1].values():
            if new in words:
                raise SystemExit(f"{name}: {new} would be the new name of a name, and is there")
    body = "".join(rename(text, *maps) if header is None else f"/* {header} */\n{text}"
                   for header, text in parts)
    macros = [m for m in dict.fromkeys(DEFINE.findall(own))]
    ends = "".join(f"#undef {macro}\n" for macro in macros)
    condition = FILE_IF.get(name)
    if condition:
        body = f"#if {condition}\n{body}#endif\n"
    return f"\n/* ---- {name} ---- */\n\n{body}{ends}"


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    version = re.search(r"project\(edgesentry VERSION ([\d.]+)",
                        (TOP / "CMakeLists.txt").read_text()).group(1)
    for name, text in (("edgesentry.h", make_header(version)),
                       ("edgesentry.c", make_source(version))):
        (folder / name).write_text(text)


if __name__ == "__main__":
    main()
