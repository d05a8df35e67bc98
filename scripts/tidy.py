#!/usr/bin/env python3
"""Runs clang-tidy on every C file of the project, both cores at work, and only
on files that changed (with all they include) since they were last found clean.

    scripts/tidy.py BUILD [path prefix...]
"""
import concurrent.futures
import hashlib
import json
import os
import shlex
import subprocess
import sys

build = sys.argv[1]
prefixes = tuple(sys.argv[2:]) or ("src/", "tests/", "bench/", "examples/")
top = os.getcwd()
clean_folder = os.path.join(build, "tidy")
os.makedirs(clean_folder, exist_ok=True)

# A file that is part of several libraries has several commands: one will do.
commands = {}
with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
    for command in json.load(file):
        path = os.path.relpath(command["file"], top)
        if path.startswith(prefixes) and path not in commands:
            commands[path] = command
with open(os.path.join(clean_folder, "compile_commands.json"), "w", encoding="utf-8") as file:
    json.dump(list(commands.values()), file)
with open(".clang-tidy", "rb") as file:
    rules = file.read()


def check(path):
    """Returns clang-tidy's findings, "" if there are none."""
    command = commands[path]
    arguments = shlex.split(command["command"])
    del arguments[arguments.index("-o"):arguments.index("-o") + 2]
    preprocess = [arguments[0], "-E", *[a for a in arguments[1:] if a != "-c"]]
    text = subprocess.run(preprocess, cwd=command["directory"], capture_output=True, check=True)
    stamp = os.path.join(clean_folder, hashlib.sha256(rules + text.stdout).hexdigest())
    if os.path.exists(stamp):
        return ""
    run = subprocess.run(["clang-tidy", "--quiet", "-p", clean_folder, path],
                         capture_output=True, text=True)
    if run.returncode == 0 and "warning:" not in run.stdout and "error:" not in run.stdout:
        with open(stamp, "w", encoding="utf-8") as file:
            file.write(path)
        return ""
    return run.stdout or run.stderr


with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    findings = [text for text in pool.map(check, sorted(commands)) if text]
for text in findings:
    print(text)
if findings:
    sys.exit(f"clang-tidy: findings in {len(findings)} of {len(commands)} files")
print(f"clang-tidy: {len(commands)} files without a finding")
