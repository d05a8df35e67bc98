#!/usr/bin/env python3
"""The documents are true: runs the commands of every ```console block and
compares what is shown, and looks for every file that is linked or named.

In such a block a line "$ COMMAND" is run (lines ending in \\ go on); the lines up
to the next one are what it must print, standard output and error together. "..."
stands for any text within a line, a line "..." for any lines. The blocks of one
document run in one shell, in an empty folder, with the built eds in the PATH.
"""
import functools
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile

SOURCE = os.environ["EDS_SOURCE"]
DOCUMENTS = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
DOCUMENTS += sorted("docs/" + name for name in os.listdir(os.path.join(SOURCE, "docs"))
                    if name.endswith(".md"))
EDS = os.path.abspath(os.environ["EDS"])
MARK = "=== exit code "
TIMEOUT_S = 300
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


def run_script(script, folder, environment):
    """What it prints; after TIMEOUT_S it is ended, with all that it has begun."""
    shell = subprocess.Popen(["bash", "-c", script], cwd=folder, env=environment,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, start_new_session=True)
    try:
        return shell.communicate(timeout=TIMEOUT_S)[0].decode()
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        return shell.communicate()[0].decode()


def run_document(name, text):
    commands = list(blocks_of(text))
    if not commands:
        return 0
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as place:
        os.symlink(EDS, os.path.join(place, "eds"))  # whatever it is called here
        script = "".join(f"{shell}\nprintf '{MARK}%s\\n' $?\n" for _, shell, _ in commands)
        environment = dict(os.environ, HOME=folder, LC_ALL="C.UTF-8")
        environment["PATH"] = place + ":" + environment["PATH"]
        said = run_script(script, folder, environment)
        outputs = re.split(rf"{MARK}(\d+)\n", said)[::2]
    for (line, shell, expected), printed in zip(commands, outputs):
        if not matches(expected, printed):
            faults.append(f"{name}:{line}: $ {shell}\n--- shown\n" + "\n".join(expected)
                          + "\n--- printed\n" + printed)
    if len(outputs) != len(commands) + 1:
        faults.append(f"{name}: its commands stopped early:\n{said[-800:]}")
    return len(commands)


@functools.cache
def page_of(command):
    return eds("help", *command)


def check_options(name, text):
    """Commands that are only shown, because they need what is not here, are commands that
    there are, with options that they have."""
    count = 0
    shown = "\n".join(re.findall(r"^```sh.*\n((?:.*\n)*?)```$", text, flags=re.M)
                      + re.findall(r"^    (.*)$", text, flags=re.M)).replace("\\\n", " ")
    for line in re.findall(r"^ *eds (.*)$", shown, flags=re.M):
        words = shlex.split(line, comments=True)
        command = max((each for each in COMMANDS if tuple(words[:len(each)]) == each),
                      key=len, default=())
        page = page_of(command)
        count += 1
        if not command:
            faults.append(f"{name}: there is no command eds {line}")
        for option in {word.partition("=")[0] for word in words if word.startswith("--")}:
            if not re.search(rf"{option}(?![\w-])", page):
                faults.append(f"{name}: eds {' '.join(command)} has no option {option}")
    return count


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


def eds(*words):
    return subprocess.run([EDS, *words], check=True, capture_output=True, timeout=120).stdout.decode()


COMMANDS = [tuple(line.split()) for line in eds("help", "--list").splitlines()]
commands = shown = names = 0
for document in DOCUMENTS:
    with open(os.path.join(SOURCE, document), encoding="utf-8") as file:
        content = file.read()
    commands += run_document(document, content)
    shown += check_options(document, content)
    names += check_names(document, content)
for fault in faults:
    print(fault)
if faults or commands == 0:
    sys.exit(f"{len(faults)} faults in the documents ({commands} commands were run)")
print(f"{commands} commands of the documents print what is shown, {shown} more are as shown; "
      f"{names} links and paths lead on")
