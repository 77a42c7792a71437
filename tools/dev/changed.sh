# What changed: against the point where this branch left main (on main: the commit before), and in the working tree.

change_base() {
    local head main base
    head=$(git rev-parse --verify -q HEAD) || return 1
    for main in main origin/main; do
        base=$(git merge-base HEAD "$main" 2>/dev/null) || continue
        [[ $base != "$head" ]] && { printf '%s\n' "$base"; return 0; }
    done
    git rev-parse --verify -q HEAD~1
}

# Every file that changed and still exists, one a line. With no history to compare with: every file.
changed_files() {
    local base
    if base=$(change_base); then
        {
            git diff --name-only --diff-filter=d "$base"
            git ls-files --others --exclude-standard
        } | sort -u
    else
        all_files
    fi
}

# As changed_files, with what was deleted: that too is a reason to test a room.
changed_paths() {
    local base
    if base=$(change_base); then
        {
            git diff --name-only --no-renames "$base"
            git ls-files --others --exclude-standard
        } | sort -u
    else
        all_files
    fi
}

all_files() { git ls-files --cached --others --exclude-standard | while read -r f; do [[ -f $f ]] && printf '%s\n' "$f"; done; }
