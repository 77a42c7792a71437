#!/usr/bin/env python3
"""tests/guests/compare.py: the disk that it makes of an image, and how it compares."""
import argparse
import contextlib
import importlib.util
import io
import pathlib
import struct
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / "guests" / "compare.py"
spec = importlib.util.spec_from_file_location("compare", SCRIPT)
compare = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compare)


def elf32(entry, segments):
    """An ELF32 file of (physical address, bytes, size in memory)."""
    at = 52 + 32 * len(segments)
    head = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    head += struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, entry, 52, 0, 0, 52, 32, len(segments), 0, 0, 0)
    table, body = b"", b""
    for address, content, size in segments:
        table += struct.pack("<8I", 1, at + len(body), address, address, len(content), size, 7, 4096)
        body += content
    return head + table + body


class Disk(unittest.TestCase):
    def test_a_segment_is_followed_by_its_zeros(self):
        found, entry = compare.pieces(elf32(0x100010, [(0x100000, b"abc", 5)]))
        self.assertEqual(found, [(0x100000, b"abc\0\0")])
        self.assertEqual(entry, 0x100010)

    def test_another_file_is_refused(self):
        for content in (b"", b"\x7fELF\x02" + bytes(100), b"MZ" + bytes(100)):
            with self.assertRaises(compare.Failed):
                compare.pieces(content)

    def test_the_plan_says_where_each_piece_is(self):
        with tempfile.TemporaryDirectory() as folder:
            image = pathlib.Path(folder) / "image"
            image.write_bytes(elf32(0x100010, [(0x100000, b"first" * 200, 1000), (0x200000, b"second", 6)]))
            content, cylinders = compare.disk(image, bytes(510) + b"\x55\xaa", "n=7")
        self.assertEqual(len(content), cylinders * 16 * 63 * 512)
        self.assertEqual(content[510:512], b"\x55\xaa")
        entry, information = struct.unpack_from("<II", content, 0x1B0)
        self.assertEqual(entry, 0x100010)
        plan = [struct.unpack_from("<III", content, 512 + 12 * i) for i in range(4)]
        self.assertEqual([row[0] for row in plan], [0x100000, 0x200000, information, 0])
        self.assertEqual([row[2] for row in plan], [2, 1, plan[2][2], 0])
        first = content[plan[0][1] * 512:]
        self.assertEqual(first[:1000], b"first" * 200)
        self.assertEqual(content[plan[1][1] * 512:][:6], b"second")
        block = content[plan[2][1] * 512:]
        line = struct.unpack_from("<I", block, 16)[0] - information
        self.assertEqual(block[line:line + 10], b"image n=7\0")


class Transcripts(unittest.TestCase):
    def differ(self, first, other):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            result = compare.differ("a", first, "b", other)
        return result, said.getvalue()

    def test_the_same(self):
        self.assertEqual(self.differ("x\ny\n", "x\ny\n"), (False, ""))

    def test_the_first_line_that_differs(self):
        result, said = self.differ("x\ny\nz\n", "x\nY\nZ\n")
        self.assertTrue(result)
        self.assertEqual(said, "line 2 differs:\n  a: y\n  b: Y\n")

    def test_one_that_ends_early(self):
        result, said = self.differ("x\ny", "x")
        self.assertTrue(result)
        self.assertIn("b: (ended)", said)

    def test_a_run_that_does_not_say_ok_has_failed(self):
        options = argparse.Namespace(image=pathlib.Path("image"), show=False)
        for said, status in ((b"name: ok\n", 3), (b"name: FAIL 1\n", 1), (b"name: ok", 1), (b"", 1)):
            compare.on_hyperstep = lambda *_, said=said, status=status: (said, status)
            with self.assertRaises(compare.Failed):
                compare.transcript("hyperstep", options)
        compare.on_hyperstep = lambda *_: (b"a\r\nname: ok 0x1\n", 1)
        self.assertEqual(compare.transcript("hyperstep", options), "a\nname: ok 0x1\n")


if __name__ == "__main__":
    unittest.main()
