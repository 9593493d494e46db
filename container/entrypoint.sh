#!/bin/sh
# Start of the container: `snakemake …` runs the workflow, `uadbench …` or the name of a command the package.
set -eu
checkout=$(dirname "$(dirname "$(readlink -f "$0")")")

case "${1:-}" in
    snakemake)
        [ -e Snakefile ] || cd "$checkout"
        if [ -L .snakemake ]; then
            mkdir -p results/.snakemake
        fi
        exec "$@"
        ;;
    uadbench | python | pip | sh | bash)
        exec "$@"
        ;;
    *)
        exec uadbench "$@"
        ;;
esac
