/* A refusal is as binding as an acknowledgement (design 3.5): two owners that both think the session is theirs, a sender that repeats
 * its request under one id, and a reason to refuse that can turn back (a full queue that empties).
 *
 * Without options this is the design. Each option takes one guard away (README.md), and then an assertion fails. */

#define NONE 0
#define ACCEPTED 1
#define REFUSED 2

/* The database: a version that every transaction compares and raises, the fact, and what was answered under the request's id. */
byte version = 1;
bit queue_is_full = 1;
byte stored = NONE;
bit applied;

/* Copies of the request under way to each owner, and answers under way to the sender. */
byte asked[2] = 0;
bit said_accepted, said_refused;

inline say(what) {
  if
  :: what == ACCEPTED -> said_accepted = 1
  :: what == REFUSED -> said_refused = 1
  fi
}

proctype owner(byte me) {
  byte my_version;
  bit my_queue_is_full;
load:
  atomic { my_version = version; my_queue_is_full = queue_is_full };
end:
  do
  :: asked[me] > 0 ->
     atomic {
       if
#ifdef REFUSAL_FROM_MEMORY
       :: my_queue_is_full -> asked[me]--; say(REFUSED)
       :: !my_queue_is_full && my_version != version -> goto load
       :: !my_queue_is_full && my_version == version ->
#else
       :: my_version != version -> goto load /* stale: decide again */
       :: else ->
#endif
          asked[me]--;
          if
          :: stored != NONE -> say(stored)
          :: stored == NONE && queue_is_full ->
#ifndef REFUSAL_DOES_NOT_FENCE
             version++; my_version = version; stored = REFUSED;
#endif
             say(REFUSED)
          :: stored == NONE && !queue_is_full ->
             version++; my_version = version; stored = ACCEPTED; applied = 1;
             say(ACCEPTED)
          fi
       fi
     }
  :: atomic { me == 1 && queue_is_full && my_version == version -> /* another input empties the queue */
       version++; my_version = version; queue_is_full = 0; my_queue_is_full = 0 }
  od
}

proctype sender() {
  byte attempts;
  bit lost;
  do
  :: attempts < 3 ->
     attempts++;
     if
     :: asked[0]++
     :: asked[1]++
     :: asked[0]++; asked[1]++ /* repeated on the way */
     fi
  :: attempts > 0 && said_refused ->
     if
     :: break
     :: !lost -> lost = 1; said_refused = 0
     fi
  :: attempts > 0 && said_accepted ->
     if
     :: break
     :: !lost -> lost = 1; said_accepted = 0
     fi
  :: timeout -> break /* nobody answered: the outcome is unknown, and it says so */
  od;
  /* Whatever else is still under way is answered; then: what was said is true, and stays so. */
  timeout;
  assert(!(said_refused && applied));
  assert(!(said_accepted && !applied));
  assert(!(said_accepted && said_refused))
}

init {
  atomic { run owner(0); run owner(1); run sender() }
}
