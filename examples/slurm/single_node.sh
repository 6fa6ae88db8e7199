#!/bin/bash
# A Slurm of one node on this machine, to try job scripts: no systemd, no cgroups, no database, ports of its own.
# As root, on Debian or Ubuntu, in a container too:
#
#   apt-get install -y slurm-wlm munge
#   examples/slurm/single_node.sh start DIR      DIR: an empty folder for keys, state and logs
#   export SLURM_CONF=DIR/slurm.conf             and then sbatch, srun, squeue, scancel
#   examples/slurm/single_node.sh stop DIR
set -eu

fail() {
  echo "single_node.sh: $*" >&2
  exit 2
}

# Values of --ports: two that nobody listens on. Slurm's own are 6817 and 6818.
CONTROLLER_PORT=${CONTROLLER_PORT:-26817}
NODE_PORT=${NODE_PORT:-26818}

start() {
  [ "$(id -u)" = 0 ] || fail "slurmd starts jobs as their users: run it as root"
  for program in munged slurmctld slurmd; do
    command -v "$program" >/dev/null || fail "no $program: apt-get install -y slurm-wlm munge"
  done
  mkdir -p "$dir"
  [ -z "$(ls -A "$dir")" ] || fail "$dir is not empty: name a new folder"
  chmod 755 "$dir"
  mkdir "$dir"/{munge,controller,node}
  start_munge
  write_configuration
  slurmctld -f "$dir/slurm.conf" || fail "slurmctld does not start: see $dir/slurmctld.log"
  slurmd -f "$dir/slurm.conf" -N here || fail "slurmd does not start: see $dir/slurmd.log"
  export SLURM_CONF=$dir/slurm.conf
  for _ in $(seq 60); do
    case $(sinfo --noheader --format=%T 2>/dev/null) in idle*) break ;; esac
    sleep 1
  done
  sinfo || fail "the node is not idle after a minute: see $dir/slurmctld.log and $dir/slurmd.log"
  echo "export SLURM_CONF=$SLURM_CONF"
}

# MUNGE signs who somebody is, between the daemons and the commands. Its folders are root's alone.
start_munge() {
  (umask 077 && head -c 1024 /dev/urandom >"$dir/munge/key")
  munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" \
    --pid-file="$dir/munge/pid" --log-file="$dir/munge/log" --seed-file="$dir/munge/seed" ||
    fail "munged does not start: see $dir/munge/log"
}

write_configuration() {
  local megabytes=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' /proc/meminfo) / 1024 * 9 / 10))
  cat >"$dir/slurm.conf" <<END
ClusterName=one
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$CONTROLLER_PORT
SlurmdPort=$NODE_PORT
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
StateSaveLocation=$dir/controller
SlurmdSpoolDir=$dir/node
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
# No cgroups: processes are found by their parents, and are tied to no core.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
# Seconds: from TERM to KILL, and how long what is known of an ended job is kept.
KillWait=30
MinJobAge=3600
NodeName=here NodeAddr=127.0.0.1 NodeHostname=$(hostname -s) CPUs=$(nproc) RealMemory=$megabytes
PartitionName=all Nodes=here Default=YES MaxTime=INFINITE OverSubscribe=NO
END
}

stop() {
  if [ -f "$dir/slurm.conf" ]; then
    export SLURM_CONF=$dir/slurm.conf
    scancel --user="$(id -un)" 2>/dev/null || true
    for _ in $(seq 40); do # Jobs outlive the daemons.
      [ -n "$(squeue --noheader 2>/dev/null)" ] || break
      sleep 1
    done
  fi
  local pid_file
  for pid_file in "$dir"/slurmd.pid "$dir"/slurmctld.pid "$dir"/munge/pid; do
    [ -f "$pid_file" ] && kill "$(cat "$pid_file")" 2>/dev/null || true
  done
}

[ $# = 2 ] || fail "expected start DIR, or stop DIR"
dir=$(realpath -m "$2")
case $1 in
  start) start ;;
  stop) stop ;;
  *) fail "$1: expected start or stop" ;;
esac
