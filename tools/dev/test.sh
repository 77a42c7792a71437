# ./dev test

# The rooms that have tests, the inner one first: a path belongs to the first that holds it.
tested_rooms=(vmx/rules base mmu exec cpu devices machine explain cli embed)

# room_of PATH: the tested room that a path belongs to (its code or its tests), "fuzz", "tools", "none",
# or "all" for what every room is built with.
room_of() {
    local path=${1#tests/} room
    for room in "${tested_rooms[@]}"; do
        [[ $path == "$room"/* ]] && { printf '%s\n' "$room"; return; }
    done
    case $1 in
        tests/fuzz/*) echo fuzz ;;
        CMakeLists.txt | CMakePresets.json | cmake/* | tests/CMakeLists.txt) echo all ;;
        dev | tools/* | tests/tools/* | README.md) echo tools ;;
        *) echo none ;;
    esac
}

# The rooms that changed, one a line.
changed_rooms() {
    changed_paths | while read -r path; do room_of "$path"; done | sort -u | grep -vx none || true
}

dev_test() {
    wants_help "$@"
    local quick=no argument
    for argument in "$@"; do
        case $argument in
            --quick) quick=yes ;;
            --offline)
                may_install=no
                export HYPERSTEP_OFFLINE=1
                ;;
            *) bad_usage "test does not know '$argument'" ;;
        esac
    done
    need build test
    if [[ $quick == yes ]]; then
        test_changed
    else
        build dev
        run_ctest dev
    fi
}

run_ctest() {
    local preset=$1
    shift
    say "running the tests of build/$preset"
    ctest --test-dir "build/$preset" --output-on-failure --parallel "$jobs" --no-tests=error "$@"
}

test_changed() {
    local rooms room targets=() labels='layers'
    mapfile -t rooms < <(changed_rooms)
    say "changed: ${rooms[*]:-nothing that has tests}"
    for room in "${rooms[@]}"; do
        if [[ $room == all ]]; then
            build dev
            run_ctest dev
            return
        fi
        labels+="|${room//\//_}"
        case $room in
            tools) ;;
            fuzz) targets+=(fuzz_replays) ;;
            *) targets+=("test_${room//\//_}") ;;
        esac
    done
    configure dev
    local known
    known=$(cmake --build build/dev --target help)
    local present=()
    for room in "${targets[@]}"; do
        grep -q "^$room:" <<<"$known" && present+=("$room")
    done
    if [[ ${#present[@]} -gt 0 ]]; then
        say "building ${present[*]}"
        cmake --build build/dev --parallel "$jobs" --target "${present[@]}" >&2
    fi
    run_ctest dev -L "^($labels)\$"
}
