#!/bin/bash
# Resolves pyproject.toml into cpu.txt, cuda.txt and dev.txt, for Linux and macOS and Python 3.11 to 3.13.
# Reads metadata only, no wheel is downloaded. A version that still fits is kept: delete its line to let it move.
# Usage: lock.sh UV
set -euo pipefail
cd "$(dirname "$0")"
uv=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sed -n 's/===/==/; /^[a-z]/p' cuda.txt dev.txt >"$work/all" 2>/dev/null || true
cp "$work/all" "$work/run"
resolve() { # OUTPUT [--extra NAME]; the versions in OUTPUT are preferred
    "$uv" pip compile ../pyproject.toml --quiet --universal --python-version 3.11 --no-annotate --no-header -o "$@"
    sed -i.bak -E "/(== 'win32'|== 'emscripten')( or .*)?\$/d" "$1" # no native Windows, no browser
}
resolve "$work/run"
resolve "$work/all" --extra dev -c "$work/run"

{
    echo "# Exact versions for TORCH=cuda: torch as PyPI has it for Linux, with the CUDA libraries it was built against."
    echo "# Resolved, not installed, where it was made. '===' refuses a local build such as 2.13.0+cpu. Made by: make lock"
    sed 's/^torch==/torch===/' "$work/run"
} >cuda.txt
{
    echo "# Exact versions for TORCH=cpu: cuda.txt without the CUDA libraries. Made by: make lock"
    grep -vE '^(cuda-|nvidia-|triton==)' "$work/run"
} >cpu.txt
{
    echo "# What tests and checks need beside cpu.txt or cuda.txt. Made by: make lock"
    comm -13 <(LC_ALL=C sort "$work/run") <(LC_ALL=C sort "$work/all")
} >dev.txt
