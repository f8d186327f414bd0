package redis_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// pairsAtOnce times the checks of rapid is how many pairs of states are merged: 10,000.
const pairsAtOnce = 500

// TestMergingIntoRedisIsMergingIntoMemory writes records to many users at once, of whom some have what lanyardctl wrote, some
// what the app wrote, and some both.
func TestMergingIntoRedisIsMergingIntoMemory(t *testing.T) {
	t.Parallel()
	c := client(t, redisserver.Start(t).URI)
	s := open(t, redis.Options{URI: uriOf(c), AllowShrinking: true})
	rapid.Check(t, func(rt *rapid.T) {
		policy := rapid.SampledFrom([]record.Policy{record.FailOnConflict, record.PreferSource, record.PreferTarget}).Draw(rt, "policy")
		w := states{rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))}
		raw := rawTarget{t, c}
		raw.empty()
		model := mem.New(mem.Options{Policy: policy, Now: atNow})
		sink := s.Sink(redis.SinkOptions{Policy: policy, Now: atNow}).Writing(redis.ForkWithAPIKeys)

		merge(rt, model, sink, w.batch())
		for range pairsAtOnce {
			if user, kind := w.user(), w.kind(); w.IntN(2) == 0 {
				d := w.document(kind, user)
				d.Mark = "" // what lanyardctl noted stands beside
				if was, ok := model.Get(kind, user); ok {
					d.Mark = was.Mark
				}
				model.Put(kind, user, d)
				raw.put(kind, user, d)
			}
		}
		merge(rt, model, sink, w.batch())
		for _, kind := range []record.Kind{record.APIKeys, record.KV, record.LastSeen, record.MonitoringSince} {
			want, got := model.All(kind), raw.all(kind)
			for user, d := range want {
				d.CreatedAt = got[user].CreatedAt
				want[user] = d
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				rt.Fatalf("%s (-memory +redis):\n%.2000s", kind, diff)
			}
		}
	})
}

