#!/usr/bin/env python3
"""Fails when a file includes what it may not see.

usage: check_layers.py [ROOT]

* A room includes the rooms below it: never one above, never one beside it.
* Our own files are included by their path from the root, in quotes.
* Heavy headers stay where they belong: JSON and fmt in the .cpp files of explain/ and machine/,
  CLI11 in those of cli/, Zydis in those of cpu/.
  RapidCheck and Xbyak are for tests. None of them in a header of ours.
* A header begins with #pragma once.

Prints FILE:LINE: REASON for each finding, and then ends with status 1.
"""
import pathlib
import re
import sys

# room: the rooms that stand directly below it. It may include these, and all that stand below them.
ROOMS = {
    "base": (),
    "mmu": ("base",),
    "exec": ("mmu",),
    "cpu": ("exec",),
    "arm64": ("exec",),
    "vmx/rules": ("base",),
    "vmx": ("cpu", "vmx/rules"),
    "embed": ("vmx/rules",),
    "devices": ("base",),
    "machine": ("vmx", "arm64", "devices"),
    "kvm": ("machine",),
    "replay": ("machine",),
    "explain": ("vmx/rules",),
    "scenario": ("kvm", "machine", "explain"),
    "debug": ("replay",),
    "cli": ("scenario", "debug", "explain"),
}

# Folders that may include every room, and that no room may include.
ON_TOP = ("tests", "bench")

# header of a library: the folders whose .cpp files may include it.
HEAVY = {
    "nlohmann/": ("explain", "machine", "tests"),
    "fmt/": ("explain", "machine", "tests"),
    "Zydis/": ("cpu", "tests", "bench"),
    "CLI/": ("cli", "tests"),
    "rapidcheck": ("tests",),
    "xbyak/": ("tests",),
    "gtest/": ("tests",),
    "gmock/": ("tests",),
    "benchmark/": ("bench",),
}

SUFFIXES = (".hpp", ".cpp", ".def", ".h")
INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^">]+)[">]')


def below(room):
    """Every room that `room` may include."""
    seen = set()
    for other in ROOMS[room]:
        seen |= {other} | below(other)
    return seen


def folder_of(path):
    """The innermost room, or the folder on top, that holds `path`; None for anything else."""
    homes = [home for home in (*ROOMS, *ON_TOP) if path.startswith(home + "/")]
    return max(homes, key=len, default=None)


def library_of(name):
    return next((library for library in HEAVY if name.startswith(library)), None)


def reason_against_own(root, path, quote, name):
    """Why the file `path` may not include our file `name`; None if it may."""
    here, there = folder_of(path), folder_of(name)
    if quote == "<":
        return f"our own {name} is included in quotes"
    if not (root / name).is_file():
        return f"no file {name}, counted from the root"
    if there in ON_TOP and here not in ON_TOP:
        return f"{here}/ may not include {there}/"
    if here in ROOMS and there != here and there not in below(here):
        return f"{here}/ may not include {there}/"
    return None


def reason_against_library(path, library):
    """Why the file `path` may not include a header of `library`; None if it may."""
    allowed = HEAVY[library]
    if not any(path.startswith(folder + "/") for folder in allowed):
        return f"{library.rstrip('/')} belongs in the .cpp files of {', '.join(f + '/' for f in allowed)}"
    if not path.endswith(".cpp"):
        return f"{library.rstrip('/')} belongs in .cpp files, not in headers"
    return None


def reason_against(root, path, quote, name):
    library = library_of(name)
    if library:
        return reason_against_library(path, library)
    if folder_of(name):
        return reason_against_own(root, path, quote, name)
    if quote == '"':
        return f'"{name}" is not a path from the root'
    return None


def findings(root):
    for home in sorted({home.split("/")[0] for home in (*ROOMS, *ON_TOP)}):
        for source in sorted((root / home).rglob("*")):
            if source.suffix not in SUFFIXES or not source.is_file():
                continue
            path = source.relative_to(root).as_posix()
            lines = source.read_text(encoding="utf-8").splitlines()
            for number, line in enumerate(lines, 1):
                match = INCLUDE.match(line)
                reason = match and reason_against(root, path, *match.groups())
                if reason:
                    yield f"{path}:{number}: {reason}"
            if source.suffix == ".hpp" and "#pragma once" not in lines[:1]:
                yield f"{path}:1: a header begins with #pragma once"


def main(arguments):
    if len(arguments) > 1 or arguments[:1] == ["--help"]:
        print(__doc__.strip())
        return 0 if arguments == ["--help"] else 2
    root = pathlib.Path(arguments[0] if arguments else ".")
    if not root.is_dir():
        print(f"check_layers: no folder {root}", file=sys.stderr)
        return 2
    found = list(findings(root))
    print("\n".join(found) if found else "layers: every include goes down")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
