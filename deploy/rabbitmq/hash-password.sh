#!/usr/bin/env bash
# Prints the password_hash of a password for definitions.json (rabbit_password_hashing_sha256): hash-password.sh <password-file
set -euo pipefail
password=$(cat)
[ -n "$password" ] || { echo "hash-password.sh: no password on standard input" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
openssl rand 4 >"$folder/salt"
{ cat "$folder/salt"; { cat "$folder/salt"; printf %s "$password"; } | openssl dgst -sha256 -binary; } | openssl base64 -A
echo
