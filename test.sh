#!/usr/bin/env bash
# Builds everything and runs all tests against a PostgreSQL and a RabbitMQ of their own,
# which it installs if they are missing; and a SQL Server, if TASKQUEUE_TEST_SQLSERVER holds
# its connection string or a container engine can run one. Further arguments go to `dotnet test`:
#   ./test.sh --filter FullyQualifiedName~.Unit.
# The last line says how many tests passed and failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

command -v dotnet >/dev/null || {
  echo "test.sh: dotnet is missing: install the .NET SDK that global.json names" >&2
  exit 1
}
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MASSTRANSIT_USAGE_TELEMETRY=false
export MSBUILDDISABLENODEREUSE=1 # leave no build process behind

scratch=$(mktemp -d)
chmod 711 "$scratch" # root's PostgreSQL runs as another user
cleanup() {
  [ ! -e "$scratch/servers/ports" ] || tests/servers.sh stop "$scratch/servers" || true
  tests/sqlserver.sh stop "$scratch/sqlserver" || true
  rm -rf "$scratch"
}
trap cleanup EXIT

# Without a server its tests are not among those that are found. Its driver needs packages that not every feed has.
properties=()
if [ -n "${TASKQUEUE_TEST_SQLSERVER:-}" ]; then
  properties=(-p:SqlServer=true)
elif TASKQUEUE_TEST_SQLSERVER=$(tests/sqlserver.sh start "$scratch/sqlserver"); then
  if dotnet restore TaskQueue.sln --locked-mode -p:SqlServer=true >/dev/null; then
    properties=(-p:SqlServer=true)
    export TASKQUEUE_TEST_SQLSERVER
  else
    echo "no SQL Server: the packages of -p:SqlServer=true cannot be had" >&2
    unset TASKQUEUE_TEST_SQLSERVER
  fi
fi

# Exactly the packages of the lock files: what else would be restored is an error.
dotnet restore TaskQueue.sln --locked-mode ${properties[@]+"${properties[@]}"}
dotnet build TaskQueue.sln -c Release --no-restore ${properties[@]+"${properties[@]}"}
if [ $# = 0 ]; then # the program with its bill of materials
  dotnet publish src/Api -c Release --no-build -p:Sbom=true --output "$scratch/publish" ${properties[@]+"${properties[@]}"}
  for package in MassTransit MassTransit.RabbitMQ Npgsql; do
    grep -q "\"pkg:nuget/$package@" "$scratch/publish/taskqueue.cdx.json" || {
      echo "test.sh: taskqueue.cdx.json does not list $package" >&2
      exit 1
    }
  done
fi
tests/servers.sh install
# The clients of other languages that the tests run.
cp -r tests/Clients "$scratch/clients"
npm install --prefix "$scratch/clients" --omit=dev --no-audit --no-fund --no-package-lock --loglevel=error
export TASKQUEUE_TEST_CLIENTS="$scratch/clients"
if [ $# = 0 ] || [[ "$*" == *Upgrade* ]]; then # no other tests need it
  TASKQUEUE_TEST_PREVIOUS=$(tests/previous.sh "$scratch/previous")
  export TASKQUEUE_TEST_PREVIOUS
fi
tests/servers.sh start "$scratch/servers"
# shellcheck disable=SC1091
. "$scratch/servers/env"

# A test that hangs is ended and named, instead of holding up everything.
status=0
dotnet test tests/TaskQueue.Tests.csproj -c Release --no-build \
  --logger trx --results-directory "$scratch/results" \
  --blame-hang-timeout "${TASKQUEUE_TEST_HANG_TIMEOUT:-10m}" --blame-hang-dump-type none "$@" || status=1

# <Counters total="" executed="" passed="" failed="" error="" timeout="" aborted="" …
read -r passed failed skipped < <(
  find "$scratch/results" -name '*.trx' -exec cat {} + 2>/dev/null | awk -F'"' '
    /<Counters / { passed += $6; failed += $8 + $10 + $12 + $14; skipped += $2 - $4 }
    END { print passed + 0, failed + 0, skipped + 0 }'
)
if [ "$failed" -gt 0 ]; then
  status=1
elif [ $status != 0 ]; then
  echo "test.sh: the test run was broken off, see above" >&2
elif [ "$passed" = 0 ]; then
  echo "test.sh: no test ran" >&2
  status=1
fi

trap - EXIT
cleanup
summary="$passed passed, $failed failed"
[ "$skipped" = 0 ] || summary="$summary, $skipped skipped"
echo "$summary"
exit $status
