#!/usr/bin/env python3
"""The documents are true: runs the commands of every ```console block and
compares what is shown, and looks for every file that is linked or named.

In such a block a line "$ COMMAND" is run (lines ending in \\ go on); the lines up
to the next one are what it must print, standard output and error together. "..."
stands for any text within a line, a line "..." for any lines. The blocks of one
document run in one shell, in an empty folder, with the built eds in the PATH.
"""
import os
import re
import subprocess
import sys
import tempfile

SOURCE = os.environ["EDS_SOURCE"]
DOCUMENTS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
DOCUMENTS += sorted("docs/" + name for name in os.listdir(os.path.join(SOURCE, "docs"))
                    if name.endswith(".md"))
MARK = "=== exit code "
faults = []


def blocks_of(text):
    """Yields (line number, commands) of every console block; a command is
    (line number, shell text, expected lines)."""
    for match in re.finditer(r"^```console\n(.*?)^```$", text, flags=re.M | re.S):
        number = text.count("\n", 0, match.start()) + 2
        commands = []
        continued = False
        for offset, line in enumerate(match.group(1).splitlines()):
            if line.startswith("$ "):
                commands.append((number + offset, [line[2:]], []))
            elif continued:
                commands[-1][1].append(line)
            elif commands:
                commands[-1][2].append(line)
            continued = line.endswith("\\") and not (commands and commands[-1][2])
        yield from ((n, "\n".join(shell), expected) for n, shell, expected in commands)


def matches(expected, printed):
    pattern = ""
    for line in expected:
        if line.strip() == "...":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*?".join(re.escape(part) for part in line.split("...")) + r"\n"
    return re.fullmatch(pattern, printed) is not None


def run_document(name, text):
    commands = list(blocks_of(text))
    if not commands:
        return 0
    with tempfile.TemporaryDirectory() as folder:
        script = "".join(f"{shell}\nprintf '{MARK}%s\\n' $?\n" for _, shell, _ in commands)
        environment = dict(os.environ, HOME=folder, LC_ALL="C.UTF-8")
        environment["PATH"] = os.path.dirname(os.environ["EDS"]) + ":" + environment["PATH"]
        run = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, timeout=120,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT)
        outputs = re.split(rf"{MARK}(\d+)\n", run.stdout.decode())[::2]
    for (line, shell, expected), printed in zip(commands, outputs):
        if not matches(expected, printed):
            faults.append(f"{name}:{line}: $ {shell}\n--- shown\n" + "\n".join(expected)
                          + "\n--- printed\n" + printed)
    if len(outputs) != len(commands) + 1:
        faults.append(f"{name}: its commands stopped early:\n{run.stdout.decode()[-800:]}")
    return len(commands)


def anchors_of(path):
    """The anchors that the headings of a document get."""
    with open(path, encoding="utf-8") as file:
        headings = re.findall(r"^#+ (.*)$", file.read(), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def check_names(name, text):
    """Links and paths must lead somewhere."""
    count = 0
    folder = os.path.dirname(os.path.join(SOURCE, name))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        path = os.path.join(folder, path) if path else os.path.join(SOURCE, name)
        count += 1
        if not os.path.exists(path):
            faults.append(f"{name}: the link {target} leads nowhere")
        elif anchor and anchor not in anchors_of(path):
            faults.append(f"{name}: {target}: there is no such heading")
    for path in re.findall(r"`((?:src|tests|scripts|cmake|docs|include|examples|bench)/[\w./-]+)`",
                           text):
        if re.search(r"\b[A-Z]{3,}\b|_NAME", path):
            continue  # a pattern, not a path
        count += 1
        if not os.path.exists(os.path.join(SOURCE, path)):
            faults.append(f"{name}: there is no {path}")
    for target in re.findall(r"`make ([a-z-]+)", text):
        with open(os.path.join(SOURCE, "Makefile"), encoding="utf-8") as file:
            if not re.search(rf"^{target}:", file.read(), flags=re.M):
                faults.append(f"{name}: there is no `make {target}`")
    return count


commands = names = 0
for document in DOCUMENTS:
    with open(os.path.join(SOURCE, document), encoding="utf-8") as file:
        content = file.read()
    commands += run_document(document, content)
    names += check_names(document, content)
for fault in faults:
    print(fault)
if faults or commands == 0:
    sys.exit(f"{len(faults)} faults in the documents ({commands} commands were run)")
print(f"{commands} commands of the documents print what is shown; {names} links and paths lead on")
