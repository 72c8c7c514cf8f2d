#!/usr/bin/env bash
# Measures TaskQueue and prints a Markdown table; see README.md. Progress goes to the
# error stream, so `bench/run.sh >report.md` keeps the table alone.
#   bench/run.sh [SCENARIO…] [--quick] [--repeat N] [--database CONNECTION] [--rabbitmq URI]
set -euo pipefail

die() {
  echo "run.sh: $*" >&2
  exit 1
}

shown=bench/run.sh database='' rabbitmq='' args=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"
      exit
      ;;
    # They may hold a password, so the report does not show them.
    --database | --rabbitmq)
      [ $# -ge 2 ] || die "$1 needs a value"
      printf -v "${1#--}" %s "$2"
      shown="$shown $1 …"
      shift
      ;;
    *)
      args+=("$1")
      shown="$shown $1"
      ;;
  esac
  shift
done

cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v dotnet >/dev/null || die "dotnet is missing: install the .NET SDK that global.json names"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MASSTRANSIT_USAGE_TELEMETRY=false

pgbench_folder() {
  find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -path '*/bin/pgbench' 2>/dev/null | sort -V | tail -n 1 | xargs -r dirname
}

scratch=$(mktemp -d)
chmod 711 "$scratch" # root's PostgreSQL runs as another user
driver=''
cleanup() {
  # The driver ends its processes and drops its databases; what is left of its group goes with it.
  if [ -n "$driver" ] && kill -TERM "$driver" 2>/dev/null; then
    timeout 30 tail --pid="$driver" -f /dev/null || true
  fi
  [ -z "$driver" ] || kill -KILL -- "-$driver" 2>/dev/null || true
  local ports
  for ports in "$scratch"/*/ports; do # also those that the driver started
    [ ! -e "$ports" ] || tests/servers.sh stop "$(dirname "$ports")" || true
  done
  rm -rf "$scratch"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

{
  programs=(wrk)
  [[ " ${args[*]-} " != *" peers "* ]] || programs+=(npm redis-server)
  [[ " ${args[*]-} " != *" --console "* ]] || programs+=(chromium)
  if [ -z "$database" ] || [ -z "$rabbitmq" ] || [ -z "$(pgbench_folder)" ] || ! type "${programs[@]}" >/dev/null 2>&1; then
    tests/servers.sh install "${programs[@]}"
  fi
  # No build process may stay behind, nor take part in the measurement.
  dotnet build bench/TaskQueue.Bench.csproj -c Release --nodeReuse:false -p:UseSharedCompilation=false
} >&2

if [ -z "$database" ] || [ -z "$rabbitmq" ]; then
  tests/servers.sh start "$scratch/servers" >&2
  # shellcheck disable=SC1091
  . "$scratch/servers/env"
fi
PATH="$(pgbench_folder):$PATH"
export PATH

set -m # the driver and its processes get a group of their own
dotnet artifacts/bin/TaskQueue.Bench/release/TaskQueue.Bench.dll ${args[@]+"${args[@]}"} \
  --database "${database:-$TASKQUEUE_TEST_POSTGRES}" --rabbitmq "${rabbitmq:-$TASKQUEUE_TEST_RABBITMQ}" \
  --scratch "$scratch" --command "$shown" --commit "$(git describe --always --dirty 2>/dev/null || echo unknown)" &
driver=$!
set +m
wait "$driver"
