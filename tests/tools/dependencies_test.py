"""README.md's table of dependencies and tools/packages.txt name the same packages, each with a reason."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GROUPS = {"build", "test", "bench", "check", "fuzz"}


def listed():
    """package: its groups, as tools/packages.txt has them."""
    found = {}
    for line in (ROOT / "tools" / "packages.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            group, package, reason = re.split(r"\s+", line, maxsplit=2)
            assert reason.strip(), line
            found.setdefault(package, set()).add(group)
    return found


def documented():
    """package: (its groups, its reason), as the table in README.md has them."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z0-9.+-]+)` \| ([a-z, ]+) \| (.*) \|$", text, re.MULTILINE)
    return {package: (set(groups.split(", ")), reason) for package, groups, reason in rows}


class Dependencies(unittest.TestCase):
    def test_every_package_belongs_to_known_groups(self):
        self.assertGreater(len(listed()), 5)
        for package, groups in listed().items():
            self.assertLessEqual(groups, GROUPS, package)

    def test_the_readme_has_the_same_packages_in_the_same_groups(self):
        self.assertEqual({package: groups for package, (groups, _) in documented().items()}, listed())

    def test_every_package_has_a_reason(self):
        for package, (_, reason) in documented().items():
            self.assertGreater(len(reason.split()), 2, package)


if __name__ == "__main__":
    unittest.main()
