# What operators and hosts say to each other: requests in the topic <app>.admin, replies in
# <app>.admin.replies. Each record's key is the request's id. docs/reference/admin.md tells the rules.
#
# Only grows: new fields and new members of the unions go to the end, with new numbers.
@0xd3a86f10b2c94e57;

using Kappa = import "/kappa/kappa.capnp";
$Kappa.namespace("kappa::admin");

struct Request {
  id @0 :Text;
  # Chosen by the sender, and in all replies. The record's key is the same.
  deadline @1 :Int64 $Kappa.timestamp;
  # After it nobody waits: what has not begun by then is not done. 1970: none.
  union {
    status @2 :StatusRequest;
    get @3 :GetRequest;
    replay @4 :ReplayRequest;
  }
}

struct StatusRequest {
  # Stages, tasks, and how they are: one reply.
  stage @0 :Text;
  # Only this one; empty: all.
}

struct GetRequest {
  # The state under a key: one reply.
  stage @0 :Text;
  key @1 :Text;
  # As text, as in GET /state/{stage}/{key}.
  window @2 :Text;
  # Of windowed stages: its start, 2001-01-01T08:00:00Z; empty: all windows of the key.
  level @3 :Level;
}

enum Level {
  committed @0;
  # Only what is durable.
  latest @1;
}

struct ReplayRequest {
  # Erases the stage's state and builds it again from the log, without output: a reply when it was
  # accepted, some while it goes on, and one when it is done. Refused when it could not be built again.
  stage @0 :Text;
  partition @1 :Int32 = -1;
  # Only this one; -1: all.
  order @2 :UInt32;
  # Where several processes run the app (Kafka): one more than the last that the tasks' positions tell of. It may be
  # asked for again: a task that has this order, or a later one, lets it pass. What is accepted, and done, is in the
  # positions; a reply is a refusal.
}

struct Reply {
  id @0 :Text;
  # The request's.
  instance @1 :Text;
  # Who answers: "pid 4711 on host".
  time @2 :Int64 $Kappa.timestamp;
  last @3 :Bool;
  # No other reply to this request follows.
  union {
    problem @4 :Problem;
    status @5 :Status;
    found @6 :Found;
    replay @7 :ReplayProgress;
  }
  process @8 :Text;
  # Where several processes run the app: which one answers, as the log tells them apart.
}

struct Problem {
  code @0 :UInt16;
  # kappa::errc
  kind @1 :Text;
  # The code in words.
  subject @2 :Text;
  message @3 :Text;
}

struct Status {
  app @0 :Text;
  instance @1 :Text;
  log @2 :Text;
  logId @3 :Text;
  started @4 :Int64 $Kappa.timestamp;
  stages @5 :List(StageStatus);
  failed @6 :Bool;
  failure @7 :Problem;
  # What keeps the host from going on.
  processes @8 :List(ProcessStatus);
  # Where several run the app; filled in by who has asked them all.
}

struct ProcessStatus {
  id @0 :Text;
  # As the log tells them apart.
  instance @1 :Text;
  # "pid 4711 on 10.0.0.7"
  answers @2 :Bool;
  # False: it did not in time. What follows is not known then.
  started @3 :Int64 $Kappa.timestamp;
  failed @4 :Bool;
  failure @5 :Problem;
}

struct StageStatus {
  name @0 :Text;
  generation @1 :Int32;
  source @2 :Bool;
  # Reads a file or a broker, not the log.
  keyed @3 :Bool;
  # Keeps keyed state: get and replay are for these.
  windowed @4 :Bool;
  tasks @5 :List(TaskStatus);
}

enum Health {
  starting @0;
  running @1;
  backingOff @2;
  quarantined @3;
  finished @4;
  stopped @5;
  elsewhere @6;  # another process has it
  unanswered @7;  # the process that has it did not answer: as the log has it
  unowned @8;  # no process has it at the moment: as the log has it
}

enum Phase {
  replaying @0;
  live @1;
  finished @2;
}

struct TaskStatus {
  partition @0 :Int32;
  health @1 :Health;
  phase @2 :Phase;
  inputs @3 :List(InputStatus);
  recordsIn @4 :UInt64;
  # Since the task was opened, replay left out.
  recordsOut @5 :UInt64;
  deadLetters @6 :UInt64;
  lateRecords @7 :UInt64;
  lag @8 :UInt64;
  # Offsets not yet processed, of all inputs; of a source: bytes.
  watermark @9 :Int64 $Kappa.timestamp;
  # 1970: none yet.
  epoch @10 :UInt64;
  lastSnapshot @11 :Int64 $Kappa.timestamp;
  # 1970: none since the task was opened.
  stateFileBytes @12 :UInt64;
  stateUsedBytes @13 :UInt64;
  stateEntries @14 :UInt64;
  # As of the last snapshot.
  dirtyBytes @15 :UInt64;
  cacheBytes @16 :UInt64;
  replayed @17 :UInt64;
  # Records replayed without output, of replayTotal offsets.
  replayTotal @18 :UInt64;
  failures @19 :Int32;
  # In a row.
  lastError @20 :Text;
  instance @21 :Text;
  # Where several processes run the app: which one has it; empty: none.
}

struct InputStatus {
  topic @0 :Text;
  next @1 :Int64;
  # Offset of the next record to be processed.
  lag @2 :UInt64;
}

struct Found {
  stage @0 :Text;
  key @1 :Text;
  windowed @2 :Bool;
  entries @3 :List(FoundEntry);
  # None: no state under this key.
  stale @4 :Bool;
  # The task is replaying: this may be older than what was answered before.
  asOf @5 :List(InputPosition);
}

struct FoundEntry {
  window @0 :Int64 $Kappa.timestamp;
  # Its start, of windowed stages.
  value @1 :Text;
  # JSON.
}

struct InputPosition {
  topic @0 :Text;
  next @1 :Int64;
  partition @2 :Int32 = -1;
  # -1: an older host that does not tell.
}

enum ReplayState {
  accepted @0;
  # The request is noted down: from here on it will be carried out, over crashes too.
  replaying @1;
  done @2;
  asked @3;
  # Where several processes run the app: not all tasks have accepted it yet.
}

struct ReplayProgress {
  stage @0 :Text;
  state @1 :ReplayState;
  tasks @2 :List(TaskReplay);
  done @3 :UInt64;
  # Records replayed, of `total` offsets, in all tasks.
  total @4 :UInt64;
  secondsLeft @5 :Float64 = -1;
  # By how fast it went so far; -1: not known yet.
}

struct TaskReplay {
  partition @0 :Int32;
  state @1 :TaskReplayState;
  done @2 :UInt64;
  total @3 :UInt64;
  secondsLeft @4 :Float64 = -1;
}

enum TaskReplayState {
  waiting @0;
  # Its old state is still there.
  replaying @1;
  done @2;
  failed @3;
}
