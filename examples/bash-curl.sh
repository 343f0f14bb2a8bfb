#!/usr/bin/env bash
# The names of all devices, with bash, curl and jq: the token from the socket, the call to the Homey.
set -euo pipefail
socket=/run/homey-tokend/homey-tokend.sock
[[ -S $socket ]] || socket=${XDG_RUNTIME_DIR:-/run}/homey-tokend/homey-tokend.sock
socket=${HOMEY_TOKEND_SOCKET:-$socket}

# -f: without a token curl exits with an error, and so does this script.
answer=$(curl -fsS --unix-socket "$socket" 'http://localhost/token?format=json&min_ttl=60')
token=$(jq -r .access_token <<<"$answer")
url=$(jq -r .url <<<"$answer")

# The header is passed through a pipe: arguments are visible to everybody on the machine.
printf 'Authorization: Bearer %s\n' "$token" |
    curl -fsS -H @- "$url/api/manager/devices/device" | jq -r '.[].name'
