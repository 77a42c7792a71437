# Configuring and building a preset of CMakePresets.json; build folder: build/<preset>.

jobs=$(getconf _NPROCESSORS_ONLN)

configure() {
    local preset=$1
    say "configuring build/$preset"
    local log
    # Quiet when all is well, everything when not.
    if ! log=$(cmake --preset "$preset" 2>&1); then
        printf '%s\n' "$log" >&2
        say "cmake could not configure the preset $preset"
        return 1
    fi
}

# build PRESET [TARGET...]
build() {
    local preset=$1
    shift
    configure "$preset" || return 1
    say "building build/$preset ${*:+($*)}"
    local targets=()
    [[ $# -gt 0 ]] && targets=(--target "$@")
    cmake --build "build/$preset" --parallel "$jobs" "${targets[@]}" >&2
}

dev_build() {
    wants_help "$@"
    local preset=${1:-dev}
    [[ $# -le 1 ]] || bad_usage "build takes one preset"
    case $preset in
        dev | asan) need build test ;;
        release) need build ;;
        coverage | fuzz) need build test fuzz ;;
        tidy) need build test check ;;
        *) bad_usage "unknown preset '$preset'" ;;
    esac
    build "$preset"
}

dev_run() {
    need build
    build release hyperstep
    [[ $# -gt 0 ]] || set -- tour casebook/dumps
    exec build/release/hyperstep "$@"
}
