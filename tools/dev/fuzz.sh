# ./dev fuzz

llvm_bin=/usr/lib/llvm-14/bin
least_coverage=80  # percent of a parser's lines that its corpus reaches

dev_fuzz() {
    wants_help "$@"
    local seconds=60 report=no only=''
    while [[ $# -gt 0 ]]; do
        case $1 in
            --seconds) number_argument --seconds "${2:-}"; seconds=$2; shift 2 ;;
            --jobs) number_argument --jobs "${2:-}"; jobs=$2; shift 2 ;;
            --only) [[ $# -ge 2 ]] || bad_usage "--only takes a target's name"; only=$2; shift 2 ;;
            --report) report=yes; shift ;;
            *) bad_usage "fuzz does not know '$1'" ;;
        esac
    done
    need build test fuzz
    local names
    mapfile -t names < <(fuzz_names "$only")
    [[ ${#names[@]} -gt 0 ]] || bad_usage "no fuzz target ${only:-in tests/fuzz}"
    if [[ $report == yes ]]; then
        fuzz_report "${names[@]}"
    else
        fuzz_run "$seconds" "${names[@]}"
    fi
}

# fuzz_names [NAME]: the targets, one a line; with NAME only that one.
fuzz_names() {
    local file name
    for file in tests/fuzz/*_fuzz.cpp; do
        name=$(basename "$file" _fuzz.cpp)
        [[ -z $1 || $1 == "$name" ]] && printf '%s\n' "$name"
    done
    return 0
}

# fuzz_run SECONDS NAME...: one process a target, as many at a time as there are processors. New inputs go to
# build/fuzz/found/<name>; a finding is kept as build/fuzz/findings/<name>-*, and makes the status 1.
fuzz_run() {
    local seconds=$1
    shift
    build fuzz fuzz_targets
    mkdir -p build/fuzz/findings build/fuzz/logs
    say "fuzzing $* for $seconds seconds each, $jobs side by side"
    local status=0
    printf '%s\n' "$@" | xargs -P "$jobs" -I{} bash -c '
        name=$1 seconds=$2
        mkdir -p "build/fuzz/found/$name"
        if "build/fuzz/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
            -artifact_prefix="build/fuzz/findings/$name-" "build/fuzz/found/$name" "tests/fuzz/corpus/$name" \
            >"build/fuzz/logs/$name" 2>&1; then
            runs=$(sed -n "s/^stat::number_of_executed_units: *//p" "build/fuzz/logs/$name")
            echo "dev: $name: no finding in $runs runs" >&2
        else
            echo "dev: $name: FINDING, see build/fuzz/logs/$name" >&2
            tail -n 40 "build/fuzz/logs/$name" >&2
            exit 1
        fi' _ {} "$seconds" || status=1
    return $status
}

# fuzz_report NAME...: prints the share of its parser's lines that each corpus reaches. A target's lines
# "// Covers: FILE..." name the parser. Status 1 if a corpus reaches less than least_coverage percent.
fuzz_report() {
    build coverage fuzz_replays
    local name status=0
    for name in "$@"; do
        fuzz_coverage "$name" || status=1
    done
    return $status
}

fuzz_coverage() {
    local name=$1 profile=build/coverage/$1 covers share
    read -rd '' -a covers < <(sed -n 's,^// Covers: *,,p' "tests/fuzz/${name}_fuzz.cpp") || true
    if [[ ${#covers[@]} -eq 0 ]]; then
        say "tests/fuzz/${name}_fuzz.cpp has no line '// Covers: FILE...'"
        return 1
    fi
    LLVM_PROFILE_FILE=$profile.profraw "build/coverage/replay_$name" "tests/fuzz/corpus/$name" >/dev/null
    "$llvm_bin/llvm-profdata" merge -sparse "$profile.profraw" -o "$profile.profdata"
    "$llvm_bin/llvm-cov" report "build/coverage/replay_$name" -instr-profile="$profile.profdata" \
        "${covers[@]}" >"$profile.coverage"
    printf '%s: lines reached by its corpus\n' "$name"
    # Columns of llvm-cov report: regions 2-4, functions 5-7, lines 8-10.
    awk 'NF >= 10 && $10 ~ /%$/ { printf "  %-40s %6d lines %8s\n", $1, $8, $10 }' "$profile.coverage"
    share=$(awk '$1 == "TOTAL" { print int($10) }' "$profile.coverage")
    if [[ ${share:-0} -lt $least_coverage ]]; then
        say "$name: ${share:-0} % of the lines, less than $least_coverage %"
        return 1
    fi
}
