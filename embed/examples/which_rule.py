#!/usr/bin/env python3
"""Asks libhyperstep-rules which VM-entry check a state breaks.

    which_rule.py [LIBRARY]        LIBRARY defaults to libhyperstep-rules.so.1 on the loader's path
"""
import ctypes
import sys


class Result(ctypes.Structure):
    _fields_ = [
        ("outcome", ctypes.c_int32),
        ("number", ctypes.c_uint32),
        ("qualification", ctypes.c_uint64),
        ("rule", ctypes.c_char_p),
    ]


def load(path):
    rules = ctypes.CDLL(path)
    rules.hs_state_preset.restype = ctypes.c_void_p
    rules.hs_state_preset.argtypes = [ctypes.c_char_p]
    rules.hs_state_free.argtypes = [ctypes.c_void_p]
    rules.hs_set_field.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64]
    rules.hs_first_broken.restype = Result
    rules.hs_first_broken.argtypes = [ctypes.c_void_p]
    return rules


def main():
    rules = load(sys.argv[1] if len(sys.argv) > 1 else "libhyperstep-rules.so.1")
    state = rules.hs_state_preset(b"long-mode")
    for encoding, value in ((0x4824, 1), (0x6820, 2)):  # blocking by STI, RFLAGS.IF = 0
        rules.hs_set_field(state, encoding, value)
    result = rules.hs_first_broken(state)
    rules.hs_state_free(state)
    print(f"{result.rule.decode()}: exit reason {0x80000000 | result.number:#x}, qualification {result.qualification}")


main()
