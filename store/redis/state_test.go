package redis

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// atFirst is a master with 1,000 lasting keys, as it was when it was opened.
func atFirst() state {
	return state{
		runID: "run", history: "A", before: none, policy: "noeviction",
		flushAll: 2, flushDB: 2, swapDB: 2, keys: 1100, lasting: 1000, expired: 7, evicted: 7,
	}
}

func replicaAtFirst() state {
	s := atFirst()
	s.replica, s.master, s.offset = true, "master:6379", 100
	return s
}

// none is what master_replid2 says where there is no earlier history.
var none = strings.Repeat("0", 40)

func TestWhatTellsThatDataAreOthers(t *testing.T) {
	tests := map[string]struct {
		was      state
		change   func(now *state)
		evidence evidence
		want     string
	}{
		"nothing happened":                        {atFirst(), func(*state) {}, evidence{}, ""},
		"FLUSHALL":                                {atFirst(), func(s *state) { s.flushAll++ }, evidence{}, "FLUSHALL ran once"},
		"FLUSHALL, counted anew":                  {atFirst(), func(s *state) { s.flushAll = 1 }, evidence{}, "FLUSHALL ran once"},
		"CONFIG RESETSTAT alone":                  {atFirst(), func(s *state) { s.flushAll, s.flushDB, s.swapDB, s.evicted = 0, 0, 0, 0 }, evidence{}, ""},
		"none is left":                            {atFirst(), func(s *state) { s.keys, s.lasting = 0, 0 }, evidence{}, "it held 1100 keys at the start, and holds none now"},
		"there was none":                          {state{history: "A"}, func(*state) {}, evidence{}, ""},
		"SWAPDB and back":                         {atFirst(), func(s *state) { s.swapDB += 2 }, evidence{}, "SWAPDB ran 2 times"},
		"FLUSHDB of another database":             {atFirst(), func(s *state) { s.flushDB++ }, evidence{witnesses: 32}, ""},
		"FLUSHDB, a tenth is missing":             {atFirst(), func(s *state) { s.flushDB++ }, evidence{fewest: 900}, "FLUSHDB ran once"},
		"FLUSHDB, less than a tenth is missing":   {atFirst(), func(s *state) { s.flushDB++ }, evidence{fewest: 901}, ""},
		"FLUSHDB, one of the first keys is gone":  {atFirst(), func(s *state) { s.flushDB++ }, evidence{witnesses: 8, missing: 1, gone: 16}, ""},
		"FLUSHDB, a tenth of them is gone":        {atFirst(), func(s *state) { s.flushDB++ }, evidence{witnesses: 20, missing: 2}, "FLUSHDB ran once"},
		"FLUSHDB, keys that a scan named are not": {atFirst(), func(s *state) { s.flushDB++ }, evidence{gone: 17}, "FLUSHDB ran once"},
		"a master with another history":           {atFirst(), func(s *state) { s.history = "B" }, evidence{}, ""},
		"a master whose backlog was freed": {
			func() state { s := atFirst(); s.before = "Z"; return s }(),
			func(s *state) { s.history, s.before = "B", none }, evidence{}, ""},
		"a master that is a replica": {
			atFirst(), func(s *state) { s.replica, s.master = true, "other:6379" }, evidence{}, "it became a replica of other:6379"},
		"a master that was a replica in between": {
			atFirst(), func(s *state) { s.history, s.before = "C", "B" }, evidence{}, "it was a replica in between"},
		"a replica that goes on":                       {replicaAtFirst(), func(s *state) { s.offset = 200 }, evidence{}, ""},
		"a replica whose master failed over":           {replicaAtFirst(), func(s *state) { s.history, s.before, s.offset = "B", "A", 200 }, evidence{}, ""},
		"a replica that took all anew":                 {replicaAtFirst(), func(s *state) { s.history = "B" }, evidence{}, "as a replica, it took all its data anew from master:6379"},
		"a replica that took all anew from an old one": {replicaAtFirst(), func(s *state) { s.offset = 99 }, evidence{}, "as a replica, it took all its data anew from master:6379"},
		"a replica that took all anew in one history": {
			replicaAtFirst(), func(s *state) { s.offset, s.begun = 300, 250 }, evidence{}, "as a replica, it took all its data anew from master:6379"},
		"a replica with a new backlog that goes on": {replicaAtFirst(), func(s *state) { s.offset, s.begun = 300, 101 }, evidence{}, ""},
		"a replica that was promoted": {
			replicaAtFirst(), func(s *state) { s.replica, s.history, s.before = false, "B", "A" }, evidence{}, ""},
		"a replica that was promoted, its backlog freed": {
			replicaAtFirst(), func(s *state) { s.replica, s.history, s.before = false, "C", none }, evidence{}, ""},
		"a replica that took all anew and was promoted": {
			replicaAtFirst(), func(s *state) { s.replica, s.history, s.before = false, "C", "B" }, evidence{},
			"as a replica, it took all its data anew before it was made a master"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			now := test.was
			test.change(&now)
			if test.evidence.fewest == 0 {
				test.evidence.fewest = math.MaxInt64
			}
			if got := test.was.replaced(now, test.evidence); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestWhatMoreIsLostThanAServerInUseLoses(t *testing.T) {
	tests := map[string]struct {
		change   func(was, now *state)
		evidence evidence
		want     string // "error", "told" or nothing
	}{
		"nothing happened":                        {func(_, _ *state) {}, evidence{fewest: 1000, witnesses: 32}, ""},
		"it grew":                                 {func(_, now *state) { now.lasting = 5000 }, evidence{fewest: 1000}, ""},
		"half, in between":                        {func(_, _ *state) {}, evidence{fewest: 500}, "error"},
		"nearly half":                             {func(_, _ *state) {}, evidence{fewest: 501}, "told"},
		"a tenth":                                 {func(_, _ *state) {}, evidence{fewest: 900}, "told"},
		"nearly a tenth":                          {func(_, _ *state) {}, evidence{fewest: 901}, ""},
		"a few keys are told of":                  {func(was, _ *state) { was.lasting = 20 }, evidence{fewest: 4}, "told"},
		"more than a few are":                     {func(was, _ *state) { was.lasting = 20 }, evidence{fewest: 3}, "error"},
		"there was none":                          {func(was, now *state) { was.keys, was.lasting, now.keys = 0, 0, 0 }, evidence{fewest: 0}, ""},
		"half of the witnesses":                   {func(_, _ *state) {}, evidence{fewest: 1000, witnesses: 30, missing: 15}, "error"},
		"a tenth of them":                         {func(_, _ *state) {}, evidence{fewest: 1000, witnesses: 30, missing: 3}, "told"},
		"less of them":                            {func(_, _ *state) {}, evidence{fewest: 1000, witnesses: 30, missing: 2}, ""},
		"half of a few witnesses":                 {func(_, _ *state) {}, evidence{fewest: 1000, witnesses: 7, missing: 6}, "told"},
		"all of four":                             {func(_, _ *state) {}, evidence{fewest: 1000, witnesses: 4, missing: 4}, "error"},
		"all of three":                            {func(_, _ *state) {}, evidence{fewest: 1000, witnesses: 3, missing: 3}, "told"},
		"eviction of any key":                     {func(was, now *state) { was.policy, now.policy = "allkeys-lru", "allkeys-lru"; now.evicted++ }, evidence{fewest: 1000}, "error"},
		"eviction, switched on meanwhile":         {func(_, now *state) { now.policy = "allkeys-lru"; now.evicted++ }, evidence{fewest: 1000}, "error"},
		"eviction, switched off meanwhile":        {func(was, now *state) { was.policy = "allkeys-lru"; now.evicted++ }, evidence{fewest: 1000}, "error"},
		"eviction, switched on and off meanwhile": {func(_, now *state) { now.evicted++ }, evidence{fewest: 1000}, "error"},
		"eviction, counted anew":                  {func(was, now *state) { was.policy, now.policy = "allkeys-lru", "allkeys-lru"; now.evicted = 1 }, evidence{fewest: 1000}, "error"},
		"eviction before the run":                 {func(was, now *state) { was.policy, now.policy = "allkeys-lru", "allkeys-lru" }, evidence{fewest: 1000}, ""},
		"eviction of keys with an end":            {func(was, now *state) { was.policy, now.policy = "volatile-lru", "volatile-lru"; now.evicted++ }, evidence{fewest: 1000}, "told"},
		"keys that expire":                        {func(_, now *state) { now.keys, now.expired = 1000, 107 }, evidence{fewest: 1000}, "told"},
		"FLUSHDB of another database":             {func(_, now *state) { now.flushDB++ }, evidence{fewest: 1000, witnesses: 32}, "told"},
		"a replica without its master":            {func(was, now *state) { was.replica, now.replica = true, true; now.linkDown = time.Second }, evidence{fewest: 1000}, "told"},
		"a replica that was without one":          {func(was, now *state) { was.replica, now.replica = true, true; was.linkDown, now.linkDown = 1, 2 }, evidence{fewest: 1000}, ""},
		"a replica that was promoted":             {func(was, _ *state) { was.replica = true }, evidence{fewest: 1000}, "told"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			was, now := atFirst(), atFirst()
			test.change(&was, &now)
			lost, remarks := was.lost(now, test.evidence), was.remarks(now, test.evidence)
			got := ""
			switch {
			case lost != "":
				got = "error"
				if !strings.Contains(fmt.Sprint(remarks), lost) {
					t.Errorf("where it is allowed, nobody is told of %q: %q", lost, remarks)
				}
			case len(remarks) > 0:
				got = "told"
			}
			if got != test.want {
				t.Errorf("%q: %q, %q", got, lost, remarks)
			}
		})
	}
}

func TestTheWitnessesOfAKindSpeakForIt(t *testing.T) {
	var w witnesses
	for i := range 20 {
		w.add(fmt.Sprintf("lanyard_kv:%d", 1000000000000000000+i), mostWitnesses)
		w.add(fmt.Sprintf("lanyard_last_seen:%d", 1000000000000000000+i), mostWitnesses)
	}
	for _, key := range []string{"monitoring:job", "sess:1", "lanyard_kv:1000000000000000000"} {
		if w.add(key, mostWitnesses) {
			t.Errorf("%s is a witness", key)
		}
	}
	for _, test := range []struct{ kv, lastSeen, of, missing int }{{0, 0, 40, 0}, {20, 0, 20, 20}, {20, 20, 40, 40}, {1, 10, 20, 10}} {
		w.missing[record.KV], w.missing[record.LastSeen] = test.kv, test.lastSeen
		if of, missing := w.worst(); of != test.of || missing != test.missing {
			t.Errorf("%+v: %d of %d", test, missing, of)
		}
	}
}

func TestALaterRunRecallsWhatWasHeld(t *testing.T) {
	first, later := newNode(nil, "", undivided, state{lasting: 1000}), newNode(nil, "", undivided, state{lasting: 10})
	first.witnesses.add("lanyard_kv:1000000000000000000", mostWitnesses)
	first.witnesses.add("user_api_key:1000000000000000000", mostWitnesses)
	at, err := parsePosition(position{cursor: 7, claims: true, held: first.held()}.String())
	if err != nil || at.cursor != 7 || !at.claims {
		t.Fatalf("%+v, %v", at, err)
	}
	if err := later.recall(at.held); err != nil || later.first.lasting != 1000 || len(later.witnesses.list) != 1 {
		t.Errorf("%v: %+v %+v", err, later.first, later.witnesses.list)
	}
	for _, bad := range []string{"x", "x lanyard_kv:1"} {
		if later.recall(bad) == nil {
			t.Errorf("%q is recalled", bad)
		}
	}
}
