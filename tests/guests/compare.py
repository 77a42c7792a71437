#!/usr/bin/env python3
"""Runs a guest image on emulators and compares what it prints.

usage: compare.py IMAGE [--on NAME]... [--golden FILE [--write]] [options]

  --on NAME          qemu, bochs, or the path of a hyperstep binary; may be given again. Default: qemu and bochs
  --golden FILE      every transcript must be this file; without it, they must be the same
  --write            write FILE from the first emulator instead (never from hyperstep)
  --smp N            processors (1)
  --append TEXT      the multiboot command line
  --boot-sector FILE the boot sector for Bochs; default: boot_disk.bin beside IMAGE
  --timeout SECONDS  of each run (60)
  --show             print each transcript

Status: 0 the same, 1 a difference or a failed run, 2 bad usage, 77 an emulator is not installed (all of it is then
skipped, by name).
"""
import argparse
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

SKIPPED = 77
SECTOR = 512
INFORMATION = 0x9000  # where the boot disk puts the multiboot information block
MEMORY_MIB = 128
SEABIOS = pathlib.Path("/usr/share/seabios")


class Missing(Exception):
    """An emulator, or a part of it, is not installed."""


class Failed(Exception):
    """A run that did not end as it should."""


def pieces(elf):
    """(physical address, bytes) of each loadable segment of an ELF32 file, .bss included; and the entry point."""
    if elf[:5] != b"\x7fELF\x01":
        raise Failed("not an ELF32 image")
    entry, table = struct.unpack_from("<II", elf, 24)
    size, count = struct.unpack_from("<HH", elf, 42)
    result = []
    for index in range(count):
        kind, offset, _, physical, in_file, in_memory = struct.unpack_from("<6I", elf, table + index * size)
        if kind == 1 and in_memory:
            result.append((physical, elf[offset:offset + in_file] + bytes(in_memory - in_file)))
    return result, entry


