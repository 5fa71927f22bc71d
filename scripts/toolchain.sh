# shellcheck shell=bash
# What the other scripts source to compile. After it, `cargo` is the native Rust of rust-toolchain.toml
# (or one not older), with clippy and rustfmt, and
#     wasm_cargo COMMAND TARGET [ARGUMENT...]
# is `cargo COMMAND --target TARGET ARGUMENT...` for wasm32-wasip1 and wasm32-unknown-unknown.
# rustup installs what is missing; where it is absent or reaches no server, Debian's packages
# rustc-web, cargo-web, rust-web-src, rust-web-clippy, rustfmt-web, wasi-libc and lld do the same, and
# the standard library is then compiled on the way (about a minute, once). VOUSSOIR_RUST=debian takes
# that second way at once.

# shellcheck source-path=SCRIPTDIR source=install.sh
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"

pinned_rust=$(sed -n 's/^channel = "\(.*\)"$/\1/p' "$root/rust-toolchain.toml")
wasm_targets=(wasm32-wasip1 wasm32-unknown-unknown)

# Sets wasm_from to where the wasm standard library comes from: sysroot or debian.
find_rust() {
    local toolchain programs=${CARGO_HOME:-$HOME/.cargo}/bin
    # A shell that has not read ~/.cargo/env lacks rustup, and a cargo of Debian's would still take the
    # subcommands (cargo-clippy) from there.
    [ ! -x "$programs/rustup" ] || command -v rustup >/dev/null || PATH=$programs:$PATH
    if command -v rustup >/dev/null; then
        # Naming the toolchain here takes the place of rust-toolchain.toml, whose list of targets makes
        # any `cargo`, even a native one, fail where a target is absent and no server is reached.
        export RUSTUP_TOOLCHAIN=$pinned_rust
        # Asking rustc for its version is no reason to download one, unseen.
        export RUSTUP_AUTO_INSTALL=0
        if [ "${VOUSSOIR_RUST:-}" != debian ]; then
            wasm_from=sysroot
            if compiles_native && compiles_wasm; then return; fi
            say "rustup: installing Rust $pinned_rust for this machine and ${wasm_targets[*]}"
            if timeout 900 rustup toolchain install "$pinned_rust" --no-self-update --profile minimal \
                --component clippy,rustfmt --target "$(IFS=, && echo "${wasm_targets[*]}")" \
                </dev/null >&2 && compiles_native && compiles_wasm; then return; fi
            say "rustup could not install them; looking for another Rust"
        fi
        for toolchain in "$pinned_rust" stable; do
            RUSTUP_TOOLCHAIN=$toolchain
            if compiles_native; then break; fi
        done
    fi
    wasm_from=debian
    if [ "${VOUSSOIR_RUST:-}" != debian ] && compiles_native && compiles_wasm; then
        wasm_from=sysroot
        return
    fi
    say "compiling for wasm32 with Debian's Rust and its sources of the standard library"
    # The scripts that this one calls need not try rustup again.
    export VOUSSOIR_RUST=debian
    debian_packages rustc-web cargo-web rust-web-src rust-web-clippy rustfmt-web wasi-libc lld
    if ! compiles_native; then
        say "compiling for this machine with Debian's Rust too"
        unset RUSTUP_TOOLCHAIN
        PATH=/usr/bin:$PATH
        compiles_native || fail "no Rust from $pinned_rust on: install it with https://rustup.rs"
    fi
}

compiles_native() {
    local version
    version=$(rustc --version 2>/dev/null | cut -d ' ' -f 2) || return 1
    [ -n "$version" ] &&
        printf '%s\n' "$pinned_rust" "$version" | sort --version-sort --check=quiet &&
        cargo clippy --version >/dev/null 2>&1 && cargo fmt --version >/dev/null 2>&1
}

compiles_wasm() {
    local sysroot wasm_target
    sysroot=$(rustc --print sysroot) || return 1
    for wasm_target in "${wasm_targets[@]}"; do
        [ -n "$(compgen -G "$sysroot/lib/rustlib/$wasm_target/lib/libstd-*.rlib")" ] || return 1
    done
}

wasm_cargo() {
    local command=$1 wasm_target=$2
    shift 2
    # Panics name the file that they are in: the module must not tell where, or depend on where, whoever
    # built it keeps crates, and which registry they are from.
    local crates=${CARGO_HOME:-$HOME/.cargo}/registry/src registry remap settings
    local fetch=(cargo fetch --locked --quiet --target "$wasm_target")
    # Only when crates are there it is known which registries there are. Whoever builds offline has those that
    # the build needs, though perhaps not all of the workspace's.
    "${fetch[@]}" --offline 2>/dev/null || [[ " $* " =~ " --offline "|" --frozen " ]] || "${fetch[@]}"
    remap="'--remap-path-prefix=$crates=crates'"
    for registry in "$crates"/*/; do remap+=", '--remap-path-prefix=${registry%/}=crates'"; done
    settings=(--config "target.$wasm_target.rustflags=[$remap]")
    if [ "$wasm_from" = sysroot ]; then
        cargo "$command" --target "$wasm_target" "${settings[@]}" "$@"
        return
    fi
    # build-std is unstable, hence RUSTC_BOOTSTRAP. Settings by --config join those of
    # .cargo/config.toml, which RUSTFLAGS would displace. rustc carries wasi-libc and rust-lld of its
    # own for this target; Debian's takes both from other packages.
    settings+=(--config "target.$wasm_target.linker='lld'")
    [ "$wasm_target" != wasm32-wasip1 ] || settings+=(--config
        "target.$wasm_target.rustflags=['-Clink-self-contained=no', '-Lnative=/usr/lib/wasm32-wasi']")
    RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc PATH=/usr/bin:$PATH \
        cargo "$command" --target "$wasm_target" -Z build-std=std,panic_abort "${settings[@]}" "$@"
}

find_rust
