#!/usr/bin/env python3
"""Computes the checksum that each benchmark guest must find, without running a guest.

usage: checksums.py [--check FILE]

Prints expected.hpp. With --check, ends with status 1 if FILE is not that.
The computations follow what each guest's head says, in Python's own terms: sorted() instead of the guest's sort, slices
instead of string instructions, Python's floats and correctly rounded conversion to single instead of SSE.
"""
import math
import struct
import sys

MASK = (1 << 64) - 1
M32 = (1 << 32) - 1


def mix(total, value):
    return ((total ^ (value & MASK)) * 0x100000001B3) & MASK


def random_numbers():
    state = 1
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
        yield state >> 32


def take(count):
    source = random_numbers()
    return [next(source) for _ in range(count)]


def integer():
    total = 0
    for number in range(2, 20000):
        if all(number % divisor for divisor in range(2, math.isqrt(number) + 1)):
            total = mix(total, number)
    for number in sorted(take(2000)):
        total = mix(total, number)
    steps = 0
    for at in range(1, 1501):
        while at != 1:
            at = 3 * at + 1 if at % 2 else at // 2
            steps += 1
    return mix(total, steps)


def calls():
    a, b = 0, 1
    for _ in range(20):
        a, b = b, a + b
    value = 1
    operations = [lambda v: v + 7, lambda v: v * 5, lambda v: v ^ 0x5555, lambda v: v >> 3, lambda v: v << 9,
                  lambda v: ~v, lambda v: v - 1000003, lambda v: v | 1]
    for number in take(20000):
        value = operations[number >> 29](value) & MASK
    return mix(mix(mix(0, a), 2 * 60 + 3), value)  # Ackermann's function of (2, n) is 2 n + 3


def chase():
    pages = 16384
    order, source = list(range(pages)), random_numbers()
    for i in range(pages - 1, 0, -1):
        j = next(source) % (i + 1)
        order[i], order[j] = order[j], order[i]
    total = 0
    for page in order:
        total = mix(total, page)
    return mix(total, order[0] * 4096 + order[0] % 64 * 64)


LENGTHS = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 63, 64, 100, 255, 256, 1000, 4095, 4096, 8000]


def strings():
    size = 65536
    one = bytes((i * 7 + (i >> 8)) & 0xFF for i in range(size)) + bytes(64)
    two = bytearray(struct.pack("<Q", 0x0123456789ABCDEF) * (size // 8)) + bytearray(64)
    total, place = 0, 0
    for length in LENGTHS:
        moved = length + length // 2 * 2 + length // 4 * 4 + length // 8 * 8
        source = length // 3
        two[place:place + moved] = one[source:source + moved]
        end = place + moved + length % 50
        two[place + moved:end] = bytes([length & 0xFF]) * (length % 50)
        total = mix(total, end)
        place = (place + length * 3 + 11) % 32000

    def fold(total):
        for word in struct.unpack(f"<{size // 8}Q", two[:size]):
            total = mix(total, word)
        return total

    total = fold(total)
    two[103:3103] = (bytes(two[100:103]) * 1000)
    two[10005:15005] = bytes(two[10000:15000])
    total = fold(total)
    for length in LENGTHS:
        at = one[:length].find(0x77)
        total = mix(total, 0 if at < 0 else length - at - 1)
        total = mix(total, 2 * 2 if length > 5 else 1)  # two bytes are left behind the one that differs
    return total


def spaces():
    memory = [[page for page in range(16)] for _ in range(8)]
    total = 0
    for i, chosen in enumerate(take(2000)):
        for touch in range(4):
            page = chosen >> (8 + 4 * touch) & 15
            memory[chosen % 8][page] += i
            total = mix(total, memory[chosen % 8][page])
    return total


def selfmod():
    def rol3(value):
        return (value << 3 | value >> 29) & M32

    operations = [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a ^ b, lambda a, b: a | b]
    operation, value, total = operations[0], 1, 0
    for chosen in take(2000):
        if chosen % 4 == 0:
            operation = operations[chosen >> 8 & 3]
        for _ in range(2 if chosen % 16 == 1 else 1):
            value = rol3(operation(value, chosen) & M32)
        total = mix(total, (value + (chosen >> 16 & 0xFF)) & M32)
    return total


def single(value):
    """Rounded to single precision. One operation in double precision and then this is correctly rounded."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def signed(value):
    return value - (1 << 32) if value >> 31 else value


def sse():
    numbers, total = take(1024), 0
    for _ in range(20):
        sums = [1, 2, 3, 4]
        for i in range(0, 1024, 4):
            v = numbers[i:i + 4]
            bigger = [0x9E3779B9 if signed(v[k]) > signed(sums[k]) else 0 for k in range(4)]
            sums = [((sums[k] + v[k]) & M32) ^ (v[k] >> 5) ^ bigger[k] for k in range(4)]
            sums = sums[1:] + sums[:1]
            for k in (0, 2):
                product = sums[k] * v[k]
                sums[k] ^= product & M32
                sums[k + 1] ^= product >> 32
        for word in struct.unpack("<2Q", struct.pack("<4I", *sums)):
            total = mix(total, word)
        a = [1.5, 2.25, 3.125, 4.0625]
        for i in range(0, 1024, 4):
            f = [float(signed(number) >> 8) for number in numbers[i:i + 4]]
            a = [single(math.sqrt(single(single(single(x * x) + single(y * y)) / single(x + 3.0))))
                 for x, y in zip(a, f)]
        for word in struct.unpack("<2Q", struct.pack("<4f", *a)):
            total = mix(total, word)
        a = [1.5, 2.25]
        for i in range(0, 1024, 2):
            f = [float(signed(number)) for number in numbers[i:i + 2]]
            a = [math.sqrt((x * x + y * y) / (x + 3.0)) - 0.1 for x, y in zip(a, f)]
        for word in struct.unpack("<2Q", struct.pack("<2d", *a)):
            total = mix(total, word)
    return total


def syscalls():
    answer = 0
    for i in range(10000, 0, -1):
        answer = ((i + answer * 4 + 0x1234) * 0x01000193) & MASK
        answer = (answer << 7 | answer >> 57) & MASK
    return answer


def interrupts():
    return mix(mix(mix(mix(0, 500), 500), 50), 5)


def text():
    lines = ["#pragma once", "// Made by checksums.py: what each benchmark guest must find.", "", "namespace expected {"]
    for guest in (integer, calls, chase, strings, spaces, selfmod, sse, syscalls, interrupts):
        lines.append(f"constexpr unsigned long long {guest.__name__} = {guest():#018x};")
    return "\n".join(lines + ["}  // namespace expected", ""])


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        with open(sys.argv[2], encoding="utf-8") as file:
            if file.read() == text():
                return 0
        print(f"{sys.argv[2]} is not what checksums.py computes")
        return 1
    print(text(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
