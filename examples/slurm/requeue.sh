# Read by the job scripts beside it: a command that ends in time, and a job that goes on later.
#
# Slurm sends TERM to the script a minute before the time is over (--signal=B:TERM@60), or when the job is
# preempted. The command gets it, saves, and ends with 143. The job then goes back into the queue, and the
# same script goes on with what is left. After scancel it does not.

# A job that comes back more often than this makes no headway.
MOST_RESTARTS=${MOST_RESTARTS:-50}

# How the command is told; a script with srun says it otherwise. $1: its process.
tell_to_end() {
  kill -TERM "$1" 2>/dev/null
}

# Runs a command to its end and ends the script with its exit code.
run_or_requeue() {
  local code signals=0 seen ended_by_slurm=no
  "$@" &
  local child=$!
  trap 'signals=$((signals + 1)) ended_by_slurm=$(still_running); tell_to_end "$child"' TERM
  while
    seen=$signals code=0
    wait "$child" || code=$?
    [ "$signals" != "$seen" ] # A signal has ended the wait, not the command.
  do :; done
  trap - TERM
  if [ "$ended_by_slurm" = yes ] && [ "$code" = 143 ]; then requeue; fi
  exit "$code"
}

# A job that a person ends with scancel is completing by now.
still_running() {
  [ "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T)" = RUNNING ] && echo yes || echo no
}

requeue() {
  if [ "${SLURM_RESTART_COUNT:-0}" -ge "$MOST_RESTARTS" ]; then
    echo "restarted $SLURM_RESTART_COUNT times: not again; ask for more --time, and submit it anew" >&2
    return
  fi
  echo "the time is over: back into the queue" >&2
  # It ends this script too.
  scontrol requeue "$SLURM_JOB_ID" && sleep 60
}
