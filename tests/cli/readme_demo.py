#!/usr/bin/env python3
"""The README's demo is what the commands print.

usage: readme_demo.py HYPERSTEP ROOT

Runs each `$` line of the fenced blocks of README.md that is a `hyperstep` or `./dev run` command (commands separated by
`;` one after the other, in a scratch folder for what they write) and compares the lines below it.
"""
import pathlib
import subprocess
import sys
import tempfile

binary, root = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()


def demos(text):
    """(command, output) for each `$` line in a fenced block."""
    for block in text.split("```")[1::2]:
        if not block.startswith("\n$ "):
            continue
        for part in block[1:].split("\n$ "):
            command, _, output = part.removeprefix("$ ").partition("\n")
            yield command, output.rstrip("\n")


def runnable(command):
    """The command with the binary under test instead of what a reader types; None if it is none of ours."""
    for typed in ("./dev run ", "hyperstep "):
        if command.startswith(typed):
            built = pathlib.Path(binary).resolve().parent
            line = command.replace("casebook/", f"{root}/casebook/").replace("build/dev/", f"{built}/")
            return line.replace(typed, f"{binary} ")
    return None


def main():
    wrong = checked = 0
    with tempfile.TemporaryDirectory() as scratch:
        for command, output in demos((root / "README.md").read_text(encoding="utf-8")):
            line = runnable(command)
            if line is None:
                continue
            printed = subprocess.run(line, shell=True, cwd=scratch, capture_output=True, text=True, check=False).stdout
            checked += 1
            if printed.rstrip("\n") != output:
                wrong += 1
                print(f"README.md: `{command}` now prints:\n{printed}")
    print(f"{checked - wrong} of {checked} commands print what README.md shows")
    return 1 if wrong or checked < 3 else 0


sys.exit(main())
