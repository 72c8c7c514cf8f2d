#!/usr/bin/env bash
# Builds everything and runs all tests against a PostgreSQL and a RabbitMQ of their own,
# which it installs if they are missing; and a SQL Server, if TASKQUEUE_TEST_SQLSERVER holds
# its connection string or a container engine can run one. A part of the tests:
#   ./test.sh unit|integration|endtoend|deployment     unit starts no server
# Further arguments go to `dotnet test`:
#   ./test.sh --filter FullyQualifiedName~.QueueRulesTests
# The last line says how many tests passed and failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

command -v dotnet >/dev/null || {
  echo "test.sh: dotnet is missing: install the .NET SDK that global.json names" >&2
  exit 1
}
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MASSTRANSIT_USAGE_TELEMETRY=false
export MSBUILDDISABLENODEREUSE=1 # leave no build process behind

all='' part=''
case "${1:-}" in
  '') all=1 ;;
  unit) part=Unit ;;
  integration) part=Integration ;;
  endtoend) part=EndToEnd ;;
  deployment) part=Deployment ;;
esac
if [ -n "$part" ]; then
  shift
  set -- --filter "FullyQualifiedName~TaskQueue.Tests.$part." "$@"
fi

scratch=$(mktemp -d)
chmod 711 "$scratch" # root's PostgreSQL runs as another user
jobs=()
cleanup() {
  [ ${#jobs[@]} = 0 ] || wait "${jobs[@]}" 2>/dev/null || true # a server that is starting is stopped too
  [ ! -e "$scratch/servers/ports" ] || tests/servers.sh stop "$scratch/servers" || true
  tests/sqlserver.sh stop "$scratch/sqlserver" || true
  rm -rf "$scratch"
}
trap cleanup EXIT

# background NAME COMMAND...: runs beside this script, silently; `finish NAME` waits for it, and shows what it wrote.
background() {
  local name=$1
  shift
  "$@" </dev/null >"$scratch/$name.log" 2>&1 &
  jobs+=($!)
  printf -v "job_$name" %s $!
}
finish() {
  local job=job_$1 status=0
  wait "${!job}" || status=$?
  cat "$scratch/$1.log"
  [ $status = 0 ] || echo "test.sh: $1 failed, see above" >&2
  return $status
}

# The servers, and the clients of other languages that the tests run.
prepare() {
  tests/servers.sh install
  tests/servers.sh start "$scratch/servers"
  cp -r tests/Clients "$scratch/clients"
  npm install --prefix "$scratch/clients" --omit=dev --no-audit --no-fund --no-package-lock --loglevel=error
}

# The program with its bill of materials.
publish() {
  nice -n 19 dotnet publish src/Api -c Release --no-build -p:Sbom=true --output "$scratch/publish"
  for package in MassTransit MassTransit.RabbitMQ Npgsql; do
    grep -q "\"pkg:nuget/$package@" "$scratch/publish/taskqueue.cdx.json" || {
      echo "taskqueue.cdx.json does not list $package" >&2
      return 1
    }
  done
}

[ "$part" = Unit ] || background servers prepare # while all is built

# Without a server its tests are not among those that are found.
if [ "$part" != Unit ] && [ -z "${TASKQUEUE_TEST_SQLSERVER:-}" ] \
  && TASKQUEUE_TEST_SQLSERVER=$(tests/sqlserver.sh start "$scratch/sqlserver"); then
  export TASKQUEUE_TEST_SQLSERVER
fi

# Exactly the packages of the lock files: what else would be restored is an error.
dotnet restore TaskQueue.sln --locked-mode
dotnet build TaskQueue.sln -c Release --no-restore
[ -z "$all" ] || background publish publish # beside the tests, which mostly wait
if [ -n "$all" ] || [[ "$*" == *Upgrade* ]]; then # no other tests need it
  TASKQUEUE_TEST_PREVIOUS=$(tests/previous.sh "$scratch/previous")
  export TASKQUEUE_TEST_PREVIOUS
fi
if [ "$part" != Unit ]; then
  finish servers
  export TASKQUEUE_TEST_CLIENTS="$scratch/clients"
  # shellcheck disable=SC1091
  . "$scratch/servers/env"
fi

# A test that hangs is ended and named, instead of holding up everything.
status=0
dotnet test tests/TaskQueue.Tests.csproj -c Release --no-build \
  --logger trx --results-directory "$scratch/results" \
  --blame-hang-timeout "${TASKQUEUE_TEST_HANG_TIMEOUT:-10m}" --blame-hang-dump-type none "$@" || status=1
published=0
[ -z "$all" ] || finish publish || published=1

# <Counters total="" executed="" passed="" failed="" error="" timeout="" aborted="" …
read -r passed failed skipped < <(
  find "$scratch/results" -name '*.trx' -exec cat {} + 2>/dev/null | awk -F'"' '
    /<Counters / { passed += $6; failed += $8 + $10 + $12 + $14; skipped += $2 - $4 }
    END { print passed + 0, failed + 0, skipped + 0 }'
)
if [ "$failed" -gt 0 ]; then
  status=1
  echo "Failed:"
  find "$scratch/results" -name '*.trx' -exec sed -n 's/.*<UnitTestResult .*testName="\([^"]*\)".* outcome="Failed".*/  \1/p' {} +
elif [ $status != 0 ]; then
  echo "test.sh: the test run was broken off, see above" >&2
elif [ "$passed" = 0 ]; then
  echo "test.sh: no test ran" >&2
  status=1
fi
[ $published = 0 ] || status=1

trap - EXIT
cleanup
summary="$passed passed, $failed failed"
[ "$skipped" = 0 ] || summary="$summary, $skipped skipped"
echo "$summary"
exit $status
