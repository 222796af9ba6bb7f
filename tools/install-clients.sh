#!/bin/sh
# Installs the real clients and the conformance suites that the black-box tests use.
#
#   tools/install-clients.sh debian   the Debian packages (as root; else prints the line to run, exit 1)
#   tools/install-clients.sh go       what is built with Go, where Go is present (else says so, exit 0)
#   tools/install-clients.sh          both
#
# May be run again at any time: what is there in the right version is left alone. Nothing is written into
# the checkout; programs built with Go go to $HYTHE_TESTBED_BIN, by default
# ${XDG_CACHE_HOME:-$HOME/.cache}/hythe-testbed/bin.
set -eu

BIN=${HYTHE_TESTBED_BIN:-${XDG_CACHE_HOME:-$HOME/.cache}/hythe-testbed/bin}

# program:package
DEBIAN="dockerd:docker.io docker:docker.io podman:podman buildah:buildah skopeo:skopeo ctr:containerd
docker-registry:docker-registry ch-image:charliecloud-builders ch-run:charliecloud-runtime curl:curl
mkfs.ext4:e2fsprogs mkfs.xfs:xfsprogs strace:strace faketime:faketime openssl:openssl
nginx:nginx-light zsh:zsh fish:fish mandoc:mandoc"

# The versions that the tests were written against.
GO_PROGRAMS="
crane github.com/google/go-containerregistry/cmd/crane v0.22.1
oras oras.land/oras/cmd/oras v1.3.6
regctl github.com/regclient/regclient/cmd/regctl v0.11.7
helm helm.sh/helm/v3/cmd/helm v3.22.0
registry github.com/distribution/distribution/v3/cmd/registry v3.1.2
"
CONFORMANCE=github.com/opencontainers/distribution-spec/conformance
CONFORMANCE_1_1=v0.0.0-20231101194043-f2182352d4cc
CONFORMANCE_DEV=v0.0.0-20260831232431-97274622c111

install_debian() {
    missing=
    for pair in $DEBIAN; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair#*:}"
    done
    # Two programs may come from one package.
    missing=$(printf '%s\n' $missing | sort -u | tr '\n' ' ')
    [ -n "${missing% }" ] || return 0
    line="apt-get update -q && apt-get install -y -q --no-install-recommends ${missing% }"
    if [ "$(id -u)" -ne 0 ]; then
        echo "These clients are missing. Install them as root, then run this again:"
        echo "    $line"
        return 1
    fi
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "These clients are missing and this is not a Debian machine; install by hand: ${missing% }"
        return 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    # A freshly installed docker package would start an engine of its own; the tests start a private one.
    policy=/usr/sbin/policy-rc.d
    made_policy=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        made_policy=yes
    fi
    status=0
    sh -c "$line" || status=$?
    [ -z "$made_policy" ] || rm -f "$policy"
    return "$status"
}

# Whether $1 in the cache was built from version $2 of the module.
built() {
    [ -x "$BIN/$1" ] && [ "$(cat "$BIN/$1.version" 2>/dev/null)" = "$2" ]
}

# Builds one suite: name, version, then the go command that writes the file "$out".
build_suite() {
    name=$1 version=$2
    shift 2
    built "$name" "$version" && return 0
    echo "building $name ($CONFORMANCE@$version)"
    source=$(go mod download -json "$CONFORMANCE@$version" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p')
    [ -d "$source" ] || { echo "the module $CONFORMANCE@$version was not downloaded"; return 1; }
    work=$(mktemp -d)
    # The module cache is read-only, and a test program is built inside its module.
    cp -R "$source/." "$work/"
    chmod -R u+w "$work"
    status=0
    (cd "$work" && "$@" -o "$BIN/$name.new" .) || status=$?
    rm -rf "$work"
    [ "$status" -eq 0 ] || return "$status"
    mv "$BIN/$name.new" "$BIN/$name"
    echo "$version" >"$BIN/$name.version"
}

install_go() {
    if ! command -v go >/dev/null 2>&1; then
        echo "Go is not installed: crane, oras, regctl, helm and the conformance suites are not built."
        return 0
    fi
    mkdir -p "$BIN"
    # The settings of the person's own Go must not change what is built.
    export GOFLAGS=-buildvcs=false GO111MODULE=on
    echo "$GO_PROGRAMS" | while read -r name package version; do
        [ -n "$name" ] || continue
        built "$name" "$version" && continue
        echo "building $name ($package@$version)"
        GOBIN=$BIN go install "$package@$version"
        echo "$version" >"$BIN/$name.version"
    done
    build_suite conformance-1.1 "$CONFORMANCE_1_1" go test -c
    build_suite conformance-dev "$CONFORMANCE_DEV" go build
}

case ${1:-all} in
debian) install_debian ;;
go) install_go ;;
all)
    install_debian
    install_go
    ;;
*)
    echo "usage: tools/install-clients.sh [debian|go]" >&2
    exit 2
    ;;
esac
