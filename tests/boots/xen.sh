#!/bin/bash
# Debian's Xen, booted as it is: to the point where it wants the kernel of its first domain.
#
# usage: xen.sh HYPERSTEP
#
# The package comes from the archive, in the version that it has, and stays in the user's cache folder.
# Status: 0 it booted; 1 it did not, or the package could not be had; 77 with HYPERSTEP_OFFLINE.
set -euo pipefail

hyperstep=$1
cache=${XDG_CACHE_HOME:-$HOME/.cache}/hyperstep/packages
wanted="dom0 kernel not specified"

# The package that the archive's Xen system needs: xen-hypervisor-VERSION-amd64.
name_of_package() {
    apt-cache depends xen-system-amd64 2>/dev/null | sed -n 's/.*Depends: \(xen-hypervisor-[0-9.]*-amd64\).*/\1/p' | head -n 1
}

fetch() {
    local name
    name=$(name_of_package)
    if [[ -z $name && $(id -u) -eq 0 ]]; then
        apt-get update -qq
        name=$(name_of_package)
    fi
    [[ -n $name ]] || { echo "boots.xen: apt knows no xen-system-amd64; apt-get update?" >&2; return 1; }
    mkdir -p "$cache"
    (cd "$cache" && apt-get download -qq "$name" >&2) ||
        { echo "boots.xen: apt-get download $name failed" >&2; return 1; }
}

package() { find "$cache" -name 'xen-hypervisor-*_amd64.deb' 2>/dev/null | sort | tail -n 1; }

if [[ -z $(package) ]]; then
    [[ -z ${HYPERSTEP_OFFLINE:-} ]] || { echo "boots.xen: skipped: --offline"; exit 77; }
    fetch
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
dpkg-deb -x "$(package)" "$folder"
gunzip -c "$folder"/boot/xen-*-amd64.gz > "$folder/xen"
status=0
"$hyperstep" run --memory 512M --append "console=com1 com1=115200,8n1" --until-pattern "$wanted" \
    --max-instructions 1000000000 "$folder/xen" > "$folder/serial" || status=$?
if [[ $status -ne 0 ]]; then
    cat "$folder/serial"
    echo "boots.xen: status $status; \"$wanted\" was not printed" >&2
    exit 1
fi
grep -a "Xen version" "$folder/serial"
