#!/usr/bin/env bash
# Proves that ./dev run and ./dev test each succeed as the first command on a fresh Debian 12 machine that has nothing
# but git and CA certificates. Each gets a chroot of its own, made by debootstrap, with a clone of the committed tree.
#
# usage: tools/prove_fresh_machine.sh [--only COMMAND] [--keep]       (as root; needs debootstrap)
#   --only COMMAND   prove only `./dev COMMAND`, for example: --only run, --only 'build dev'
#   --keep           leave the chroots for a look; their folder is printed
# Status 0: each command ended with status 0.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf 'fresh machine: %s\n' "$*" >&2; }
fail() {
    say "$1"
    exit 2
}

commands=(run test)
keep=no
while [[ $# -gt 0 ]]; do
    case $1 in
        --only) [[ $# -ge 2 ]] || fail "--only takes a command"; commands=("$2"); shift 2 ;;
        --keep) keep=yes; shift ;;
        *) fail "unknown argument '$1'" ;;
    esac
done
[[ $(id -u) -eq 0 ]] || fail "this needs root: debootstrap and chroot do"
command -v debootstrap >/dev/null || fail "this needs debootstrap: apt-get install -y --no-install-recommends debootstrap"

# The mirror that this machine itself uses.
mirror=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "bookworm" && $2 == "main" { print $3; exit }')
[[ -n $mirror ]] || fail "no package source of this machine has bookworm main"

work=$(mktemp -d "${TMPDIR:-/var/tmp}/fresh-machine.XXXXXX")
clean_up() {
    local mounted
    for mounted in "$work"/machine*/proc "$work"/machine*/dev; do
        ! mountpoint -q "$mounted" || umount --recursive "$mounted" || umount --lazy "$mounted"
    done
    if [[ $keep == yes ]]; then
        say "left in $work"
    elif ! grep -qF " $work/" /proc/mounts; then
        rm -rf --one-file-system "$work"
    fi
}
trap clean_up EXIT

say "debootstrap from $mirror"
debootstrap --variant=minbase --include=git,ca-certificates bookworm "$work/pristine" "$mirror" >"$work/debootstrap.log" 2>&1 ||
    { tail -n 20 "$work/debootstrap.log" >&2; fail "debootstrap failed"; }
git clone --quiet --no-hardlinks "$root" "$work/pristine/root/hyperstep"
say "the tree is $(git -C "$work/pristine/root/hyperstep" rev-parse HEAD)"

status=0
number=0
for command in "${commands[@]}"; do
    number=$((number + 1))
    machine=$work/machine$number
    cp -a "$work/pristine" "$machine"
    cp --dereference /etc/resolv.conf "$machine/etc/resolv.conf"
    mount -t proc proc "$machine/proc"
    mount --rbind --make-rslave /dev "$machine/dev"
    say "first command on machine $number: ./dev $command"
    began=$SECONDS
    result=0
    # shellcheck disable=SC2086
    env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
        chroot "$machine" bash -c "cd /root/hyperstep && ./dev $command" </dev/null || result=$?
    say "./dev $command: status $result after $((SECONDS - began)) seconds"
    [[ $result -eq 0 ]] || status=1
    umount "$machine/proc"
    umount --recursive "$machine/dev"
done
exit $status
