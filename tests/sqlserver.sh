#!/usr/bin/env bash
# A SQL Server for the tests, where a container engine can be used.
#   tests/sqlserver.sh start DIR   prints its connection string; where there can be none, says why and fails
#   tests/sqlserver.sh stop DIR
# It is Microsoft's image of the Developer edition, whose licence allows tests: https://go.microsoft.com/fwlink/?linkid=857698
set -euo pipefail

image=mcr.microsoft.com/mssql/server:2022-latest
seconds=180 # until it answers

die() {
  echo "no SQL Server: $*" >&2
  exit 1
}

find_engine() {
  for engine in docker podman; do
    if command -v "$engine" >/dev/null && "$engine" info >/dev/null 2>&1; then
      return
    fi
  done
  die "neither docker nor podman can be used here"
}

start() {
  find_engine
  mkdir -p "$1"
  "$engine" pull --quiet "$image" >&2 || die "$image cannot be had"
  local password id port
  password="Aa1-$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
  id=$("$engine" run --detach --publish 127.0.0.1::1433 \
    --env ACCEPT_EULA=Y --env MSSQL_PID=Developer --env MSSQL_SA_PASSWORD="$password" --env SQLCMDPASSWORD="$password" "$image") || die "$image does not start"
  echo "$engine $id" >"$1/container"
  port=$("$engine" port "$id" 1433/tcp | head -n 1 | sed 's/.*://')
  for ((i = 0; i < seconds; i++)); do
    if "$engine" exec "$id" /opt/mssql-tools18/bin/sqlcmd -C -S localhost -U sa -Q 'select 1' >/dev/null 2>&1; then
      echo "Server=127.0.0.1,$port;User ID=sa;Password=$password;TrustServerCertificate=true"
      return
    fi
    sleep 1
  done
  "$engine" logs --tail 20 "$id" >&2 || true
  stop "$1"
  die "it did not answer within $seconds s"
}

stop() {
  [ -e "$1/container" ] || return 0
  local engine id
  read -r engine id <"$1/container"
  "$engine" rm --force --volumes "$id" >/dev/null
  rm "$1/container"
}

case ${1:-} in
  start | stop) "$1" "${2:?a folder is missing}" ;;
  *)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0" >&2
    exit 2
    ;;
esac
