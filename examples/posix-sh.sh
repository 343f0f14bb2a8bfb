#!/bin/sh
# POSIX sh without curl: homey-tokend prints the token, and makes calls itself.
set -eu

token=$(homey-tokend token --min-ttl 10m)
[ -n "$token" ] && echo "a token of ${#token} characters"

# A call through the daemon: this script never sees the token.
homey-tokend call GET /api/manager/zones/zone >/dev/null && echo "zones were read"

# Another program, with HOMEY_TOKEN and HOMEY_URL in its environment.
# shellcheck disable=SC2016  # the inner shell expands them
homey-tokend exec -- sh -c '[ -n "$HOMEY_TOKEN" ] && echo "a program for $HOMEY_URL"'
