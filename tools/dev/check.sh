# ./dev check: format, layers, headers, lint.

dev_check() {
    wants_help "$@"
    local list=changed_files argument
    for argument in "$@"; do
        case $argument in
            --all) list=all_files ;;
            *) bad_usage "check does not know '$argument'" ;;
        esac
    done
    need build test check
    local code
    mapfile -t code < <($list | grep -E '\.(cpp|hpp)$' || true)
    local failed=()
    check_format "${code[@]}" || failed+=(format)
    check_layers || failed+=(layers)
    check_headers || failed+=(headers)
    check_lint "${code[@]}" || failed+=(lint)
    if [[ ${#failed[@]} -gt 0 ]]; then
        say "check: not in order: ${failed[*]}"
        return 1
    fi
    say "check: all in order"
}

# check_format FILE...: FILEs are .cpp and .hpp; the .def files are tables that are laid out by hand.
check_format() {
    say "format of $# files"
    [[ $# -eq 0 ]] || clang-format --dry-run -Werror "$@"
}

check_layers() {
    say "layers"
    python3 -B tools/check_layers.py .
}

check_headers() {
    say "headers, each on its own"
    build dev all_verify_interface_header_sets
}

# check_lint FILE...: the .cpp files among them that the build knows.
check_lint() {
    configure tidy || return 1
    local sources=() file
    for file in "$@"; do
        [[ $file == *.cpp ]] && grep -qF "\"file\": \"$root/$file\"" build/tidy/compile_commands.json && sources+=("$file")
    done
    say "lint of ${#sources[@]} files"
    [[ ${#sources[@]} -eq 0 ]] && return 0
    printf '%s\0' "${sources[@]}" |
        xargs -0 -n 1 -P "$jobs" bash -c 'echo "dev: lint $1" >&2; clang-tidy --quiet -p build/tidy "$1" 2>/dev/null' _
}
