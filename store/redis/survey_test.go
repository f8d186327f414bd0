package redis_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

func survey(t *testing.T, s record.Surveyor, within time.Duration) record.Survey {
	t.Helper()
	all, err := s.Survey(t.Context(), record.SurveyOptions{Within: within})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// codes returns the faults of a server's as "code place detail".
func codes(faults []record.Fault) []string {
	var list []string
	for _, f := range faults {
		list = append(list, strings.TrimRight(fmt.Sprint(f.Code, " ", f.Place, " ", f.Detail), " "))
	}
	return list
}

func TestASurveyFindsWhatIsWrongWithKeys(t *testing.T) {
	const dave, erin = "500000000000000001", "500000000000000002"
	inEach(t, func(t *testing.T, w world) {
		fill(t, w.client,
			// Both layouts: alice's are the same but for what upstream's cannot hold, bob's and carol's differ, dave's cannot be read.
			cmd("HSET", "lanyard:user_kv:"+alice, "a", `"x"`, "n", "7"), cmd("HSET", "lanyard_kv:"+alice, "a", "x"),
			cmd("HSET", "lanyard:user_kv:"+bob, "a", `"x"`), cmd("HSET", "lanyard_kv:"+bob, "a", "x", "b", "y"),
			cmd("HSET", "lanyard:user_kv:"+carol, "a", `7`), cmd("HSET", "lanyard_kv:"+carol, "a", "7"),
			cmd("HSET", "lanyard:user_kv:"+dave, "a", "\xff"), cmd("HSET", "lanyard_kv:"+dave, "a", "7"),
			cmd("HSET", "lanyard_kv:"+erin, "a", "7"),
			// API keys: alice's fit, and there are two more; bob's is a half; carol's names another's; dave has a stray one alone.
			cmd("SET", "user_api_key:"+alice, oldKey), cmd("SET", "api_key:"+oldKey, alice), cmd("SET", "api_key:"+newKey, alice),
			cmd("SET", "api_key:"+otherKey, alice), cmd("SET", "user_api_key:"+bob, "gone"), cmd("SET", "user_api_key:"+carol, oldKey),
			cmd("SET", "api_key:stray", dave), cmd("SET", "api_key:foreign", "x"), cmd("RPUSH", "api_key:list", "x"),
			// Dates, types and times to live.
			cmd("SET", "lanyard_last_seen:"+alice, 1, "EX", 1000), cmd("SET", "lanyard:user_last_seen:"+alice, 1),
			cmd("RPUSH", "lanyard:user_last_seen:"+bob, 1), cmd("SET", "lanyard:user_kv:"+erin, "x"),
			cmd("SET", "monitoring:"+alice, 1), cmd("RPUSH", "monitoring:"+bob, 1), cmd("SET", "monitoring:cpu", 1),
			cmd("SET", "lanyard:user_monitoring_since:"+alice, 1), cmd("SET", "user_monitoring_since:"+alice, 1),
			cmd("HSET", "lanyard:metrics_v1", "a", 1, "b", 2), cmd("SET", "sess:1", "x"), cmd("SET", "lanyard_last_seen:x", "1"),
		)
		all := survey(t, w, 0)
		var faults []record.Fault
		for _, f := range all.Faults {
			if f.Code != record.NotKept {
				slices.Sort(f.Users)
				faults = append(faults, f)
			}
		}
		want := []record.Fault{
			{Code: record.LayoutsDiffer, Place: "lanyard:user_kv:", Count: 2, Users: []string{bob, carol}},
			{Code: record.Expires, Place: "lanyard_last_seen:", Count: 1, Users: []string{alice}},
			{Code: record.HalfAPIKey, Place: "user_api_key:", Count: 2, Users: []string{bob, carol}},
			{Code: record.StrayAPIKey, Place: "api_key:", Count: 2, Users: []string{dave, alice}},
			{Code: record.WrongTypes, Place: "lanyard:user_kv:", Count: 1, Users: []string{erin}},
			{Code: record.WrongTypes, Place: "lanyard:user_last_seen:", Count: 1, Users: []string{bob}},
		}
		for i := range want {
			slices.Sort(want[i].Users)
		}
		byName := func(a, b record.Fault) int { return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Place, b.Place)) }
		slices.SortFunc(want, byName)
		slices.SortFunc(faults, byName)
		if d := diff.Diff(want, faults); d != "" {
			t.Errorf("faults: -want +got:\n%s", d)
		}
		counts := []record.PlaceCount{
			{Place: "lanyard:user_kv:", Kind: record.KV, Count: 4}, {Place: "lanyard_kv:", Kind: record.KV, Count: 5},
			{Place: "lanyard:user_last_seen:", Kind: record.LastSeen, Count: 1}, {Place: "lanyard_last_seen:", Kind: record.LastSeen, Count: 1},
			{Place: "lanyard:user_monitoring_since:", Kind: record.MonitoringSince, Count: 1},
			{Place: "user_monitoring_since:", Kind: record.MonitoringSince, Count: 1}, {Place: "monitoring:", Kind: record.MonitoringSince, Count: 1},
			{Place: "user_api_key:", Kind: record.APIKeys, Count: 3}, {Place: "api_key:", Kind: record.APIKeys, Count: 4},
			{Place: "lanyard:metrics_v1", Kind: record.Metrics, Count: 2},
		}
		if d := diff.Diff(counts, all.Counts); d != "" {
			t.Errorf("counts: -want +got:\n%s", d)
		}
		if len(all.Unchecked) != 1 || !strings.Contains(all.Unchecked[0], "1 users") {
			t.Errorf("%q", all.Unchecked)
		}
	})
}

