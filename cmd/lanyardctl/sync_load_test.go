package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/bench/countingserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/churn"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// What `make sync-load` sets.
const (
	loadVariable   = "LANYARDCTL_TEST_LOAD"        // how long to write, such as 10m; empty for a short form that measures nothing
	rateVariable   = "LANYARDCTL_TEST_LOAD_RATE"   // writes a second
	nodesVariable  = "LANYARDCTL_TEST_LOAD_NODES"  // how many Lanyards make them, one after the other; 0 for pipelines
	usersVariable  = "LANYARDCTL_TEST_LOAD_USERS"  // how many users are written
	targetVariable = "LANYARDCTL_TEST_LOAD_TARGET" // "counting", "ferretdb", or "named" for the one of LANYARDCTL_TEST_MONGO
	searchVariable = "LANYARDCTL_TEST_LOAD_SEARCH" // not empty: which rate the target keeps up with
)

// load is a Redis that is written to, and its mirror.
type load struct {
	redis  *redisserver.Server
	client goredis.UniversalClient
	target *mongoserver.Database
	kv     *mongo.Collection
	users  int
	nodes  int
}

func newLoad(t *testing.T, name string, users int) *load {
	redis := redisserver.Start(t)
	l := &load{redis: redis, client: churnClient(t, redis.URI, false), users: users, nodes: numberFrom(t, nodesVariable, 4)}
	switch name {
	case "counting":
		l.target = (&mongoserver.Server{URI: serveCounting(t)}).Database(t)
	case "ferretdb":
		l.target = (&mongoserver.Server{URI: ferretdb.Start(t).URI}).Database(t)
	default:
		l.target = mongoserver.New(t)
	}
	l.kv = l.target.Connect(t).Collection("kv")
	return l
}

// serveCounting starts a server that costs next to nothing, in this process, and returns its URI.
func serveCounting(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go new(countingserver.Server).Serve(listener, func(err error) { t.Error(err) })
	return "mongodb://" + listener.Addr().String()
}

// see returns the probe's field as the target has it. A look-up by _id is quick on any server.
func (l *load) see(ctx context.Context) (string, error) {
	var doc struct{ KV map[string]string }
	err := l.kv.FindOne(ctx, bson.D{{Key: "_id", Value: l.probe()}}, options.FindOne().SetProjection(bson.D{{Key: "kv", Value: 1}})).Decode(&doc)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return "", nil
	}
	return doc.KV[churn.LagField], err
}

// probe returns the id of a user to whom nobody else writes.
func (l *load) probe() string { return churn.UserID(l.users + 1) }

// redisCPU returns how long the Redis has worked, by its own account.
func (l *load) redisCPU() (cpu time.Duration) {
	for _, m := range regexp.MustCompile(`used_cpu_(?:user|sys):([0-9.]+)`).FindAllStringSubmatch(fmt.Sprint(l.redis.Do("INFO", "cpu")), -1) {
		seconds, _ := strconv.ParseFloat(m[1], 64)
		cpu += time.Duration(seconds * float64(time.Second))
	}
	return cpu
}

// calls returns how often each command was called.
func (l *load) calls() map[string]int {
	calls := make(map[string]int)
	for _, m := range regexp.MustCompile(`cmdstat_([^:]+):calls=(\d+)`).FindAllStringSubmatch(fmt.Sprint(l.redis.Do("INFO", "commandstats")), -1) {
		calls[m[1]], _ = strconv.Atoi(m[2])
	}
	return calls
}

// measure returns how many writes the writer makes in a second, and how much the Redis works for 1,000 of them.
func (l *load) measure(w *churn.Writer, d time.Duration, during func()) (rate float64, perThousand time.Duration) {
	from, cpu, began := w.Written(), l.redisCPU(), time.Now()
	during()
	time.Sleep(time.Until(began.Add(d)))
	n := w.Written() - from
	return float64(n) / time.Since(began).Seconds(), (l.redisCPU() - cpu) * 1000 / time.Duration(max(n, 1))
}

// TestAMirrorKeepsUp writes to a Redis as many Lanyards do, and compares at the end. The long form also tells how soon the
// target had the writes, and what that cost.
func TestAMirrorKeepsUp(t *testing.T) {
	if os.Getenv(searchVariable) != "" {
		t.Skip("another test searches")
	}
	t.Parallel()
	if os.Getenv(loadVariable) != "" {
		l := newLoad(t, os.Getenv(targetVariable), numberFrom(t, usersVariable, 20_000))
		l.run(t, numberFrom(t, rateVariable, 5000), durationFrom(t, loadVariable, 0))
		return
	}
	for _, name := range []string{"counting", "named"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLoad(t, name, 200)
			w := startWriter(t, l.client, churn.Options{Seed: 1, Users: l.users, Rate: 150})
			s := startSync(t, l.redis.URI, l.target)
			s.untilReady()
			s.written(w, 500)
			finish(t, w)
			t.Logf("the target equals the source %s after the last write", s.untilAgrees(l.redis.URI, l.target))
			s.stop()
		})
	}
}

