#!/usr/bin/env bash
# The tiny study on a real SLURM of one machine: slurmctld, slurmd and munge from Debian's packages, as root.
#   apt-get install slurm-wlm munge && python -m venv S && S/bin/pip install snakemake snakemake-executor-plugin-slurm
#   tests/cluster/slurm.sh S/bin/snakemake .venv/bin/python
# The first program is a Snakemake that has none of the study's packages, the second a Python that has all of them. It stands
# in for conda: jobs get it by a stand-in that makes no environments. Only the node has `nvidia-smi`, and its two GPUs are
# empty files. They have no CUDA, so UADBENCH_DEVICE=cpu is exported and trainings run on the CPU of that node: what is shown
# is who is submitted where and with which GPU, not that a GPU computes. CI does not run this; it takes five minutes.
set -euo pipefail

snakemake=$(realpath -s "$1") python=$(realpath -s "$2") project=$(realpath "$(dirname "$0")/../..")
work=$(mktemp -d -t slurm.XXXXXX)
chmod 755 "$work"
daemons=()
finish() {
  local pid
  for pid in "${daemons[@]}"; do kill "$pid" 2> /dev/null || true; done
  sleep 2
  for pid in "${daemons[@]}"; do kill -9 "$pid" 2> /dev/null || true; done
  for file in slurm.conf gres.conf cgroup.conf; do [[ -L /etc/slurm/$file ]] && rm "/etc/slurm/$file"; done
  rm -rf "$work"
}
for file in slurm.conf gres.conf cgroup.conf; do
  [[ ! -e /etc/slurm/$file ]] || { echo "this machine has a SLURM of its own: /etc/slurm/$file" >&2; exit 1; }
done
trap finish EXIT

mkdir -p "$work"/{munge,state,spool,node,bin,study}
host=$(hostname -s)
touch "$work/gpu0" "$work/gpu1"
dd if=/dev/urandom of="$work/munge/key" bs=1024 count=1 status=none
chmod 400 "$work/munge/key"
chmod 700 "$work/munge"

cat > "$work/slurm.conf" << CONF
ClusterName=tiny
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket=$work/munge/socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2
MinJobAge=36000
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=8 Boards=1 SocketsPerBoard=1 CoresPerSocket=8 ThreadsPerCore=1 RealMemory=64000 Gres=gpu:2
PartitionName=cpu Nodes=$host Default=YES MaxTime=2-0 State=UP
PartitionName=gpu Nodes=$host MaxTime=2-0 State=UP
CONF
# The machine may be smaller than the node that it plays.
echo "SlurmdParameters=config_overrides" >> "$work/slurm.conf"
echo "NodeName=$host Name=gpu File=$work/gpu[0-1]" > "$work/gres.conf"
printf 'CgroupPlugin=autodetect\nCgroupAutomount=no\n' > "$work/cgroup.conf"
export SLURM_CONF="$work/slurm.conf"
# The executor takes all variables of SLURM from the environment of its jobs, so that these need the configuration here.
mkdir -p /etc/slurm
ln -sf "$work"/{slurm,gres,cgroup}.conf /etc/slurm/

