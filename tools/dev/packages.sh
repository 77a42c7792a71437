# Debian packages: asks dpkg-query what is missing and installs only that.

package_file=tools/packages.txt
may_install=yes

# packages_of GROUP...: the package names of these groups, one a line.
packages_of() {
    local group package reason wanted
    while read -r group package reason; do
        [[ -z $group || $group == '#'* ]] && continue
        for wanted in "$@"; do
            [[ $group == "$wanted" ]] && printf '%s\n' "$package"
        done
    done <"$package_file"
    return 0
}

# One line for each architecture that has the package.
is_installed() {
    [[ $'\n'$(dpkg-query -W -f='${db:Status-Status}\n' "$1" 2>/dev/null)$'\n' == *$'\ninstalled\n'* ]]
}

missing_packages() {
    local package
    packages_of "$@" | sort -u | while read -r package; do
        is_installed "$package" || printf '%s\n' "$package"
    done
}

# need GROUP...: afterwards every package of these groups is installed, or the script has ended with status 2.
need() {
    if ! command -v dpkg-query >/dev/null; then
        say "no dpkg-query here: this is not Debian; going on with what is installed (list: $package_file)"
        return 0
    fi
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [[ ${#missing[@]} -eq 0 ]] && return 0
    say "missing packages: ${missing[*]}"
    local install="apt-get install -y --no-install-recommends ${missing[*]}"
    local as_root=()
    if [[ $may_install == no ]]; then
        say "--offline: nothing is installed. Type this first: apt-get update && $install"
        exit 2
    elif [[ $(id -u) -ne 0 ]]; then
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
            as_root=(sudo)
        else
            say "neither root nor sudo. Type this, then try again:"
            printf "su -c 'apt-get update && %s'\n" "$install" >&2
            exit 2
        fi
    fi
    install_packages "${missing[@]}"
}

# install_packages PACKAGE...: uses `as_root` of need(). A package source that does not answer is no reason to stop:
# only the installation itself decides.
install_packages() {
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get
        -o Acquire::Retries=3 -o DPkg::Lock::Timeout=600)
    say "reading the package lists"
    "${apt[@]}" -qq update >&2 || say "a package source did not answer; going on with the others"
    say "installing ${*}"
    if ! "${apt[@]}" -qq install -y --no-install-recommends "$@" </dev/null >&2; then
        say "the packages could not be installed: see apt's words above"
        exit 2
    fi
}
