#!/usr/bin/env bash
# Builds the program as it was before the newest migration, for the tests of upgrades, and prints the path of its
# executable. Where the history is not at hand (an archive, a shallow clone) it says so and prints nothing.
#   previous.sh DIR
set -euo pipefail
[ $# = 1 ] || {
  echo "usage: previous.sh DIR" >&2
  exit 2
}
mkdir -p "$1"
dir="$(cd "$1" && pwd -P)"
cd "$(dirname "${BASH_SOURCE[0]}")/.."

newest=$(git log -1 --diff-filter=A --format=%H -- src/Engine/Storage/Postgres/Migrations 2>/dev/null || true)
commit=$(git rev-parse --verify --quiet "${newest:-none}^" || true)
[ -n "$commit" ] || {
  echo "previous.sh: no git history, so the tests of upgrades are skipped" >&2
  exit 0
}
git archive "$commit" | tar -x -C "$dir"
dotnet build "$dir/src/Api" -c Release -v quiet -p:RunAnalyzers=false -p:GenerateDocumentationFile=false -p:TreatWarningsAsErrors=false >&2
echo "$dir/artifacts/bin/Api/release/taskqueue.dll"
