# shellcheck shell=bash disable=SC2034  # names that the runners use
# Sourced by the runners in this directory. Scratch files are in WORK, outside the checkout.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
HERE=$ROOT/tests/end_to_end/real
WORK=${WORK:-${XDG_CACHE_HOME:-$HOME/.cache}/homey-tokend-ci}
mkdir -p "$WORK"
export DEBIAN_FRONTEND=noninteractive PIP_DISABLE_PIP_VERSION_CHECK=1
SCRATCH=$(mktemp -d "$WORK/${0##*/}.XXXXXX")

PASSED=0 FAILED=0
# judged COMMAND...: run it in a shell of its own that exits at the first failing command, as the
# script itself does; within a condition bash would continue, and only the last command count.
judged() {
    local status
    set +e
    (
        set -e
        "$@"
    ) >"$SCRATCH/said" 2>&1
    status=$?
    set -e
    STATUS=$status
}

# check NAME COMMAND...: check one fact.
check() {
    local name=$1 began=$SECONDS took
    shift
    judged "$@"
    if [ "$STATUS" = 0 ]; then
        took=$((SECONDS - began))
        echo "ok   $name$([ $took -lt 3 ] || echo " ($took s)")"
        PASSED=$((PASSED + 1))
    else
        echo "FAIL $name"
        sed 's/^/     /' "$SCRATCH/said" | tail -25
        FAILED=$((FAILED + 1))
    fi
}

# step NAME COMMAND...: do something that the rest depends on.
step() {
    local name=$1 began
    began=$(date +%s%N)
    shift
    judged "$@"
    if [ "$STATUS" != 0 ]; then
        echo "FAIL $name"
        tail -30 "$SCRATCH/said"
        exit 1
    fi
    printf '.... %s: %d ms\n' "$name" $((($(date +%s%N) - began) / 1000000))
}

verdict() {
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" = 0 ] && [ "$PASSED" -gt 0 ]
}

# until_true SECONDS COMMAND...: wait until it succeeds, for at most that time.
until_true() {
    local end=$((SECONDS + $1))
    shift
    while ! "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { "$@"; return; }
        sleep 0.1
    done
}

# packages COMMAND:PACKAGE...: install the Debian packages of missing commands.
packages() {
    local wanted=() pair
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null || wanted+=("${pair#*:}")
    done
    [ ${#wanted[@]} -eq 0 ] && return
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "${wanted[@]}"
}

# venv FOLDER: create a virtual environment; Debian needs a separate package for that.
venv() {
    "$PYTHON" -c 'import venv, ensurepip' 2>/dev/null || {
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends python3-venv
    }
    "$PYTHON" -m venv "$1"
}
PYTHON=${PYTHON:-python3}

# source_tree FOLDER: copy the checkout as a clone would have it, with uncommitted changes.
source_tree() {
    mkdir -p "$1"
    if git -C "$ROOT" rev-parse --git-dir >/dev/null 2>&1; then
        git -C "$ROOT" ls-files -z --cached --others --exclude-standard |
            tar -C "$ROOT" --null --ignore-failed-read -T - -cf - 2>/dev/null | tar -C "$1" -xf -
    else
        tar -C "$ROOT" -cf - . | tar -C "$1" -xf -
    fi
}

# page NAME: print the block of docs/install.md with this name, as a reader would type it.
page() {
    python3 - "$ROOT/docs/install.md" "$1" <<'PY'
import re, sys
from pathlib import Path

text, name = Path(sys.argv[1]).read_text(), sys.argv[2]
found = re.findall(rf"^```(?:sh|yaml) {name}\n(.*?)^```$", text, re.M | re.S)
if len(found) != 1:
    sys.exit(f"docs/install.md has {len(found)} blocks named {name}")
print(found[0], end="")
PY
}

# as_here: change in a block of the page what must differ here; a runner may redefine it.
as_here() { cat; }

# with_page NAME: run that block with the runner's "typed"; its input comes on stdin.
with_page() {
    local block
    block=$(page "$1" | as_here) && typed "$block" && echo "$1" >>"$SCRATCH/pages"
}

# filled_in NAME VALUE...: run each command of that block with a value on its stdin.
filled_in() {
    local name=$1 line lines
    shift
    mapfile -t lines < <(page "$name" | as_here)
    [ "${#lines[@]}" = $# ] || return
    for line in "${lines[@]}"; do
        typed "$line" <<<"$1" || return
        shift
    done
    echo "$name" >>"$SCRATCH/pages"
}

# whole_page PREFIX...: check that every block whose name starts with it has been run.
whole_page() {
    local prefix left=""
    for prefix in "$@"; do
        left+=$(sed -nE "s/^\`\`\`[a-z]+ ($prefix-.*)\$/\1/p" "$ROOT/docs/install.md" | sort | comm -23 - <(sort -u "$SCRATCH/pages"))
    done
    echo "$left"
    [ -z "$left" ]
}

# A Debian 12 for both the booted machine and the base of the image; created once, and
# again when this recipe changes.
rootfs() {
    [ ! -d "$ROOTFS" ] || return 0
    rm -rf "$WORK"/rootfs*
    mmdebstrap --quiet --mode=root --variant=minbase \
        --include=ca-certificates,curl,netbase,systemd-sysv,dbus,procps,python3,python3-venv,libssl3,libffi8,libsqlite3-0,libbz2-1.0,liblzma5,libreadline8,zlib1g,libuuid1,libncursesw6,libexpat1 \
        --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' bookworm "$ROOTFS.part"
    local made=$ROOTFS.part
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$made/etc/hosts"
    : >"$made/etc/fstab"
    rm -f "$made/etc/hostname"
    mv "$made" "$ROOTFS"
}
ROOTFS=$WORK/rootfs-$(declare -f rootfs | cksum | cut -d' ' -f1)

# The settings of pip that this network needs go into the simulated machine, never into the project.
network_of_this_machine() {
    cp --remove-destination /etc/resolv.conf "$1/etc/resolv.conf"
    cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
    printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\ndisable-pip-version-check = true\n' >"$1/etc/pip.conf"
}
