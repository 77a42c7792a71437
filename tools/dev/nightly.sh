# ./dev nightly: everything that takes too long for every commit. All parts run; the status is 1 if one failed.

dev_nightly() {
    wants_help "$@"
    local fuzz_seconds=600
    while [[ $# -gt 0 ]]; do
        case $1 in
            --fuzz-seconds) number_argument --fuzz-seconds "${2:-}"; fuzz_seconds=$2; shift 2 ;;
            *) bad_usage "nightly does not know '$1'" ;;
        esac
    done
    need build test bench check fuzz
    local failed=()
    nightly_part "the tests" "$root/dev" test
    nightly_part "the tests with sanitizers" nightly_tests asan
    nightly_part "the tests built by clang, with coverage" nightly_tests coverage
    nightly_part "ten million instructions on the host's processor and on ours" nightly_oracle
    nightly_part "coverage of the fuzz corpora" "$root/dev" fuzz --report
    nightly_part "format, layers, headers, lint of every file" "$root/dev" check --all
    nightly_part "fuzzing" "$root/dev" fuzz --seconds "$fuzz_seconds"
    nightly_part "the benchmarks" "$root/dev" bench
    if [[ $(id -u) -eq 0 ]] && command -v debootstrap >/dev/null; then
        nightly_part "fresh machines" tools/prove_fresh_machine.sh
    else
        say "nightly: no root or no debootstrap: tools/prove_fresh_machine.sh is left out"
    fi
    if [[ ${#failed[@]} -gt 0 ]]; then
        say "nightly: failed:$(printf ' %s;' "${failed[@]}")"
        return 1
    fi
    say "nightly: all good"
}

# nightly_part WORDS COMMAND...
nightly_part() {
    local words=$1
    shift
    say "nightly: $words"
    # A shell of its own, so that a failure ends this part and not the others.
    local status=0
    ( "$@" ) || status=$?
    [[ $status -eq 0 ]] || failed+=("$words")
}

nightly_tests() {
    "$root/dev" build "$1" && LLVM_PROFILE_FILE="$root/build/$1/profile/%p.profraw" run_ctest "$1"
}

nightly_oracle() {
    "$root/dev" build dev || return
    local size
    for size in 64 32 16; do
        "$root/build/dev/native_oracle" --size "$size" --cases 3500000 --seed 2 || return
    done
}