// run measures the Redis alone for a while, then with the mirror, and prints what it found.
func (l *load) run(t *testing.T, rate int, long time.Duration) {
	w := startWriter(t, l.client, churn.Options{Seed: 1, Users: l.users, Nodes: l.nodes, Rate: rate})
	time.Sleep(min(10*time.Second, long/4)) // until there is something to change
	var told strings.Builder
	tell := func(format string, args ...any) { fmt.Fprintf(&told, format+"\n", args...) }
	made, alone := l.measure(w, min(2*time.Minute, long/3), func() {})
	tell("without sync: %.0f writes/s, redis-server works %s for 1,000 of them", made, alone)

	s := startSync(t, l.redis.URI, l.target)
	s.untilReady()
	lag := &churn.Lag{Client: l.client, User: l.probe(), See: l.see}
	ctx, stop := context.WithTimeout(t.Context(), long)
	defer stop()
	atStart, cpu := s.usage()
	began := time.Now()
	var later int64
	after := time.AfterFunc(min(5*time.Minute, long/2), func() { later, _ = s.usage() })
	defer after.Stop()
	before := l.calls()
	var err error
	made, with := l.measure(w, long, func() { err = lag.Run(ctx, time.Minute) })
	atEnd, worked := s.usage()
	var read []string
	for name, n := range l.calls() {
		if n -= before[name]; float64(n) > long.Seconds() {
			read = append(read, fmt.Sprintf("%s %.0f", name, float64(n)/long.Seconds()))
		}
	}
	slices.Sort(read)
	tell("with sync:    %.0f writes/s, redis-server works %s for 1,000 of them, %.2f times as much", made, with, float64(with)/float64(alone))
	tell("commands a second: %s", strings.Join(read, ", "))
	tell("%s", lag)
	tell("sync works %.0f %% of a core; resident memory %d KiB at first, %d KiB after %s, %d KiB at the end",
		100*(worked-cpu).Seconds()/time.Since(began).Seconds(), atStart>>10, later>>10, min(5*time.Minute, long/2), atEnd>>10)
	if err != nil {
		t.Errorf("the probe: %v\n%s", err, &s.said)
	}
	finish(t, w)
	tell("the target equals the source %s after the last write", s.untilAgrees(l.redis.URI, l.target))
	_, verified := agrees(t, l.redis.URI, l.target)
	t.Logf("\n%s%s", &told, verified)
	s.stop()
}

// TestWhatATargetKeepsUpWith searches for the rate.
func TestWhatATargetKeepsUpWith(t *testing.T) {
	if os.Getenv(searchVariable) == "" {
		t.Skip(searchVariable + " is empty")
	}
	const enough, late = 20 * time.Second, 2 * time.Second
	keepsUp := func(rate int) (does bool) {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			l := newLoad(t, os.Getenv(targetVariable), numberFrom(t, usersVariable, 300))
			w := startWriter(t, l.client, churn.Options{Seed: 1, Users: l.users, Nodes: l.nodes, Rate: rate})
			s := startSync(t, l.redis.URI, l.target)
			s.untilReady()
			lag := &churn.Lag{Client: l.client, User: l.probe(), See: l.see, Every: 100 * time.Millisecond}
			ctx, stop := context.WithTimeout(t.Context(), enough)
			defer stop()
			from, began := w.Written(), time.Now()
			err := lag.Run(ctx, time.Minute)
			made := float64(w.Written()-from) / time.Since(began).Seconds()
			finish(t, w)
			agreed := s.untilAgrees(l.redis.URI, l.target)
			s.stop()
			t.Logf("%.0f writes/s made, %s, %v, equal %s after the last", made, lag, err, agreed)
			does = err == nil && lag.At(99) < late && made > 0.9*float64(rate)
		})
		return does
	}
	best, rate := 0, numberFrom(t, rateVariable, 50)
	for ; keepsUp(rate); rate *= 2 {
		best = rate
	}
	for step := (rate - best) / 2; step > max(10, best/10); step /= 2 {
		if keepsUp(best + step) {
			best += step
		}
	}
	t.Logf("it keeps up with %d writes/s of %d users: p99 within %s", best, numberFrom(t, usersVariable, 300), late)
}
