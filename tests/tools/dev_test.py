"""./dev on machines that stand-ins play: what it asks for, what it installs, and how it ends."""
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Stand-ins for programs. MISSING names the packages that are not installed; CALLS is where calls are noted.
STAND_INS = {
    "dpkg-query": 'for p; do :; done\ncase " $MISSING " in *" $p "*) exit 1 ;; esac\necho installed\n',
    "apt-get": 'echo "apt-get $*" >>"$CALLS"\ncase "$*" in *update*) exit $UPDATE_STATUS ;; esac\nexit $INSTALL_STATUS\n',
    "id": "echo $USER_ID\n",
    "sudo": 'echo "sudo $*" >>"$CALLS"\n[ "$SUDO" = yes ] || exit 1\n[ "$1" = -n ] && exit 0\nexec "$@"\n',
    "cmake": 'echo "cmake $*" >>"$CALLS"\nexit 1\n',
}


class Dev(unittest.TestCase):
    def run_dev(self, *arguments, missing="", user=0, sudo="no", update=0, install=0):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in STAND_INS.items():
                program = pathlib.Path(folder) / name
                program.write_text("#!/bin/sh\n" + text, encoding="utf-8")
                program.chmod(0o755)
            calls = pathlib.Path(folder) / "calls"
            calls.touch()
            environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(calls),
                           "MISSING": missing, "USER_ID": str(user), "SUDO": sudo,
                           "UPDATE_STATUS": str(update), "INSTALL_STATUS": str(install)}
            result = subprocess.run([ROOT / "dev", *arguments], env=environment, stdin=subprocess.DEVNULL,
                                    capture_output=True, text=True, check=False)
            self.calls = calls.read_text(encoding="utf-8").splitlines()
            return result

    def apt_calls(self):
        return [call for call in self.calls if call.startswith("apt-get")]

    def test_nothing_missing_calls_no_apt(self):
        result = self.run_dev("test")
        self.assertEqual(self.apt_calls(), [])
        self.assertIn("cmake --preset dev", self.calls)
        self.assertEqual(result.returncode, 1, "the stand-in for cmake fails, and so must ./dev")

    def test_root_installs_only_what_is_missing_and_says_it(self):
        result = self.run_dev("test", missing="cmake libfmt-dev clang")
        update, install = self.apt_calls()
        self.assertIn("update", update)
        self.assertTrue(install.endswith("install -y --no-install-recommends cmake libfmt-dev"), install)
        self.assertIn("missing packages: cmake libfmt-dev\n", result.stderr)

    def test_a_source_that_does_not_answer_is_no_reason_to_stop(self):
        self.run_dev("run", missing="cmake", update=100)
        self.assertEqual(len(self.apt_calls()), 2)
        self.assertIn("cmake --preset release", self.calls)

    def test_a_failed_installation_is(self):
        result = self.run_dev("run", missing="cmake", install=100)
        self.assertEqual(result.returncode, 2)
        self.assertFalse(any(call.startswith("cmake") for call in self.calls))

    def test_without_root_and_sudo_it_prints_the_command(self):
        result = self.run_dev("run", missing="cmake g++", user=1000)
        self.assertEqual((result.returncode, self.apt_calls()), (2, []))
        self.assertIn("su -c 'apt-get update && apt-get install -y --no-install-recommends cmake g++'\n", result.stderr)

    def test_with_sudo_it_uses_it(self):
        self.run_dev("run", missing="cmake", user=1000, sudo="yes")
        self.assertEqual(len(self.apt_calls()), 2)

    def test_offline_installs_nothing(self):
        result = self.run_dev("test", "--offline", missing="cmake")
        self.assertEqual((result.returncode, self.apt_calls()), (2, []))
        self.assertIn("apt-get install -y --no-install-recommends cmake", result.stderr)

    def test_bad_usage_ends_with_2_before_anything_happens(self):
        for arguments in ([], ["tset"], ["test", "--fast"], ["build", "debug"], ["bench", "--json"], ["check", "x"],
                          ["fuzz", "--seconds", "soon"], ["fuzz", "--only", "nothing_of_this_name"],
                          ["nightly", "--now"]):
            with self.subTest(arguments):
                result = self.run_dev(*arguments)
                self.assertEqual((result.returncode, self.calls), (2, []), result.stderr)
                self.assertIn("usage: ./dev COMMAND", result.stderr)

    def test_help_has_examples(self):
        for arguments in (["--help"], ["help"], ["test", "--help"]):
            result = self.run_dev(*arguments)
            self.assertEqual(result.returncode, 0)
            self.assertIn("examples:", result.stdout)


if __name__ == "__main__":
    unittest.main()
