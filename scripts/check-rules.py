#!/usr/bin/env python3
"""House rules that no compiler knows: sizes of functions and files, comments of
the public functions, and words that have no place in the repository."""
import re
import subprocess
import sys

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 600
LINE_COLUMNS_MAX = 100

# Written so that this file does not match itself.
WORDS = [
    (re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b"), "unfinished work"),
    (re.compile(r"(?<![\w.~-])/(home|ro" r"ot|Users|wo" r"rk)/\w"), "a path of one machine"),
    (re.compile(r"(?<![\w.])/t" r"mp/(?!\S*XXXXXX)[a-z]"),
     "a fixed path in the folder for temporary files"),
    (re.compile(r"\.\./sha" r"red|(?<!\w)\.libr" r"ary\b"), "a path beside the repository"),
]
TEMPORARY_PATH_OK = re.compile(r"^(docs/|README|tests/vectors/|CONTRIBUTING)")

faults = []


def fault(path, line, text):
    faults.append(f"{path}:{line}: {text}")


def tracked(*patterns):
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, check=True, capture_output=True).stdout.decode().split("\0")
    return [name for name in names if name]


def check_function_sizes(path, lines):
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            if number - start + 1 > FUNCTION_LINES_MAX:
                fault(path, start, f"a function of {number - start + 1} lines, "
                                   f"{FUNCTION_LINES_MAX} are allowed")
            start = None


def check_c_file(path):
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    if len(lines) > FILE_LINES_MAX:
        fault(path, 1, f"{len(lines)} lines, {FILE_LINES_MAX} are allowed")
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_COLUMNS_MAX:
            fault(path, number, f"{len(line)} columns, {LINE_COLUMNS_MAX} are allowed")
    if not lines[0].startswith("/*"):
        fault(path, 1, "a file begins with what it is for")
    check_function_sizes(path, lines)


def check_public_header(path):
    """Each block of declarations (no blank line inside) follows a comment, and
    each function is named there or shares its block with one that is."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for block in re.split(r"\n\s*\n", text):
        code = re.sub(r"/\*.*?\*/", "", block, flags=re.S)
        names = re.findall(r"^[a-z][\w \t*]*?\b(eds_\w+)\(", code, flags=re.M)
        if not names:
            continue
        line = text[: text.index(block)].count("\n") + 1
        comment = "".join(re.findall(r"/\*.*?\*/", block, flags=re.S))
        if not any(name in comment for name in names) and "Each " not in comment:
            fault(path, line, f"{names[0]} has no comment that names it")


def check_words(path):
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().split("\n")
    except UnicodeDecodeError:
        return  # test data
    for number, line in enumerate(lines, 1):
        for pattern, why in WORDS:
            if pattern.search(line):
                if "temporary files" in why and TEMPORARY_PATH_OK.match(path):
                    continue
                fault(path, number, f"{why}: {line.strip()[:80]}")


def check_origins():
    """Every folder of other people's data says where it is from and its licence."""
    for folder in sorted({path.split("/")[2] for path in tracked("tests/vectors/*/*")}):
        path = f"tests/vectors/{folder}/SOURCE.txt"
        try:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        except FileNotFoundError:
            fault(path, 1, "missing: where is this data from?")
            continue
        for what, pattern in (("commit", r"[0-9a-f]{7}"), ("licence", r"MIT|Apache|BSD|CC0|CC BY")):
            if not re.search(pattern, text):
                fault(path, 1, f"it names no {what}")


def main():
    check_origins()
    for path in tracked("src/*.c", "src/*.h", "include/*.h", "tests/*.c", "tests/*.h", "bench/*.c"):
        check_c_file(path)
    headers = tracked("include/*.h")
    for path in headers:
        check_public_header(path)
    everything = [p for p in tracked() if not p.startswith(("tests/vectors/", "tests/fuzz/corpus/"))]
    for path in everything:
        check_words(path)
    if not headers:
        sys.exit("no public headers found: run from the project's top folder")
    for text in faults:
        print(text)
    if faults:
        sys.exit(f"{len(faults)} breaches of the house rules")
    print(f"{len(everything)} files keep the house rules")


main()
