/* Fence, publish, splice, head check and epoch of one session (design 3.3, 3.4, 3.7): two owners that crash and linger, a wire that
 * loses, repeats and reorders, one gateway, a failover that loses commits, a prune of old rows.
 *
 * Without options this is the design. Each option takes one guard away (README.md), and then an assertion fails.
 * An event is (epoch, seq, author); its author stands for its content: two owners never decide the same thing. */

#ifndef EVENTS
#define EVENTS 2 /* commits that are asked for */
#endif
#define SEQS (EVENTS + 1)
#define SLOTS 2 /* messages on the wire at once; what does not fit is lost */
#define CHECKS 1 /* head checks while things happen; one more at rest */

#define content(epoch, author) ((epoch) * 4 + (author))

/* The database. A row of the log that was pruned lives on in its fold: `log` keeps the content, `row` says whether the row is there. */
byte db_epoch = 1, db_timeline = 1; /* the one row of design 3.4 */
byte timeline = 1;                  /* of the server itself */
byte head;
byte log[SEQS];
bit row[SEQS];
byte asked;        /* inputs decided so far */
bit failed_over;
byte ever1[SEQS], ever2[SEQS]; /* what each position was ever committed with, by epoch; nobody reads it but the assertions */

/* The wire, for a gateway that has subscribed. */
bit subscribed;
byte on_wire_epoch[SLOTS], on_wire_seq[SLOTS], on_wire[SLOTS]; /* the last: content; 0: free */

inline publish(e, s, what) {
  if
  :: subscribed && on_wire[0] == 0 -> on_wire_epoch[0] = e; on_wire_seq[0] = s; on_wire[0] = what
  :: subscribed && on_wire[1] == 0 -> on_wire_epoch[1] = e; on_wire_seq[1] = s; on_wire[1] = what
  :: !subscribed -> skip
#ifdef CALM
  :: subscribed && on_wire[0] != 0 && on_wire[1] != 0 -> full_wire = 1
#else
  :: subscribed -> skip /* lost */
#endif
  fi
}

#ifdef CALM
bit full_wire; /* a calm wire loses nothing: a run in which it would have to is not looked at */
#endif

inline record(e, s, what) {
  if
  :: e == 1 -> assert(ever1[s] == 0 || ever1[s] == what); ever1[s] = what
  :: e == 2 -> assert(ever2[s] == 0 || ever2[s] == what); ever2[s] = what
  fi
}

proctype owner(byte me) {
  byte my_timeline, my_epoch, my_head, my_last, decided;
boot:
  my_epoch = 0;
connect:
  atomic {
    decided = 0;
    my_timeline = timeline;
    if
    :: db_timeline != timeline -> db_timeline = timeline; db_epoch++
    :: db_timeline == timeline -> skip
#ifdef TIMELINE_FROM_CHECKPOINT
    :: db_timeline != timeline -> skip /* the checkpoint lags the promotion */
#endif
    fi;
    /* What is remembered outlives a connection, but no change of epoch. */
#ifdef OWNER_IGNORES_EPOCH
    if
    :: my_epoch != 0 -> my_epoch = db_epoch; goto end
    :: else -> my_epoch = db_epoch
    fi
#else
    if
    :: my_epoch == db_epoch -> goto end
    :: else -> my_epoch = db_epoch
    fi
#endif
  };
load:
  atomic { my_head = head; my_last = (head == 0 -> 0 : log[head]); decided = 0 };
end:
  do
  :: my_timeline != timeline -> goto connect /* its server is gone */
  :: decided == 0 && asked < EVENTS && my_head + 1 < SEQS ->
     atomic {
       decided = content(my_epoch, me);
#ifdef PUBLISH_BEFORE_COMMIT
       publish(my_epoch, my_head + 1, decided)
#endif
     }
  :: decided != 0 -> /* one transaction */
     atomic {
       if
       :: my_timeline != timeline -> goto connect
       :: else -> skip
       fi;
#ifdef PRIMARY_KEY_FENCE
       if
       :: row[my_head + 1] -> goto load
       :: else -> skip
       fi;
#else
       if
       :: my_epoch != db_epoch -> goto connect
       :: else -> skip
       fi;
       if
       :: head != my_head -> goto load /* stale: decide again */
       :: else -> skip
       fi;
#endif
       if
       :: asked == EVENTS -> goto load
       :: else -> asked++
       fi;
       assert(my_head == 0 || log[my_head] == my_last); /* what is written was decided on what is stored */
       record(my_epoch, my_head + 1, decided);
       my_head++;
       head = my_head;
       log[my_head] = decided;
       row[my_head] = 1;
       my_last = decided
     };
     if
     :: atomic { 
#ifndef PUBLISH_BEFORE_COMMIT
          publish(my_epoch, my_head, my_last);
#endif
          decided = 0 }
#ifndef CALM
     :: goto boot /* dies between commit and publish */
#endif
     fi
#ifndef CALM
  :: decided != 0 -> goto boot /* dies before it commits */
#endif
  od
}

/* A standby is promoted that has not received the last commits. */
proctype failover() {
  byte s;
end:
  atomic {
    head > 0;
    failed_over = 1;
    timeline = 2;
    if
    :: skip
    :: head--
    fi;
    s = head + 1;
    do
    :: s < SEQS -> log[s] = 0; row[s] = 0; s++
    :: else -> break
    od
  }
}

/* Folded rows go away. */
proctype prune() {
end:
  atomic {
    head > 0;
    row[1] = 0
  }
}

byte view[SEQS]; /* what the viewer shows, by seq */
byte held_epoch, held;

inline display(s, what) {
  /* G1: what is shown has been committed, at that position. */
  assert((held_epoch == 1 && ever1[s] == what) || (held_epoch == 2 && ever2[s] == what) ||
         (held_epoch == 2 && ever1[s] == what)); /* an event keeps the epoch it was written in */
  view[s] = what
}

