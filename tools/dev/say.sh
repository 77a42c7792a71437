# What ./dev says, always on stderr: stdout belongs to the programs that it runs.

say() { printf 'dev: %s\n' "$*" >&2; }

bad_usage() {
    say "$1"
    usage >&2
    exit 2
}

# wants_help ARGUMENTS: prints the usage and ends if one of the arguments asks for it.
wants_help() {
    local argument
    for argument in "$@"; do
        case $argument in
            -h | --help)
                usage
                exit 0
                ;;
        esac
    done
}

# number_argument OPTION VALUE: VALUE must be a count from 1 to 7 digits.
number_argument() {
    [[ ${2:-} =~ ^[1-9][0-9]{0,6}$ ]] || bad_usage "$1 takes a number, not '${2:-}'"
}
