package redis

import (
	"fmt"
	"strings"
	"time"
)

// state is what INFO says of a server at one moment that tells whether its data are those of another moment.
type state struct {
	runID           string // of the process
	replica         bool
	master          string // of a replica, for people
	history, before string // master_replid and master_replid2: the history of writes, and the one that it continues
	offset          int64  // in that history
	begun           int64  // the offset at which the server has begun to remember it; zero where that was long ago
	loading         bool
	linkDown        time.Duration // how long a replica has been without its master; zero where it has one

	flushAll, flushDB, swapDB int64  // how often the commands ran
	policy                    string // maxmemory-policy
	evicted, expired          int64  // keys, of all databases
	keys, lasting             int64  // keys of the database that is read; of them, those without a time to live
}

func (f facts) state(db int) state {
	keys, expires := f.keyspace(db)
	s := state{
		runID: f["run_id"], replica: f["role"] == "slave", master: f["master_host"] + ":" + f["master_port"],
		history: f["master_replid"], before: f["master_replid2"], offset: f.number("master_repl_offset"),
		loading:  f["loading"] == "1" || f["async_loading"] == "1",
		flushAll: f.calls("flushall"), flushDB: f.calls("flushdb"), swapDB: f.calls("swapdb"),
		policy: f["maxmemory_policy"], evicted: f.number("evicted_keys"), expired: f.number("expired_keys"),
		keys: keys, lasting: keys - expires,
	}
	// A backlog that is not full yet was begun anew, as it is when all data are taken anew.
	if f.number("repl_backlog_histlen") < f.number("repl_backlog_size") {
		s.begun = f.number("repl_backlog_first_byte_offset")
	}
	if s.replica && f["master_link_status"] != "up" {
		s.linkDown = time.Duration(max(f.number("master_link_down_since_seconds"), 1)) * time.Second
	}
	return s
}

// sparing reports whether the server removed no keys but those with a time to live when its memory was full, as far as the
// policies at two moments tell.
func sparing(was, now state) bool {
	return strings.HasPrefix(was.policy, "volatile-") && strings.HasPrefix(now.policy, "volatile-")
}

// evidence is what was seen of a server's data between two states.
type evidence struct {
	fewest             int64 // lasting keys, at any page
	gone               int64 // keys that a scan named and that were not there when they were looked at
	witnesses, missing int   // some keys that were there; of them, those that are not there any more
}

// A server that is in use loses keys. What is more than that is told, or an error; a few keys say nothing, nor do a few
// witnesses.
const (
	fewKeys       = 16
	fewWitnesses  = 8
	allWitnesses  = 4 // say something where none of them is there any more
	toldPercent   = 10
	refusePercent = 50
	manyPercent   = 25 // of a page, where a page of as many keys as refusePercent says is missing in several
)

// succeeded returns by which other server's data those of an earlier state were replaced, and nothing where they were not.
func (was state) succeeded(now state) string {
	switch {
	case now.replica && !was.replica:
		return "it became a replica of " + now.master
	case now.replica && was.history != now.history && now.before != was.history,
		now.replica && was.history == now.history && (now.offset < was.offset || now.begun > was.offset+1):
		return "as a replica, it took all its data anew from " + now.master
	case was.replica && !now.replica && now.before != was.history && strings.Trim(now.before, "0") != "":
		return "as a replica, it took all its data anew before it was made a master"
	case !now.replica && !was.replica && now.before != was.before && strings.Trim(now.before, "0") != "":
		return "it was a replica in between"
	}
	return ""
}

// replaced returns why the data are not those of an earlier state, and nothing where they are.
func (was state) replaced(now state, e evidence) string {
	if why := was.succeeded(now); why != "" {
		return why
	}
	if n := ran(was.flushAll, now.flushAll); n > 0 {
		return "FLUSHALL ran " + times(n)
	}
	if was.keys > 0 && now.keys == 0 {
		return fmt.Sprintf("it held %d keys at the start, and holds none now", was.keys)
	}
	if n := ran(was.swapDB, now.swapDB); n > 0 {
		return "SWAPDB ran " + times(n)
	}
	if n := ran(was.flushDB, now.flushDB); n > 0 && (e.gone > fewKeys || e.missing > 1 && e.missed(toldPercent) || was.percentLost(e) >= toldPercent) {
		return "FLUSHDB ran " + times(n)
	}
	return ""
}

// ran returns how often a command ran between two counts of it. The server may have begun to count anew.
func ran(was, now int64) int64 {
	if now < was {
		return now
	}
	return now - was
}

func times(n int64) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func (was state) percentLost(e evidence) int64 {
	if e.fewest >= was.lasting {
		return 0
	}
	return (was.lasting - e.fewest) * 100 / was.lasting
}

// fewLeft reports whether so many keys are gone that it is an error.
func (was state) fewLeft(e evidence) bool {
	return was.lasting-e.fewest > fewKeys && was.percentLost(e) >= refusePercent
}

// missed reports whether that share of the witnesses is missing.
func (e evidence) missed(percent int) bool {
	return e.missing > 0 && e.missing*100 >= e.witnesses*percent
}

// lost returns in which way the server lost more than one in use loses, and nothing where it did not.
func (was state) lost(now state, e evidence) string {
	switch {
	case was.fewLeft(e):
		return fmt.Sprintf("it held %d keys without a time to live at the start, and %d in between or now", was.lasting, e.fewest)
	case e.witnesses >= fewWitnesses && e.missed(refusePercent), e.witnesses >= allWitnesses && e.missed(100):
		return fmt.Sprintf("of %d keys of Lanyard's that were there, %d are not there any more", e.witnesses, e.missing)
	case !sparing(was, now) && ran(was.evicted, now.evicted) > 0:
		return fmt.Sprintf("it removed %d keys, since its memory was full (maxmemory-policy is %s now)", ran(was.evicted, now.evicted), now.policy)
	}
	return ""
}

// remarks returns what a person should know of what happened between the states.
func (was state) remarks(now state, e evidence) []string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if lost := was.lost(now, e); lost != "" {
		add("lost keys during the run: %s", lost)
	} else if e.missed(toldPercent) {
		add("lost keys during the run: of %d of Lanyard's that were there, %d are not there any more", e.witnesses, e.missing)
	} else if percent := was.percentLost(e); percent >= toldPercent {
		add("lost %d %% of its keys without a time to live during the run: it held %d at the start, and %d in between or now", percent, was.lasting, e.fewest)
	}
	if n := ran(was.evicted, now.evicted); n > 0 && sparing(was, now) {
		add("removed %d keys with a time to live during the run, since its memory was full (maxmemory-policy %s)", n, now.policy)
	}
	if n := ran(was.expired, now.expired); n > 0 && was.keys > was.lasting {
		add("let %d keys expire during the run", n)
	}
	if n := ran(was.flushDB, now.flushDB); n > 0 {
		add("ran FLUSHDB %s during the run, on another database as it seems: no key that was read is missing", times(n))
	}
	if was.replica && !now.replica {
		add("was made a master during the run: what its old master had not sent it is not in what was read")
	}
	if now.linkDown > 0 && was.linkDown == 0 {
		add("lost its master during the run (%s ago)", now.linkDown)
	}
	return list
}
