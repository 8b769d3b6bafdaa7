#!/bin/sh
# One clear line if there is no Rust, or one too old, or no C compiler to link with.
set -eu
want=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$(dirname "$0")/../Cargo.toml")
fail() { echo "error: $1" >&2; exit 1; }
command -v cargo >/dev/null 2>&1 || fail "Rust is missing: https://rustup.rs installs it (version $want or later)"
have=$(rustc --version 2>/dev/null | sed 's/^rustc \([0-9.]*\).*/\1/')
[ -n "$have" ] || fail "rustc does not start: \`rustup default stable\` may mend it"
oldest=$(printf '%s\n%s\n' "$want" "$have" | sort -t. -k1,1n -k2,2n | head -n 1)
[ "$oldest" = "$want" ] || [ "${have%.*}" = "$want" ] || fail "Rust $have is too old: version $want or later is needed (\`rustup update\`)"
command -v cc >/dev/null 2>&1 || fail "a C compiler is missing (Debian and Ubuntu: apt-get install build-essential)"
