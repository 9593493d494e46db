# Outputs whose record names other settings than the config are made again, whatever the times of files say.

STALE = {output.path.as_posix() for output in DECIDED.values() if output.stale()} if workflow.is_main_process else set()


def forced(owner):
    """An input function without files that forces the job of a stale output.

    `forcerun` would make the file a target too, although only another one is asked for.
    """

    def force(wildcards):
        workflow.dag.forcefiles |= STALE.intersection(owner.expand_output(wildcards)[0])
        return []

    return force


for owner in workflow.rules if STALE else ():
    owner.set_input(forced(owner))

# Snakemake would make everything again after files from the future, or end at each of them.
LATE = outputs.ahead(DECIDED) if workflow.is_main_process else None
if LATE:
    print(f"warning: {LATE}", file=sys.stderr)