func TestASurveyWithoutTheTimeForAllKeysEstimates(t *testing.T) {
	const users = 30_000
	inEach(t, func(t *testing.T, w world) {
		var all [][]any
		for i := range users {
			id := 100000000000000000 + i
			all = append(all, cmd("SET", fmt.Sprint("lanyard_last_seen:", id), 1))
			if i%10 == 0 {
				all = append(all, cmd("SET", fmt.Sprint("user_api_key:", id), "gone"))
			}
		}
		fill(t, w.client, all...)
		got := survey(t, w, time.Nanosecond)
		within := func(what string, n int64, estimated bool, want int64) {
			if n < want*7/10 || n > want*13/10 || !estimated {
				t.Errorf("%s: %d (estimated: %v), and there are %d", what, n, estimated, want)
			}
		}
		within("dates", got.Counts[0].Count, got.Counts[0].Estimated, users)
		half := slices.IndexFunc(got.Faults, func(f record.Fault) bool { return f.Code == record.HalfAPIKey })
		within("halves", got.Faults[half].Count, got.Faults[half].Estimated, users/10)
		if n := len(got.Faults[half].Users); n != record.MostNamed || len(got.Unchecked) != 1 {
			t.Errorf("%d users named, unchecked: %q", n, got.Unchecked)
		}
		exact := survey(t, w, 0)
		if c := exact.Counts[0]; c.Count != users || c.Estimated || len(exact.Unchecked) != 0 {
			t.Errorf("with time: %+v, unchecked: %q", c, exact.Unchecked)
		}
	})
}

func TestASurveyTellsOfTheServers(t *testing.T) {
	master := redisserver.Start(t, "--save", "3600 1", "--appendonly", "yes")
	host, port, _ := strings.Cut(master.Addr, ":")
	replica := redisserver.Start(t, "--replicaof", host+" "+port)
	orphan := redisserver.Start(t, "--replicaof", "127.0.0.1 1")
	failing := redisserver.Start(t, "--dir", "/proc", "--save", "3600 1")
	failing.Do("BGSAVE")
	evicting := redisserver.Start(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	shy := redisserver.Start(t)
	shy.Do("ACL", "SETUSER", "reader", "on", ">"+password, "~*", "+@all", "-config", "-ping")
	waitUntil(t, "the replica is connected, and a save has failed", func() bool {
		return strings.Contains(fmt.Sprint(master.Do("INFO", "replication")), "lag=") &&
			strings.Contains(fmt.Sprint(replica.Do("INFO", "replication")), "master_link_status:up") &&
			strings.Contains(fmt.Sprint(failing.Do("INFO", "persistence")), "rdb_last_bgsave_status:err")
	})
	for name, tc := range map[string]struct {
		uri, addr   string
		role, keeps string
		lag         bool
		faults      []string
		unchecked   int
	}{
		"a master": {uri: master.URI, addr: master.Addr, role: "master", lag: true,
			keeps: "append-only file, fsync everysec, and snapshots (save 3600 1)"},
		"a replica": {uri: replica.URI, addr: replica.Addr, role: "replica", keeps: "in memory alone", lag: true,
			faults: []string{"read-only " + replica.Addr + " " + master.Addr}},
		"a replica without its master": {uri: orphan.URI, addr: orphan.Addr, role: "replica", keeps: "in memory alone",
			faults: []string{"read-only " + orphan.Addr + " 127.0.0.1:1", "link-down"}},
		"a server that cannot save": {uri: failing.URI, addr: failing.Addr, role: "master", keeps: "snapshots (save 3600 1)",
			faults: []string{"save-fails " + failing.Addr + " the last snapshot"}},
		"a server that removes keys": {uri: evicting.URI, addr: evicting.Addr, role: "master", keeps: "in memory alone",
			faults: []string{"not-kept " + evicting.Addr, "evicts " + evicting.Addr + " allkeys-lru"}},
		"a user without rights": {uri: "redis://reader:" + password + "@" + shy.Addr, addr: shy.Addr, role: "master", unchecked: 1},
	} {
		got := survey(t, open(t, redis.Options{URI: tc.uri, Points: true}).Persistence(), 0)
		s := got.Servers[0]
		if s.Name != "Redis" || !strings.Contains(s.Version, ".") || s.Addr != tc.addr || s.Role != tc.role || s.Keeps != tc.keeps ||
			s.Part != "standalone" || s.Ping <= 0 || s.TLS || s.HasLag != tc.lag || s.Lag > time.Minute {
			t.Errorf("%s: %+v", name, s)
		}
		faults := codes(got.Faults)
		if len(faults) != len(tc.faults) || len(got.Unchecked) != tc.unchecked {
			t.Errorf("%s: %q, unchecked %q", name, faults, got.Unchecked)
			continue
		}
		for i, want := range tc.faults {
			if !strings.HasPrefix(faults[i], want) {
				t.Errorf("%s: %q, want %q", name, faults[i], want)
			}
		}
	}
}