// TestANewAPIKeyReplacesTheOneThatAnEarlierRunWrote writes API keys by two sinks, as two runs do: the second must know what the
// first wrote.
func TestANewAPIKeyReplacesTheOneThatAnEarlierRunWrote(t *testing.T) {
	t.Parallel()
	c := client(t, redisserver.Start(t).URI)
	s := open(t, redis.Options{URI: uriOf(c)})
	for run, want := range []record.Status{record.Inserted, record.Updated, record.Updated} {
		var batch []record.Record
		for i := range 40 {
			batch = append(batch, record.Record{Kind: record.APIKeys, User: record.UserID(94490510688792576 + i), APIKey: fmt.Sprintf("lnyd_%08d%08d", i, run)})
		}
		sink := s.Sink(redis.SinkOptions{Apps: record.Apps(0).With(record.Upstream)})
		outcomes, err := sink.Write(t.Context(), batch, func([]record.Superseded) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range outcomes {
			if key := batch[i].APIKey; o.Status != want || c.Get(t.Context(), "api_key:"+key).Val() != batch[i].User.String() {
				t.Fatalf("run %d: %+v", run, o)
			}
		}
		if n := len(c.Keys(t.Context(), "api_key:*").Val()); n != len(batch) {
			t.Errorf("run %d: %d keys authenticate %d users", run, n, len(batch))
		}
	}
}

// TestAKeyThatIsAnotherUsersLeavesNoMark writes an API key that the app gave to another user: nothing is written, no mark either.
func TestAKeyThatIsAnotherUsersLeavesNoMark(t *testing.T) {
	t.Parallel()
	c := client(t, redisserver.Start(t).URI)
	fill(t, c, cmd("SET", "api_key:"+newKey, bob), cmd("SET", "user_api_key:"+bob, newKey))
	sink := open(t, redis.Options{URI: uriOf(c)}).Sink(redis.SinkOptions{Apps: record.Apps(0).With(record.Upstream)})
	user, _ := record.ParseUserID(alice)
	batch := []record.Record{{Kind: record.APIKeys, User: user, APIKey: newKey}}
	outcomes, err := sink.Write(t.Context(), batch, func([]record.Superseded) error { return nil })
	if err != nil || outcomes[0].Status != record.Conflicted {
		t.Fatalf("%+v, error %v", outcomes, err)
	}
	if got := c.Keys(t.Context(), "*").Val(); len(got) != 2 {
		t.Errorf("%q", got)
	}
}

// TestANewAPIKeyRevokesOneThatNothingNames gives a user a key where another one authenticates, and is not the current one.
func TestANewAPIKeyRevokesOneThatNothingNames(t *testing.T) {
	t.Parallel()
	c := client(t, redisserver.Start(t).URI)
	fill(t, c, cmd("SET", "api_key:"+oldKey, alice))
	sink := open(t, redis.Options{URI: uriOf(c)}).Sink(redis.SinkOptions{Apps: record.Apps(0).With(record.Upstream), Policy: record.PreferSource})
	if err := sink.Begin(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	user, _ := record.ParseUserID(alice)
	batch := []record.Record{{Kind: record.APIKeys, User: user, APIKey: newKey}}
	if _, err := sink.Write(t.Context(), batch, func([]record.Superseded) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if got := admitted(c, alice); len(got) != 1 || got[0] != newKey {
		t.Errorf("%q authenticate", got)
	}
}

// merge merges the batch into both, and compares what they answer.
func merge(t *rapid.T, model, sink record.Sink, batch []record.Record) {
	t.Helper()
	answer := func(s record.Sink) (lines []string) {
		var superseded []string
		outcomes, err := s.Write(context.Background(), batch, func(values []record.Superseded) error {
			for _, v := range values {
				superseded = append(superseded, fmt.Sprintf("%+v", v))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range outcomes {
			lines = append(lines, fmt.Sprintf("%s %s: %+v", batch[i].Kind, batch[i].User, o))
		}
		slices.Sort(superseded)
		return append(lines, slices.Compact(superseded)...)
	}
	if diff := cmp.Diff(answer(model), answer(sink)); diff != "" {
		t.Fatalf("answers (-memory +redis):\n%.2000s", diff)
	}
}

// states makes up what users have.
type states struct{ *rand.Rand }

func (w states) user() record.UserID {
	return record.UserID(94490510688792576 + uint64(w.IntN(pairsAtOnce))<<22)
}

func (w states) kind() record.Kind {
	return []record.Kind{record.APIKeys, record.KV, record.LastSeen, record.MonitoringSince}[w.IntN(4)]
}

// batch has one record of each user and of one or two kinds.
func (w states) batch() []record.Record {
	var batch []record.Record
	for i := range pairsAtOnce {
		user := record.UserID(94490510688792576 + uint64(i)<<22)
		kind := w.kind()
		d := w.document(kind, user)
		r := record.Record{Kind: kind, User: user, Origin: record.Origin{Key: "of the source", Raw: "raw"}}
		switch kind {
		case record.APIKeys:
			r.APIKey = d.APIKey
		case record.KV:
			r.Fields = make(map[string]record.Field)
			for name, v := range d.Fields {
				r.Fields[name] = record.Field{Value: v, Origin: record.Origin{Key: "of the source", Raw: name}}
			}
		default:
			r.Time = 1_700_000_000 + int64(w.IntN(3))
			if kind == record.LastSeen {
				r.Time *= 1000
			}
		}
		batch = append(batch, r)
	}
	return batch
}

// document is what the app may have written.
func (w states) document(kind record.Kind, user record.UserID) mem.Document {
	pick := func(list ...any) any { return list[w.IntN(len(list))] }
	switch kind {
	case record.APIKeys:
		return mem.Document{APIKey: fmt.Sprintf("lnyd_%024x%08x", uint64(user), w.IntN(2))}
	case record.KV:
		d := mem.Document{Fields: map[string]record.Value{"a": pick("1", "2", int64(1), nil)}}
		for _, name := range []string{"", "b", "ключ"} {
			if w.IntN(2) == 0 {
				d.Fields[name] = pick("x", "", `"quoted"`, int64(1)<<60, 1.5, true, record.Array{"x", record.Object{"y": int64(1)}})
			}
		}
		return d
	case record.LastSeen:
		return mem.Document{Times: map[string]any{"timestamp": pick(int64(1_700_000_001_000), int64(1_700_000_001), "soon", "2022-10-01T16:22:06Z", int64(7))}}
	}
	d := mem.Document{Times: map[string]any{"since": pick(int64(1_700_000_001), int64(1_500_000_000_000), "never", int64(5))}}
	if w.IntN(2) == 0 {
		d.Times["monitoring_since"] = pick(int64(1_650_000_000), "2022-10-01", int64(1))
	}
	return d
}

func atNow() time.Time { return now }
