#!/usr/bin/env bash
# A Slurm cluster of three nodes on this machine, for the tests: slurm.sh start|stop|lose NODE
#
# Needs root, no systemd, and a machine without its own Slurm. Installs Debian's packages if they are missing. Each
# node claims 8 cores, 16 GB and one GPU of the type `tiny`; none of that is real or enforced, so whoever submits jobs
# must limit how many run at once. There is no accounting database. A lost part (n1, n2, n3 or the controller,
# slurmctld) is back after another start.
set -euo pipefail

MARK="# Written by multirm's tests/cluster/slurm.sh, which also removes it."
ETC=/etc/slurm
RUN=/run/multirm-slurm
NODES=(n1 n2 n3)

fail() { echo "slurm.sh: $*" >&2; exit 1; }

# A configuration from elsewhere belongs to a cluster that is in use.
refuse_other_slurm() {
    for file in "$ETC/slurm.conf" "$ETC/gres.conf"; do
        if [[ -e $file ]] && [[ $(head -n 1 "$file") != "$MARK" ]]; then
            fail "expected a machine without a Slurm of its own, found $file; run the tests of clusters elsewhere"
        fi
    done
}

install_packages() {
    local program missing=
    for program in slurmctld slurmd sbatch srun munged; do
        command -v "$program" > /dev/null || missing=$program
    done
    if [[ -n $missing ]]; then
        command -v apt-get > /dev/null || fail "expected $missing, or apt-get to install it"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq || true
        apt-get install -qq -y --no-install-recommends slurm-wlm munge > /dev/null
    fi
}

write_configuration() {
    mkdir -p "$ETC" "$RUN/state"
    local host
    host=$(hostname -s)
    cat > "$ETC/slurm.conf" <<CONF
$MARK
ClusterName=multirm
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$RUN/state
SlurmctldPidFile=$RUN/slurmctld.pid
SlurmctldLogFile=$RUN/slurmctld.log
SlurmdSpoolDir=$RUN/%n
SlurmdPidFile=$RUN/%n.pid
SlurmdLogFile=$RUN/%n.log
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=2
ReturnToService=2
KillWait=2
GresTypes=gpu
NodeName=n[1-3] NodeHostname=$host NodeAddr=127.0.0.1 Port=[17001-17003] CPUs=8 RealMemory=16000 Gres=gpu:tiny:1
PartitionName=main Nodes=n[1-3] Default=YES MaxTime=UNLIMITED State=UP
CONF
    # Slurm requires a device for each GPU, and checks nothing else.
    touch "$RUN/gpu"
    printf '%s\nName=gpu Type=tiny File=%s\n' "$MARK" "$RUN/gpu" > "$ETC/gres.conf"
}

start_munge() {
    if munge -n 2> /dev/null | unmunge > /dev/null 2>&1; then return; fi
    [[ -e /etc/munge/munge.key ]] || mungekey --create
    install -d -o munge -g munge -m 0755 /run/munge
    install -d -o munge -g munge -m 0700 /var/log/munge
    chown munge:munge /etc/munge/munge.key
    runuser -u munge -- munged
    touch "$RUN/munged"
}

# Whether the process of a pid file is running; an ended one may still be listed as defunct.
alive() { [[ -e $1 ]] && is_process "$(cat "$1")"; }
is_process() { [[ -e /proc/$1 ]] && ! grep -q '^State:.Z' "/proc/$1/status" 2> /dev/null; }

fail_with_logs() {
    scontrol --oneliner show nodes >&2 || true
    scontrol --oneliner show jobs >&2 || true
    tail -v -n 5 -- "$RUN"/*.log >&2
    fail "$1; nodes, jobs and the last lines of the logs are above"
}

# A node that is ending a job (comp) or reserved for one (plnd, or a dash) counts as answering.
nodes_answer() {
    local answering
    answering=$(sinfo --noheader --Node --format=%t 2> /dev/null | grep -c -x -E '(idle|mix|alloc|comp|plnd)-?') || true
    [[ $answering -eq ${#NODES[@]} ]]
}

start() {
    refuse_other_slurm
    install_packages
    write_configuration
    start_munge
    alive "$RUN/slurmctld.pid" || slurmctld
    for node in "${NODES[@]}"; do
        mkdir -p "$RUN/$node"
        alive "$RUN/$node.pid" || slurmd -N "$node" || fail_with_logs "expected slurmd to start $node"
    done
    # On a busy machine, a node may miss the first ping; it is pinged again after 100 s.
    local ends=$((SECONDS + 180))
    while ((SECONDS < ends)); do
        nodes_answer && return
        sleep 0.2
    done
    fail_with_logs "expected three nodes to answer within three minutes"
}

# Terminate a daemon, and kill it after 10 s.
end() {
    alive "$1" || return 0
    local pid
    pid=$(cat "$1")
    kill "$pid"
    for _ in {1..50}; do
        is_process "$pid" || return 0
        sleep 0.2
    done
    kill -9 "$pid"
}

stop() {
    [[ -d $RUN ]] || return 0
    refuse_other_slurm
    if alive "$RUN/slurmctld.pid"; then
        scancel --user=root --signal=KILL --full 2> /dev/null || true
        scancel --user=root 2> /dev/null || true
        for _ in {1..50}; do
            [[ -z $(squeue --noheader 2> /dev/null) ]] && break
            sleep 0.2
        done
    fi
    for node in "${NODES[@]}"; do end "$RUN/$node.pid"; done
    end "$RUN/slurmctld.pid"
    if [[ -e $RUN/munged ]]; then end /run/munge/munged.pid; fi
    rm -rf "$RUN" "$ETC/slurm.conf" "$ETC/gres.conf"
}

# As in a power cut: the daemons first, so that they cannot report how jobs ended.
lose() {
    local node=$1 job
    kill -9 "$(cat "$RUN/$node.pid")"
    rm "$RUN/$node.pid"
    [[ $node != slurmctld ]] || return 0
    for job in $(squeue --noheader --nodelist="$node" --states=running --format=%A); do
        kill_all $(grep -l -s -a "^slurmstepd: \[$job\." /proc/[0-9]*/cmdline)
    done
    kill_all $(grep -l -s -z "^SLURMD_NODENAME=$node$" /proc/[0-9]*/environ)
    scontrol update "nodename=$node" state=down reason="lost for a test"
}

kill_all() {
    local file pid
    for file in "$@"; do
        pid=${file#/proc/}
        kill -9 "${pid%%/*}" 2> /dev/null || true
    done
}

[[ $(id -u) -eq 0 ]] || fail "expected to be run as root, which Slurm's daemons need"
case "${1-}" in
    start | stop) "$1" ;;
    lose) lose "${2:?expected n1, n2, n3 or slurmctld}" ;;
    *) fail "expected start, stop or lose, found '${1-}'" ;;
esac