def disk(image, sector, append):
    """A disk of 4 MiB or more whose boot sector loads and enters the image."""
    segments, entry = pieces(image.read_bytes())
    line = f"{image.name} {append}".encode() + b"\0"
    map_at = INFORMATION + 0x400
    areas = [(0, 0x9FC00), (0x100000, (MEMORY_MIB - 1) << 20)]
    block = struct.pack("<IIII", 0x1 | 0x4 | 0x40, 639, (MEMORY_MIB - 1) * 1024, 0) + struct.pack("<I", INFORMATION + 0x100)
    block = block.ljust(44, b"\0") + struct.pack("<II", len(areas) * 24, map_at)
    block = block.ljust(0x100, b"\0") + line
    block = block.ljust(0x400, b"\0") + b"".join(struct.pack("<IQQI", 20, at, size, 1) for at, size in areas)
    plan, body, at = b"", b"", 2
    for address, content in segments + [(INFORMATION, block)]:
        sectors = (len(content) + SECTOR - 1) // SECTOR
        plan += struct.pack("<III", address, at, sectors)
        body += content.ljust(sectors * SECTOR, b"\0")
        at += sectors
    boot = bytearray(sector)
    struct.pack_into("<II", boot, 0x1B0, entry, INFORMATION)
    whole = bytes(boot) + plan.ljust(SECTOR, b"\0") + body
    cylinder = 16 * 63 * SECTOR
    cylinders = max(8, (len(whole) + cylinder - 1) // cylinder)
    return whole.ljust(cylinders * cylinder, b"\0"), cylinders


def run(command, timeout, **more):
    try:
        return subprocess.run(command, timeout=timeout, stdin=subprocess.DEVNULL, check=False, **more)
    except subprocess.TimeoutExpired as late:
        said = (late.stdout or b"").decode(errors="replace") if isinstance(late.stdout, bytes) else ""
        raise Failed(f"did not end within {timeout} s; so far:\n{said}") from late


def on_qemu(image, options):
    program = shutil.which("qemu-system-x86_64")
    if program is None:
        raise Missing("qemu-system-x86_64")
    command = [program, "-accel", "tcg", "-cpu", "max,vendor=GenuineIntel", "-machine", "pc", "-m", f"{MEMORY_MIB}M", "-smp",
               str(options.smp), "-display", "none", "-vga", "none", "-nodefaults", "-no-reboot", "-serial", "stdio",
               "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", str(image)]
    if options.append:
        command += ["-append", options.append]
    done = run(command, options.timeout, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return done.stdout, done.returncode


def on_bochs(image, options):
    program, script = shutil.which("bochs"), shutil.which("script")
    bios, video = SEABIOS / "bios.bin", SEABIOS / "vgabios-isavga.bin"
    for name, found in (("bochs", program), ("script", script), (bios, bios.exists()), (video, video.exists())):
        if not found:
            raise Missing(str(name))
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        # Instructions a second of its time. With several processors HLT is not skipped: the BIOS's waits are to be short.
        rate = 50000000 if options.smp == 1 else 2000000
        content, cylinders = disk(image, options.boot_sector.read_bytes(), options.append)
        (place / "disk").write_bytes(content)
        (place / "commands").write_text("c\n")
        (place / "rc").write_text(f"""\
display_library: term
romimage: file={bios}
vgaromimage: file={video}
megs: {MEMORY_MIB}
cpu: model=tigerlake, count={options.smp}, ips={rate}, reset_on_triple_fault=0, ignore_bad_msrs=0
clock: sync=none
ata0-master: type=disk, path={place}/disk, mode=flat, cylinders={cylinders}, heads=16, spt=63
boot: disk
com1: enabled=1, mode=file, dev={place}/serial
log: {place}/log
panic: action=fatal
error: action=ignore
info: action=ignore
sound: waveoutdrv=dummy
""")
        command = f"{program} -q -f {place}/rc -rc {place}/commands"
        try:
            run([script, "-qec", command, "/dev/null"], options.timeout, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, cwd=place, env={**os.environ, "TERM": "xterm"})
        except Failed as late:
            said = (place / "serial").read_bytes() if (place / "serial").exists() else b""
            raise Failed(f"{late}{said.decode(errors='replace')}") from late
        return (place / "serial").read_bytes() if (place / "serial").exists() else b"", None


def on_hyperstep(image, options, program):
    command = [program, "run", "--smp", str(options.smp), "--memory", f"{MEMORY_MIB}M"]
    if options.append:
        command += ["--append", options.append]
    done = run(command + [str(image)], options.timeout, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode != 1:
        sys.stderr.write(done.stderr.decode(errors="replace"))
    return done.stdout, done.returncode


def transcript(name, options):
    """What the guest printed. Its status is checked where the emulator has one: debug exit of 0 is status 1."""
    if name == "qemu":
        said, status = on_qemu(options.image, options)
    elif name == "bochs":
        said, status = on_bochs(options.image, options)
    else:
        said, status = on_hyperstep(options.image, options, name)
    text = said.decode(errors="replace").replace("\r", "")
    if options.show:
        print(f"--- {name}, status {status}\n{text}", end="")
    if status not in (None, 1):
        raise Failed(f"status {status} instead of 1 (debug exit of 0); it printed:\n{text}")
    if not re.search(r"^\w+: ok\b.*\n\Z", text, re.MULTILINE):
        raise Failed(f"its last line is not 'NAME: ok ...':\n{text}")
    return text


def differ(first_name, first, name, other):
    """True, and the first line that differs is printed, if the two transcripts are not the same."""
    if first == other:
        return False
    left, right = first.split("\n"), other.split("\n")
    line = next(i for i in range(max(len(left), len(right)))
                if i >= len(left) or i >= len(right) or left[i] != right[i])
    at = [rows[line] if line < len(rows) else "(ended)" for rows in (left, right)]
    print(f"line {line + 1} differs:\n  {first_name}: {at[0]}\n  {name}: {at[1]}")
    return True


def main():
    parser = argparse.ArgumentParser(description="see the head of this file")
    parser.add_argument("image", type=pathlib.Path)
    parser.add_argument("--on", action="append")
    parser.add_argument("--golden", type=pathlib.Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--smp", type=int, default=1)
    parser.add_argument("--append", default="")
    parser.add_argument("--boot-sector", type=pathlib.Path)
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    if options.boot_sector is None:
        options.boot_sector = options.image.with_name("boot_disk.bin")
    if not options.image.is_file():
        parser.error(f"there is no image {options.image}")
    names = options.on or ["qemu", "bochs"]
    if options.write and (options.golden is None or names[0] not in ("qemu", "bochs")):
        parser.error("--write takes --golden, and an emulator that is not ours")
    results = []
    for name in names:
        try:
            results.append((name, transcript(name, options)))
        except Missing as missing:
            print(f"skipped: {missing} is not installed")
            return SKIPPED
        except Failed as failed:
            print(f"{options.image.name} on {name}: {failed}")
            return 1
    if options.write:
        options.golden.write_text(results[0][1])
    if options.golden is not None:
        results.insert(0, (str(options.golden), options.golden.read_text()))
    found = [differ(*results[0], *other) for other in results[1:]]
    return 1 if any(found) else 0


if __name__ == "__main__":
    sys.exit(main())