# The node alone sees this folder, by the PATH of slurmd and of a job's prologue.
printf '#!/bin/sh\necho "fake GPU"\n' > "$work/node/nvidia-smi"
printf '#!/bin/sh\necho "export PATH=%s:$PATH"\n' "$work/node" > "$work/node/prolog"
chmod +x "$work"/node/*
echo "TaskProlog=$work/node/prolog" >> "$work/slurm.conf"

cd "$work"
munged --foreground --force --socket="$work/munge/socket" --key-file="$work/munge/key" --log-file="$work/munge/log" \
  --pid-file="$work/munge/pid" --seed-file="$work/munge/seed" &> "$work/munge.out" &
daemons+=($!)
for _ in $(seq 20); do [[ -S $work/munge/socket ]] && break; sleep 0.5; done
slurmctld -D -f "$SLURM_CONF" &> "$work/slurmctld.out" &
daemons+=($!)
sleep 2
slurmd -D -f "$SLURM_CONF" -N "$host" &> "$work/slurmd.out" &
daemons+=($!)
for _ in $(seq 40); do sinfo -h -o %T 2> /dev/null | grep -q idle && break; sleep 0.5; done
sinfo -o "%P %N %T %c %m %G" || { tail "$work"/*.out "$work"/*.log; exit 1; }
command -v nvidia-smi > /dev/null && { echo "this host has an nvidia-smi, so it cannot play a login node" >&2; exit 1; }

# The study, smaller than that of tests/test_workflow.py: one method, one test set, one seed.
cat > study/tiny.yaml << CONFIG
experiment: tiny
simulate: {seed: 1, spacing: 6.0, subjects: {camcan: 6, atlas: 2}}
datasets:
  camcan: {layout: camcan, validation: 2}
  atlas: {layout: atlas}
preprocessing: {spacing: 8.0, normalisation: p99_5_brain}
max_lost: 0.4
chunks: 1
train: camcan
tasks: [{name: ATLAS, dataset: atlas, modality: t1}]
methods: [disyre, random]
seeds: [1, 2]
params:
  disyre: {steps: 20, batch: 4, patch: 32, widths: [8, 16], groups: 4, layers: 1, attention_from: 9, residual: true,
           times: [50, 100], step_sizes: [25, 50]}
evaluation: {resamples: 100, examples: 2}
CONFIG

# conda, whose environments are all the given Python.
cat > bin/conda << CONDA
#!/bin/bash
case "\$1 \$2" in
  "info --json") echo '{"conda_prefix": "$work", "platform": "linux-64"}' ;;
  "--version ") echo "conda 25.1.0" ;;
  "config --get") echo '{"get": {"channel_priority": "strict"}}' ;;
  "env create")
    for argument; do [[ \$before == --prefix ]] && prefix=\$argument; before=\$argument; done
    mkdir -p "\$prefix/bin"
    printf '#!/bin/sh\nexec "$python" "\$@"\n' > "\$prefix/bin/python"
    chmod +x "\$prefix/bin/python" ;;
  "clean -y") ;;
  *) exit 1 ;;
esac
CONDA
echo 'export PATH="$1/bin:$PATH"' > bin/activate
chmod +x bin/conda

cd study
export PATH="$work/bin:$PATH" UADBENCH_DEVICE=cpu OMP_NUM_THREADS=1
if "$(dirname "$snakemake")/python" -c "import torch" 2> /dev/null; then
  echo "this Snakemake has torch beside it; a Snakemake-only environment is wanted" >&2
  exit 1
fi
code=0
"$snakemake" --snakefile "$project/Snakefile" --workflow-profile "$project/profiles/slurm" --configfile tiny.yaml --use-conda \
  --slurm-keep-successful-logs --slurm-status-command squeue --slurm-init-seconds-before-status-checks 5 --latency-wait 5 \
  &> "$work/snakemake.log" || code=$?
grep -E "^[0-9]+ of [0-9]+ steps|Error|rror:|No (job memory|wall time)" "$work/snakemake.log" | tail -5 || true
[[ $code == 0 ]] || { tail -n 60 "$work/snakemake.log"; tail -n 20 "$work"/slurm*.log; find .snakemake results -path '*slurm_logs*' -type f -exec tail -n 20 {} +; exit "$code"; }

# What SLURM itself remembers of each job; comments are the names of the rules.
scontrol show job --oneliner > "$work/jobs"
"$python" - "$work/jobs" << 'REPORT'
import re
import sys
from collections import Counter

wrong, seen = [], Counter()
print(f"{'job':>4} {'rule':<14} {'partition':<10} {'gres':<12} {'minutes':<11} {'memory':<8} state")
for line in open(sys.argv[1]):
    job = dict(field.split("=", 1) for field in line.split() if "=" in field)
    rule = re.sub(r"^rule_|_wildcards.*$", "", job.get("Comment", "?"))
    gres = next((job[key] for key in ("TresPerJob", "TresPerNode") if key in job), "-")
    print(f"{job['JobId']:>4} {rule:<14} {job['Partition']:<10} {gres:<12} {job['TimeLimit']:<11} "
          f"{job.get('MinMemoryNode', job.get('MinMemoryCPU', '-')):<8} {job['JobState']}")
    on_gpu = rule in ("train", "test")
    right = job["Partition"] == ("gpu" if on_gpu else "cpu") and gres.endswith("gpu:1") == on_gpu
    if not right or job["JobState"] != "COMPLETED":
        wrong.append(job["JobId"])
    seen[rule] += 1
assert seen["train"] == seen["test"] == 4, seen
assert not wrong, f"jobs on a wrong partition, with wrong GPUs or not finished: {wrong}"
print("right partition, one GPU for each training and test, all finished:", dict(seen))
REPORT
test -s results/tiny/paper/table2.md
ls results/tiny/benchmarks
