#!/usr/bin/env bash
# The root file system of a small Debian, as a tar: debian.sh OUT.tar PACKAGE...
# Stands in for images of a registry where none can be reached. The same tar for the same packages.
set -euo pipefail
out=$1
shift
packages=$(IFS=,; echo "$*")
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1700000000}

# Without the pin, usrmerge drags in all of Perl; the hook has merged /usr already.
# shellcheck disable=SC2016 # mmdebstrap's own $1
mmdebstrap --quiet --mode=root --variant=essential --format=tar \
    --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
    --setup-hook='mkdir -p "$1/etc/apt/preferences.d"' \
    --setup-hook='printf "Package: usrmerge\nPin: release *\nPin-Priority: -1\n" >"$1/etc/apt/preferences.d/usrmerge"' \
    --aptopt='APT::Install-Recommends "false"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/lib/*/libLLVM*' \
    --dpkgopt='path-exclude=/usr/lib/postgresql/*/lib/bitcode/*' \
    --dpkgopt='path-exclude=/usr/lib/postgresql/*/lib/llvmjit*' \
    --include="$packages" \
    --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/* "$1"/var/log/*' \
    bookworm "$out.part"
mv "$out.part" "$out"
