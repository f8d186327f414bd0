package redis_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

const (
	aliceID  record.UserID = 94490510688792576
	bobID    record.UserID = 268473310986240001
	oldKey                 = "0123456789abcdef0123456789abcdef"
	newKey                 = "lnyd_fedcba9876543210fedcba9876543210"
	otherKey               = "aaaabbbbccccddddeeeeffff00001111"
)

// world is a Redis with the store opened on it.
type world struct {
	client goredis.UniversalClient
	store  *redis.Store
	*redis.Persistence
}

// inEach runs the test on one server and on a Cluster of three.
func inEach(t *testing.T, test func(t *testing.T, w world)) {
	for name, start := range map[string]func(t *testing.T) (string, goredis.UniversalClient){
		"standalone": func(t *testing.T) (string, goredis.UniversalClient) {
			srv := redisserver.Start(t)
			return srv.URI, client(t, srv.URI)
		},
		"cluster": func(t *testing.T) (string, goredis.UniversalClient) {
			c := redisserver.StartCluster(t, 3)
			return c.URI, c.Client(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uri, c := start(t)
			s := open(t, redis.Options{URI: uri, Points: true})
			test(t, world{c, s, s.Persistence()})
		})
	}
}

func entries(t *testing.T, p record.Persistence, kind record.Kind, user record.UserID) []record.Entry {
	t.Helper()
	list, err := p.Entries(t.Context(), kind, user)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// setting returns a decision that sets the pairs wherever it is asked.
func setting(pairs map[string]record.Value, unset ...string) func(record.Entry) (record.PairChange, error) {
	return func(record.Entry) (record.PairChange, error) { return record.PairChange{Set: pairs, Unset: unset}, nil }
}

func TestEntriesStandInTheOrderInWhichTheAppsReadThem(t *testing.T) {
	fork, upstream := record.Apps(0).With(record.Fork), record.Apps(0).With(record.Upstream)
	inEach(t, func(t *testing.T, w world) {
		fill(t, w.client,
			cmd("HSET", "lanyard:user_kv:"+alice, "a", `"x"`, "n", "7"), cmd("HSET", "lanyard_kv:"+alice, "a", "7"),
			cmd("SET", "lanyard_last_seen:"+alice, "1700000000000"), cmd("SET", "lanyard:user_last_seen:"+alice, "soon"),
			cmd("RPUSH", "monitoring:"+alice, "another application's"), cmd("RPUSH", "lanyard:user_monitoring_since:"+alice, "1"),
			cmd("SET", "user_monitoring_since:"+alice, "1600000000"),
			cmd("HSET", "lanyard:metrics_v1", "lanyard_messages_inbound", "12.0", "lanyard_2xx_responses", "many"),
			cmd("SET", "user_api_key:"+alice, oldKey), cmd("SET", "api_key:"+oldKey, alice),
			cmd("SET", "user_api_key:"+bob, oldKey),
		)
		for _, tc := range []struct {
			kind record.Kind
			user record.UserID
			want []record.Entry
		}{
			{record.KV, aliceID, []record.Entry{
				{Place: "lanyard:user_kv:" + alice, Apps: fork, Fields: map[string]record.Value{"a": "x", "n": int64(7)}},
				{Place: "lanyard_kv:" + alice, Apps: upstream, TextOnly: true, Fields: map[string]record.Value{"a": "7"}},
			}},
			{record.KV, bobID, nil},
			{record.LastSeen, aliceID, []record.Entry{
				{Place: "lanyard:user_last_seen:" + alice, Apps: fork, Time: "soon", Fault: "the text is no integer"},
				{Place: "lanyard_last_seen:" + alice, Apps: upstream, Time: int64(1700000000000)},
			}},
			{record.MonitoringSince, aliceID, []record.Entry{
				{Place: "lanyard:user_monitoring_since:" + alice, Apps: fork, Fault: "the key holds a list, not a string"},
				{Place: "user_monitoring_since:" + alice, Apps: fork, Time: int64(1600000000)},
			}},
			{record.Metrics, 0, []record.Entry{{
				Place: "lanyard:metrics_v1", Apps: fork, Fields: map[string]record.Value{"lanyard_messages_inbound": 12.0},
				Unreadable: map[string]string{"lanyard_2xx_responses": "no decimal number"},
			}}},
			{record.APIKeys, aliceID, []record.Entry{{Place: "user_api_key:" + alice, Apps: upstream, APIKey: oldKey, Authenticates: true}}},
			{record.APIKeys, bobID, []record.Entry{{
				Place: "user_api_key:" + bob, Apps: upstream, APIKey: oldKey, Fault: "the key does not authenticate this user, but another",
			}}},
		} {
			if diff := cmp.Diff(tc.want, entries(t, w, tc.kind, tc.user)); diff != "" {
				t.Errorf("%s of %d: -want +got:\n%s", tc.kind, tc.user, diff)
			}
		}
	})
}

func TestPairsChangeInTheAppsPlaceAndInTheOtherThatExists(t *testing.T) {
	inEach(t, func(t *testing.T, w world) {
		fill(t, w.client, cmd("HSET", "lanyard_kv:"+bob, "old", "1"))
		for _, tc := range []struct {
			app   record.App
			user  record.UserID
			value string
			want  []string
		}{
			{record.Fork, aliceID, "6", []string{"lanyard:user_kv:" + alice}},
			{record.Upstream, aliceID, "7", []string{"lanyard_kv:" + alice, "lanyard:user_kv:" + alice}},
			{record.Fork, bobID, "7", []string{"lanyard:user_kv:" + bob, "lanyard_kv:" + bob}},
		} {
			changed, err := w.UpdatePairs(t.Context(), tc.app, tc.user, setting(map[string]record.Value{"f": tc.value}, "old"))
			if diff := cmp.Diff(tc.want, changed); diff != "" || err != nil {
				t.Errorf("%s, %d: %v\n%s", tc.app, tc.user, err, diff)
			}
		}
		for key, want := range map[string]map[string]string{
			"lanyard:user_kv:" + alice: {"f": `"7"`}, "lanyard_kv:" + alice: {"f": "7"},
			"lanyard:user_kv:" + bob: {"f": `"7"`}, "lanyard_kv:" + bob: {"f": "7"},
		} {
			if got := w.client.HGetAll(t.Context(), key).Val(); !maps.Equal(got, want) {
				t.Errorf("%s holds %v, want %v", key, got, want)
			}
		}
		changed, err := w.UpdatePairs(t.Context(), record.Fork, aliceID, setting(nil))
		if changed != nil || err != nil {
			t.Errorf("a change of nothing: %v, %v", changed, err)
		}
		boom := errors.New("boom")
		if _, err := w.UpdatePairs(t.Context(), record.Fork, aliceID, func(record.Entry) (record.PairChange, error) {
			return record.PairChange{}, boom
		}); err != boom {
			t.Errorf("the error of a decision: %v", err)
		}
		if _, err := w.UpdatePairs(t.Context(), record.Upstream, aliceID, setting(map[string]record.Value{"n": int64(1)})); err == nil {
			t.Error("upstream's layout took a number")
		}
	})
}

func TestNoChangeIsLostAmongMany(t *testing.T) {
	inEach(t, func(t *testing.T, w world) {
		fill(t, w.client, cmd("HSET", "lanyard_kv:"+alice, "first", "1"))
		const writers, each = 8, 10
		var all sync.WaitGroup
		for i := range writers {
			all.Go(func() {
				for j := range each {
					name := fmt.Sprintf("f%d_%d", i, j)
					// Each also counts, which is lost where two decide by the same.
					_, err := w.UpdatePairs(t.Context(), record.Fork, aliceID, func(e record.Entry) (record.PairChange, error) {
						count := 1
						if text, ok := e.Fields["count"].(string); ok {
							fmt.Sscan(text, &count)
							count++
						}
						return record.PairChange{Set: map[string]record.Value{name: "x", "count": fmt.Sprint(count)}}, nil
					})
					if err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
		all.Wait()
		for _, e := range entries(t, w, record.KV, aliceID) {
			if n, count := len(e.Fields), fmt.Sprint(e.Fields["count"]); n < writers*each+1 || count != fmt.Sprint(writers*each) {
				t.Errorf("%s has %d fields and counts %s", e.Place, n, count)
			}
		}
	})
}

func TestAChangeWhoseConnectionIsCutIsMadeOnce(t *testing.T) {
	srv := redisserver.Start(t)
	c := client(t, srv.URI)
	var p *redisproxy.Proxy
	cuts := 0
	p = redisproxy.Start(t, srv.Addr, redisproxy.Options{After: func(cmd redisproxy.Command) {}, Hook: func(cmd redisproxy.Command) func() {
		if cmd.Name == "EXEC" && cuts < 1 {
			cuts++
			p.Silence(true) // the answer is lost
		}
		return nil
	}})
	s := open(t, redis.Options{URI: p.URI, Points: true, RetryFor: 10 * time.Second})
	lost := make(chan struct{})
	go func() {
		defer close(lost)
		waitUntil(t, "the change is made", func() bool { return c.HGet(context.Background(), "lanyard:user_kv:"+alice, "n").Val() == "1" })
		p.CutAll()
		p.Silence(false)
	}()
	changed, err := s.Persistence().UpdatePairs(t.Context(), record.Fork, aliceID, func(e record.Entry) (record.PairChange, error) {
		if _, done := e.Fields["n"]; done {
			return record.PairChange{}, nil
		}
		return record.PairChange{Set: map[string]record.Value{"n": int64(1)}}, nil
	})
	<-lost
	if err != nil || len(changed) != 1 || cuts != 1 {
		t.Errorf("changed %v, error %v, after %d cuts", changed, err, cuts)
	}
}

func TestNothingIsWrittenOnceTheWatchIsCut(t *testing.T) {
	srv := redisserver.Start(t)
	c := client(t, srv.URI)
	p := redisproxy.Start(t, srv.Addr, redisproxy.Options{})
	s := open(t, redis.Options{URI: p.URI, Points: true})
	asked := 0
	_, err := s.Persistence().UpdatePairs(t.Context(), record.Fork, aliceID, func(e record.Entry) (record.PairChange, error) {
		if asked++; asked == 1 {
			p.CutAll()
			fill(t, c, cmd("HSET", "lanyard:user_kv:"+alice, "theirs", "1"))
		}
		return record.PairChange{Set: map[string]record.Value{"seen": int64(len(e.Fields))}}, nil
	})
	if got := c.HGet(t.Context(), "lanyard:user_kv:"+alice, "seen").Val(); err != nil || got != "1" || asked != 2 {
		t.Errorf("asked %d times, wrote what was decided by %s fields, error %v", asked, got, err)
	}
}

func TestAChangeThatIsAlwaysOvertakenEnds(t *testing.T) {
	inEach(t, func(t *testing.T, w world) {
		s := redis.Options{URI: uriOf(w.client), RetryFor: 3 * time.Second, Points: true}
		n := 0
		_, err := open(t, s).Persistence().UpdatePairs(t.Context(), record.Fork, aliceID, func(record.Entry) (record.PairChange, error) {
			n++
			fill(t, w.client, cmd("HSET", "lanyard:user_kv:"+alice, "n", n))
			return record.PairChange{Set: map[string]record.Value{"mine": "x"}}, nil
		})
		if !errors.Is(err, record.ErrContended) || n < 3 {
			t.Errorf("asked %d times: %v", n, err)
		}
		if w.client.HExists(t.Context(), "lanyard:user_kv:"+alice, "mine").Val() {
			t.Error("written all the same")
		}
	})
}

func uriOf(c goredis.UniversalClient) string {
	switch c := c.(type) {
	case *goredis.Client:
		return "redis://" + c.Options().Addr
	case *goredis.ClusterClient:
		return "redis://" + c.Options().Addrs[0]
	}
	return ""
}

func TestWhyAServerTakesNoWritesIsTold(t *testing.T) {
	master := redisserver.Start(t)
	host, port, _ := strings.Cut(master.Addr, ":")
	replica := redisserver.Start(t, "--replicaof", host+" "+port)
	shy := redisserver.Start(t)
	shy.Do("ACL", "SETUSER", "quiet", "on", ">"+password, "~*", "+@all", "-publish", "&*")
	shy.Do("ACL", "SETUSER", "deaf", "on", ">"+password, "~*", "+@all", "resetchannels")
	shy.Do("ACL", "SETUSER", "reader", "on", ">"+password, "~*", "+@all", "-hset", "&*")
	full := redisserver.Start(t, "--maxmemory", "1", "--maxmemory-policy", "noeviction")
	alone := redisserver.Start(t, "--min-replicas-to-write", "1")
	failing := redisserver.Start(t, "--dir", "/proc", "--save", "3600 1") // nothing can be saved there
	failing.Do("BGSAVE")
	waitUntil(t, "a save fails", func() bool {
		return strings.Contains(fmt.Sprint(failing.Do("INFO", "persistence")), "rdb_last_bgsave_status:err")
	})
	as := func(user string) string { return "redis://" + user + ":" + password + "@" + shy.Addr }
	for name, tc := range map[string]struct {
		uri     string
		want    error
		refused string
		publish bool
	}{
		"a replica":             {uri: replica.URI, want: redis.ErrReadOnly},
		"no right to publish":   {uri: as("quiet"), want: redis.ErrPermission, refused: "publish", publish: true},
		"no right to a channel": {uri: as("deaf"), want: redis.ErrPermission, refused: "publish", publish: true},
		"no right to write":     {uri: as("reader"), want: redis.ErrPermission, refused: "hset"},
		"full memory":           {uri: full.URI, want: redis.ErrMemory},
		"a lonely master":       {uri: alone.URI, want: redis.ErrReplicas},
		"a full disk":           {uri: failing.URI, want: redis.ErrDisk},
	} {
		p := open(t, redis.Options{URI: tc.uri, Points: true}).Persistence()
		_, err := p.UpdatePairs(t.Context(), record.Fork, aliceID, setting(map[string]record.Value{"f": name}))
		if tc.publish {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			_, err = p.Announce(t.Context(), aliceID, func(context.Context) ([]byte, error) { return []byte("{}"), nil })
		}
		if !errors.Is(err, tc.want) || redis.RefusedCommand(err) != tc.refused || errors.Is(err, record.ErrUnavailable) {
			t.Errorf("%s: %v (refused %q)", name, err, redis.RefusedCommand(err))
		}
		t.Log(err)
	}
}

func TestAMessageIsMadeAnewWhereThePairsChangeMeanwhile(t *testing.T) {
	inEach(t, func(t *testing.T, w world) {
		for _, key := range []string{"lanyard_kv:" + alice, "lanyard:user_kv:" + alice} {
			fill(t, w.client, cmd("HSET", key, "first", 1))
			heard := w.client.Subscribe(t.Context(), layout.Channel)
			defer heard.Close()
			if _, err := heard.Receive(t.Context()); err != nil {
				t.Fatal(err)
			}
			made := 0
			listeners, err := w.Announce(t.Context(), aliceID, func(context.Context) ([]byte, error) {
				if made++; made == 1 {
					fill(t, w.client, cmd("HSET", key, "n", 1))
				}
				return fmt.Append(nil, made), nil
			})
			if err != nil || made != 2 || listeners > 2 {
				t.Errorf("%s: made %d times, %d listen, error %v", key, made, listeners, err)
			}
			if m, err := heard.ReceiveMessage(t.Context()); err != nil || m.Payload != "2" {
				t.Errorf("%s: heard %v, error %v", key, m, err)
			}
		}
		boom := errors.New("boom")
		if _, err := w.Announce(t.Context(), aliceID, func(context.Context) ([]byte, error) { return nil, boom }); err != boom {
			t.Error(err)
		}
	})
}

func TestAChangeEndsWhereTheServerStaysSilent(t *testing.T) {
	t.Parallel()
	srv := redisserver.Start(t)
	for _, at := range []string{"WATCH", "HGETALL", "EXEC"} {
		fill(t, client(t, srv.URI), cmd("HSET", "lanyard:user_kv:"+alice, "a", "1"))
		var p *redisproxy.Proxy
		p = redisproxy.Start(t, srv.Addr, redisproxy.Options{Hook: func(c redisproxy.Command) func() {
			if c.Name == at {
				p.Silence(true)
			}
			return nil
		}})
		s := open(t, redis.Options{URI: p.URI, Points: true, RetryFor: 500 * time.Millisecond})
		patient := open(t, redis.Options{URI: p.URI, Points: true, RetryFor: time.Minute})
		change := setting(map[string]record.Value{at: fmt.Sprint(time.Now())})
		_, err := s.Persistence().UpdatePairs(t.Context(), record.Fork, aliceID, change)
		if !errors.Is(err, record.ErrUnavailable) || !errors.Is(err, record.ErrGivenUp) {
			t.Errorf("silent at %s: %v", at, err)
		}
		stop := errors.New("stopped")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(stop) })
		_, err = patient.Persistence().UpdatePairs(ctx, record.Fork, aliceID, change)
		if !errors.Is(err, stop) {
			t.Errorf("stopped while silent at %s: %v", at, err)
		}
		p.Silence(false)
	}
}
