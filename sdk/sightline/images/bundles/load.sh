#!/bin/sh
# Checks this bundle and takes its images in, on a site without a network.
#
#   sh load.sh --key cosign.pub --check                      only checks
#   sh load.sh --key cosign.pub --registry HOST[:PORT]       into a registry, with signatures (skopeo)
#   sh load.sh --key cosign.pub --docker                     into docker's engine
#   sh load.sh --key cosign.pub --containerd [--namespace k8s.io]   into a node's containerd (ctr)
#
# With --plain the registry is reached by HTTP without TLS. Needs tar, sha256sum and openssl. The key
# must have come another way than this bundle. This script is a part of what it checks: before you
# unpack a bundle, check the whole of it against the signature that lies beside it:
#
#   openssl base64 -d -in BUNDLE.sig -out bundle.der
#   openssl dgst -sha256 -verify cosign.pub -signature bundle.der BUNDLE
set -eu
LC_ALL=C
export LC_ALL

usage() { sed -n '2,/^set -eu/{/^set -eu/d;s/^# \{0,1\}//;p;}' "$0"; }
fail() { echo "load.sh: $1" >&2; exit "${2:-1}"; }
has() { command -v "$1" >/dev/null 2>&1; }

key='' into='' registry='' namespace=k8s.io tls=true
while [ $# -gt 0 ]; do
    case $1 in
        --key) key=${2:?}; shift ;;
        --registry) into=registry registry=${2:?}; shift ;;
        --namespace) namespace=${2:?}; shift ;;
        --docker | --containerd | --check) into=${1#--} ;;
        --plain) tls=false ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; fail "$1 means nothing here" 2 ;;
    esac
    shift
done
[ -n "$key" ] && [ -n "$into" ] || { usage >&2; exit 2; }
for each in tar sha256sum openssl; do has "$each" || fail "$each is not installed" 4; done
[ -r "$key" ] || fail "$key cannot be read"
case $key in /*) ;; *) key=$PWD/$key ;; esac
cd "$(dirname "$0")"

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' HUP INT TERM

signed() { # signed FILE SIGNATURE: whether the key signed it
    openssl base64 -d -A -in "$2" -out "$scratch/der" 2>/dev/null &&
        openssl dgst -sha256 -verify "$key" -signature "$scratch/der" "$1" >/dev/null 2>&1
}

for each in SHA256SUMS SHA256SUMS.sig; do [ -f "$each" ] || fail "$each is missing"; done
signed SHA256SUMS SHA256SUMS.sig || fail "SHA256SUMS was not signed by this key, or was changed"
# Links and devices have no checksum; whatever else is not named in it was added by somebody.
odd=$(find . ! -type f ! -type d | head -n 1)
[ -z "$odd" ] || fail "$odd is no plain file"
find . -type f | sed 's,^\./,,' | grep -v -x -e SHA256SUMS -e 'SHA256SUMS\.sig' | sort >"$scratch/here"
sed 's/^[0-9a-f]*  //' SHA256SUMS | sort >"$scratch/listed"
added=$(comm -23 "$scratch/here" "$scratch/listed" | head -n 1)
[ -z "$added" ] || fail "$added is not in SHA256SUMS: somebody added it"
missing=$(comm -13 "$scratch/here" "$scratch/listed" | head -n 1)
[ -z "$missing" ] || fail "$missing is missing"
sha256sum -c SHA256SUMS >"$scratch/checked" 2>/dev/null ||
    fail "$(grep -v ': OK$' "$scratch/checked" | head -n 1): not what its checksum says"
for payload in signatures/*.payload.json; do
    signed "$payload" "${payload%.payload.json}.sig" || fail "$payload was not signed by this key"
done
echo "every file is there, unchanged, and signed by this key"

# NAME:TAG of each image and of what belongs to it: names in the indexes of both layouts.
names() {
    tr ',{}' '\n\n\n' <"$1/index.json" |
        sed -n 's/.*"org\.opencontainers\.image\.ref\.name" *: *"\([^"]*\)".*/\1/p'
}

case $into in
    registry)
        has skopeo || fail "skopeo is not installed: docker changes digests, and knows no signatures" 4
        # Images last: whoever finds one finds its signatures.
        for layout in signatures images; do
            for name in $(names "$layout"); do
                skopeo copy --quiet --insecure-policy --all --preserve-digests \
                    "--dest-tls-verify=$tls" "oci:$layout:$name" "docker://$registry/$name"
                echo "$registry/$name"
            done
        done
        ;;
    docker)
        has docker || fail "docker is not installed" 4
        machine=$(docker version --format '{{.Server.Arch}}')
        [ -f "images/docker-$machine.json" ] || fail "there are no images for $machine"
        # The list that docker reads lies beside the blobs, in a folder of links to them.
        mkdir "$scratch/docker"
        cp "images/docker-$machine.json" "$scratch/docker/manifest.json"
        ln -s "$PWD/images/blobs" "$scratch/docker/blobs"
        tar -C "$scratch/docker" -chf - manifest.json blobs | docker load
        ;;
    containerd)
        has ctr || fail "ctr is not installed: it is a part of containerd" 4
        tar -C images -cf - oci-layout index.json blobs |
            ctr --namespace "$namespace" images import -
        ;;
esac
