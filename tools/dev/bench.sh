# ./dev bench

dev_bench() {
    wants_help "$@"
    local json='' filter=.
    while [[ $# -gt 0 ]]; do
        case $1 in
            --json) [[ $# -ge 2 ]] || bad_usage "--json takes a file"; json=$2; shift 2 ;;
            --filter) [[ $# -ge 2 ]] || bad_usage "--filter takes an expression"; filter=$2; shift 2 ;;
            *) bad_usage "bench does not know '$1'" ;;
        esac
    done
    need build bench
    build release hyperstep benches guests
    local folder results=() program result
    folder=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$folder'" EXIT
    for program in build/release/benches/*_bench; do
        [[ -x $program ]] || { say "there are no benchmarks"; exit 1; }
        say "running $(basename "$program")"
        result=$folder/$(basename "$program").json
        "$program" --benchmark_filter="$filter" --benchmark_repetitions=3 --benchmark_out="$result" \
            --benchmark_out_format=json >/dev/null 2>"$folder/words" || { cat "$folder/words" >&2; exit 1; }
        [[ -s $result ]] && results+=("$result")
    done
    say "running the guests (QEMU, Bochs and callgrind too, where they are installed)"
    result=$folder/guests.json
    python3 -B bench/guests/measure.py build/release/guests --hyperstep build/release/hyperstep --filter "$filter" \
        --json "$result" >&2 || exit 1
    [[ $(<"$result") == '[]' ]] || results+=("$result")
    [[ ${#results[@]} -gt 0 ]] || { say "no benchmark matches '$filter'"; exit 1; }
    python3 -B tools/bench_report.py ${json:+--json "$json"} "${results[@]}"
}
