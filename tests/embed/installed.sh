#!/usr/bin/env bash
# Installs into a scratch prefix and uses what is there as a stranger would: pkg-config, CMake, ctypes.
#   installed.sh BUILD_DIR SOURCE_DIR
set -euo pipefail
build=$1 source=$2
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT

cmake --install "$build" --prefix "$prefix" >/dev/null
pc=$(find "$prefix" -name hyperstep-rules.pc)
lib=$(dirname "$(dirname "$pc")")
# A scratch prefix is not the configured one: pkg-config is told where it is.
flags=$(PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --define-variable=prefix="$prefix" --cflags --libs hyperstep-rules)

cat >"$prefix/driver.c" <<'C'
#include <stdint.h>
#include <stdio.h>
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int main(void) {
    /* guest interruptibility := 1 (index 3), RFLAGS := 2 (index 2) */
    const uint8_t input[] = {3, 1, 0, 0, 0, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0};
    printf("ran %d\n", LLVMFuzzerTestOneInput(input, sizeof input));
    return 0;
}
C
# shellcheck disable=SC2086
cc -std=c11 -Wall -Wextra -Werror "$prefix/driver.c" "$source/embed/examples/fuzz_entry.c" $flags -Wl,-rpath,"$lib" -o "$prefix/driver"
[ "$("$prefix/driver")" = "ran 0" ]

told=$(python3 "$source/embed/examples/which_rule.py" "$lib/libhyperstep-rules.so.1")
[ "$told" = "guest.int.sti_needs_if: exit reason 0x80000021, qualification 0" ] || { echo "which_rule.py said: $told"; exit 1; }

mkdir "$prefix/use"
cat >"$prefix/use/CMakeLists.txt" <<'C'
cmake_minimum_required(VERSION 3.25)
project(use LANGUAGES C)
find_package(hyperstep-rules 0.1 REQUIRED)
add_executable(use use.c)
target_link_libraries(use PRIVATE hyperstep::hyperstep-rules)
C
cat >"$prefix/use/use.c" <<'C'
#include <hyperstep/rules.h>
int main(void) { return hs_version() == HS_RULES_VERSION && hs_rule_count() > 0 ? 0 : 1; }
C
cmake -G Ninja -S "$prefix/use" -B "$prefix/use/build" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$prefix/use/build" >/dev/null
"$prefix/use/build/use"
"$prefix/bin/hyperstep" --version >/dev/null
echo "installed: pkg-config, CMake package and ctypes work"
