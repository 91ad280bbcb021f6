#!/bin/sh
# The schema gate: compares what an MCP server publishes with the manifest in the repository.
#
# Every setting is a variable of the environment, or an argument NAME=VALUE:
#
#   SERVER_URL      the server's URL; or
#   SERVER_COMMAND  the command line that starts it over stdio
#   MANIFEST        the file in the repository                      (lifesign-manifest.json)
#   ALLOW           classes of change that pass, with commas        (info)
#   TOKEN_ENV       the name of the variable with the bearer token
#   HEADERS         more headers, `Name: value`, one a line
#   TIMEOUT         give up on the server after this long           (30s)
#   WAIT_S          seconds that the server may need to start       (0)
#   SUMMARY         a file that gets the result as Markdown         ($GITHUB_STEP_SUMMARY)
#   LIFESIGN        the lifesign command                            (the one on PATH, else one is installed)
#   INSTALL_FROM    what pip installs where there is none           (the checkout this script stands in)
#
# Exit codes: 0 the same or allowed, 1 something could not be read, 2 drift, 64 wrong settings.
set -eu

die() {
    code=$1
    shift
    echo "manifest-check: $*" >&2
    exit "$code"
}

for setting in "$@"; do
    case $setting in
    SERVER_URL=* | SERVER_COMMAND=* | MANIFEST=* | ALLOW=* | TOKEN_ENV=* | HEADERS=* | TIMEOUT=* | WAIT_S=* | \
        SUMMARY=* | LIFESIGN=* | INSTALL_FROM=*) export "${setting?}" ;;
    *) die 64 "The argument $setting is no setting; they are written NAME=VALUE." ;;
    esac
done

MANIFEST=${MANIFEST:-lifesign-manifest.json}
SUMMARY=${SUMMARY:-${GITHUB_STEP_SUMMARY:-}}
WAIT_S=${WAIT_S:-0}

# Prints the lifesign command; installs it into a virtual environment of its own where there is none.
find_lifesign() {
    if [ -n "${LIFESIGN:-}" ]; then
        command -v "$LIFESIGN" || die 64 "LIFESIGN names $LIFESIGN, which cannot be run."
        return
    fi
    if command -v lifesign; then return; fi
    root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
    if [ ! -f "$root/pyproject.toml" ]; then root=; fi
    source=${INSTALL_FROM:-$root}
    [ -n "$source" ] || die 1 "lifesign is not installed. Install it with: pip install lifesign"
    command -v python3 >/dev/null || die 1 "lifesign is not installed, and neither is Python 3.11 or newer."
    place=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/lifesign-ci/$(printf '%s' "$source" | cksum | tr ' ' -)
    if [ ! -x "$place/bin/lifesign" ]; then
        echo "manifest-check: installing lifesign from $source" >&2
        python3 -m venv "$place" >&2
        "$place/bin/python" -m pip install --quiet --disable-pip-version-check "$source" >&2
    fi
    echo "$place/bin/lifesign"
}

# Refuses settings that contradict each other before anything is installed or asked.
require_settings() {
    [ -n "${SERVER_URL:-}" ] || [ -n "${SERVER_COMMAND:-}" ] ||
        die 64 "Give SERVER_URL, or SERVER_COMMAND for a server over stdio."
    [ -z "${SERVER_URL:-}" ] || [ -z "${SERVER_COMMAND:-}" ] ||
        die 64 "Give SERVER_URL or SERVER_COMMAND, not both."
    case $WAIT_S in '' | *[!0-9]*) die 64 "WAIT_S is a number of seconds, not $WAIT_S." ;; esac
}

check() {
    set -- manifest check "$MANIFEST" --allow "${ALLOW:-info}" --timeout "${TIMEOUT:-30s}"
    if [ -n "${TOKEN_ENV:-}" ]; then set -- "$@" --token-env "$TOKEN_ENV"; fi
    if [ -n "$SUMMARY" ]; then set -- "$@" --summary "$SUMMARY"; fi
    if [ -n "${HEADERS:-}" ]; then
        while IFS= read -r header; do
            if [ -n "$header" ]; then set -- "$@" --header "$header"; fi
        done <<HEADERS_END
$HEADERS
HEADERS_END
    fi
    if [ -n "${SERVER_URL:-}" ]; then
        "$lifesign" "$@" "$SERVER_URL"
    else
        # The words of the command are split as a shell splits them.
        eval "\"\$lifesign\" \"\$@\" -- $SERVER_COMMAND"
    fi
}

require_settings
[ -f "$MANIFEST" ] || die 1 "$MANIFEST does not exist. Write it with: lifesign manifest snapshot URL -o $MANIFEST"
lifesign=$(find_lifesign)

waited=0
while :; do
    code=0
    said=$(check 2>&1) || code=$?
    # 1 means that the server could not be read: it may still be starting.
    if [ "$code" -ne 1 ] || [ "$waited" -ge "$WAIT_S" ]; then break; fi
    waited=$((waited + 1))
    sleep 1
done
printf '%s\n' "$said"
exit "$code"