/* A full state replaces everything. Called within an atomic step. */
inline take_state(e, h) {
  held_epoch = e;
  held = h;
  i = 1;
  do
  :: i < SEQS ->
     if
     :: i <= h -> display(i, copy[i])
     :: else -> view[i] = 0
     fi;
     i++
  :: else -> break
  od;
  i = 0
}

proctype gateway() {
  byte i, e, s, what;
  byte read_epoch, read_head, copy[SEQS];
  byte check_epoch, check_head, sent_epoch, sent_held, checks;
  bit want_read = 1, reading, answered, checking, checked, repeated;

#ifdef SNAPSHOT_BEFORE_SUBSCRIBING
  /* The snapshot is read, and only then the subscription made. */
  atomic { read_epoch = db_epoch; read_head = head; i = 1; do :: i < SEQS -> copy[i] = log[i]; i++ :: else -> break od; i = 0 };
  atomic { take_state(read_epoch, read_head); want_read = 0 };
#endif
  subscribed = 1;
  do
  :: want_read && !reading -> reading = 1; want_read = 0
  :: reading && !answered ->
#ifdef SNAPSHOT_IN_TWO_STATEMENTS
     atomic { i = 1; do :: i < SEQS -> copy[i] = log[i]; i++ :: else -> break od; i = 0 };
     atomic { read_epoch = db_epoch; read_head = head };
#else
     atomic { read_epoch = db_epoch; read_head = head; i = 1; do :: i < SEQS -> copy[i] = log[i]; i++ :: else -> break od; i = 0 };
#endif
     answered = 1
  :: answered ->
     atomic {
       /* A read that is older than what is shown changes nothing: the events in between have been shown. */
       if
       :: read_epoch > held_epoch || (read_epoch == held_epoch && (read_head >= held || want_read)) ->
          take_state(read_epoch, read_head)
       :: else -> skip
       fi;
       answered = 0; reading = 0; want_read = 0
     }

  /* A message is delivered: any of those on the wire, perhaps twice. While a snapshot is read they wait in the subscription. */
#ifdef SPLICE_WITHOUT_BUFFER
  :: atomic { reading && on_wire[0] != 0 -> on_wire[0] = 0 }
  :: atomic { reading && on_wire[1] != 0 -> on_wire[1] = 0 }
#endif
  :: atomic {
       !reading && !want_read && (on_wire[0] != 0 || on_wire[1] != 0) ->
       if
       :: on_wire[0] != 0 -> i = 0
       :: on_wire[1] != 0 -> i = 1
       fi;
       e = on_wire_epoch[i]; s = on_wire_seq[i]; what = on_wire[i];
       if
       :: on_wire[i] = 0; on_wire_epoch[i] = 0; on_wire_seq[i] = 0
#ifndef CALM
       :: !repeated -> repeated = 1
#endif
       fi;
       i = 0;
       if
#ifdef GATEWAY_IGNORES_EPOCH
       :: s > held + 1 -> want_read = 1
       :: s == held + 1 -> view[s] = what; held = s
       :: s <= held -> skip
#else
       :: e > held_epoch -> want_read = 1
       :: e < held_epoch -> skip
       :: e == held_epoch && s > held + 1 -> want_read = 1 /* a hole */
       :: e == held_epoch && s == held + 1 -> display(s, what); held = s
       :: e == held_epoch && s <= held -> skip
#endif
       fi;
       e = 0; s = 0; what = 0
     }

#ifndef NO_HEAD_CHECK
  /* A head check: asked, read by any replica, answered, each at its own time. */
  :: atomic { !checking && !want_read && !reading && held_epoch > 0 && checks < CHECKS ->
       checking = 1; checks++; sent_epoch = held_epoch; sent_held = held }
  :: atomic { checking && !checked -> check_epoch = db_epoch; check_head = head; checked = 1 }
  :: atomic {
       checked ->
       if
       :: check_epoch > held_epoch -> want_read = 1
#ifdef BEHIND_THE_PRESENT
       :: check_epoch == held_epoch && check_head < held ->
#else
       :: check_epoch == held_epoch && check_epoch == sent_epoch && check_head < sent_held ->
#endif
          assert(failed_over); /* nobody is reset without a cause */
          want_read = 1; held_epoch = 0 /* whatever the next read says is the truth */
       :: check_epoch == held_epoch && check_head > held -> want_read = 1
       :: else -> skip
       fi;
       checking = 0; checked = 0; check_epoch = 0; check_head = 0; sent_epoch = 0; sent_held = 0
     }
#endif

  :: timeout ->
     /* At rest: nobody does anything any more. There is always one more head check. */
     atomic {
#ifndef NO_HEAD_CHECK
       if
#ifdef GATEWAY_IGNORES_EPOCH
       :: head != held ->
#else
       :: db_epoch != held_epoch || head != held ->
#endif
          i = 1; do :: i < SEQS -> copy[i] = log[i]; i++ :: else -> break od; i = 0;
          take_state(db_epoch, head)
       :: else -> skip
       fi;
#endif
#ifdef CALM
       if
       :: full_wire -> goto done
       :: else -> skip
       fi;
#endif
       /* G4: the viewer shows what is stored. */
       assert(held == head);
       i = 1;
       do
       :: i < SEQS -> assert((i > head && view[i] == 0) || (i <= head && view[i] == log[i])); i++
       :: else -> break
       od;
       goto done
     }
  od;
done:
  skip
}

init {
  atomic {
    run owner(1);
    run owner(2);
#ifndef OWNERS_ONLY
    run gateway();
#endif
#ifndef CALM
    run failover();
#endif
    run prune()
  }
}
