package redis

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSlotsAreReadFromTheListOfNodes(t *testing.T) {
	const nodes = `a1 127.0.0.1:1@10001 myself,master - 0 0 1 connected 0-5460
b2 127.0.0.1:2@10002,host master - 0 1 2 connected 5461-10922 16383
c3 127.0.0.1:3@10003 slave a1 0 1 1 connected
d4 127.0.0.1:4@10004 master - 0 1 3 connected 10923-16382
`
	of := func(text, id string) share {
		t.Helper()
		s, err := shareOf(parseNodes(text), func(n clusterNode) bool { return n.id == id })
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	var all slotSet
	for _, id := range []string{"a1", "b2", "d4"} {
		s := of(nodes, id)
		if s.owner != id || all.and(s.slots).count() != 0 {
			t.Errorf("%s: %v", id, s)
		}
		all = all.or(s.slots)
	}
	if all != allSlots {
		t.Errorf("%d slots", all.count())
	}
	is := of(nodes, "a1")
	if n := is.slots.count(); n != 5461 || is.epoch != 1 || !is.slots.has(5460) || is.slots.has(5461) || is.moving.count() != 0 {
		t.Errorf("%d slots: %v", n, is)
	}
	if replica := of(nodes, "c3"); replica.owner != "a1" || replica.slots != is.slots || replica.epoch != is.epoch {
		t.Errorf("of a replica: %v", replica)
	}
	lines := strings.SplitAfter(nodes, "\n")
	if again := of(lines[3]+lines[1]+lines[0], "a1"); again != is {
		t.Errorf("the order of nodes matters: %v", again)
	}
	if ping := of(strings.ReplaceAll(nodes, " 0 1 ", " 5 6 "), "d4"); ping != of(nodes, "d4") {
		t.Errorf("the time of the last ping matters: %v", ping)
	}
	for _, mark := range []string{"[5460->-b2]", "[5461-<-b2]"} {
		if moving := of(strings.Replace(nodes, "0-5460", "0-5460 "+mark, 1), "a1"); moving.moving.count() != 1 || moving.slots != is.slots || moving.String() == is.String() {
			t.Errorf("%s: %v", mark, moving)
		}
	}
	if _, err := shareOf(parseNodes(nodes), func(n clusterNode) bool { return n.has("fail") }); err == nil {
		t.Error("a node that nobody knows has a share")
	}
}

func TestFactsTellWhatCanBeRead(t *testing.T) {
	f := parseFacts("# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.0.1\r\n\r\n# Keyspace\r\ndb0:keys=12,expires=3,avg_ttl=0\r\n")
	if name, version := f.server(); name != "Valkey" || version != "8.0.1" {
		t.Errorf("%s %s", name, version)
	}
	if keys, expires := f.keyspace(0); keys != 12 || expires != 3 {
		t.Errorf("%d keys, %d with a TTL", keys, expires)
	}
	if keys, _ := f.keyspace(1); keys != 0 {
		t.Errorf("%d keys in a database that is not there", keys)
	}
	if err := f.usable("x"); err != nil {
		t.Error(err)
	}
	for _, line := range []string{"redis_mode:sentinel", "loading:1"} {
		if parseFacts("redis_version:7.0.0\r\n"+line+"\r\n").usable("x") == nil {
			t.Errorf("%s is taken for usable", line)
		}
	}
}

func TestAPositionIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := position{cursor: rapid.Uint64().Draw(t, "cursor"), claims: rapid.Bool().Draw(t, "claims")}
		if rapid.Bool().Draw(t, "end") {
			want = position{end: true, claims: want.claims}
		}
		got, err := parsePosition(want.String())
		if err != nil || got != want {
			t.Fatalf("%+v became %q became %+v, error %v", want, want.String(), got, err)
		}
	})
	if start := (position{}).String(); start != "" {
		t.Errorf("the start is %q", start)
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, seed := range []string{"", "17", "end", "17+claims", "end+claims", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePosition(text)
		if err != nil {
			return
		}
		if again, err := parsePosition(p.String()); err != nil || again != p {
			t.Fatalf("%q became %+v, which became %+v, error %v", text, p, again, err)
		}
	})
}

func TestTheClocksOfServersAreCompared(t *testing.T) {
	asked := time.Unix(1_700_000_000, 0)
	for text, want := range map[string]time.Duration{
		"server_time_usec:1700000000000000\r\n": 0,
		"server_time_usec:1700000300000000\r\n": 5 * time.Minute,
		"server_time_usec:1699999700000000\r\n": -5 * time.Minute,
	} {
		if got := skew(t.Context(), nil, parseFacts(text), asked); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}
