package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/redis"
)

// admitted returns the API keys that authenticate the user, of the three that there are.
func admitted(c goredis.UniversalClient, user string) []string {
	var list []string
	for _, key := range []string{oldKey, newKey, otherKey} {
		if c.Get(context.Background(), "api_key:"+key).Val() == user {
			list = append(list, key)
		}
	}
	return list
}

func TestAllKeysThatAuthenticateAreFound(t *testing.T) {
	upstream := record.Apps(0).With(record.Upstream)
	inEach(t, func(t *testing.T, w world) {
		fill(t, w.client,
			cmd("SET", "user_api_key:"+alice, oldKey), cmd("SET", "api_key:"+oldKey, alice), cmd("SET", "api_key:"+newKey, alice),
			cmd("SET", "api_key:"+otherKey, bob), cmd("RPUSH", "api_key:list", alice), cmd("SET", "api_key:text", "something else"),
			cmd("SET", "api_key:long", alice+alice+alice), cmd("SET", "api_key:", alice),
		)
		for i := range 3000 {
			fill(t, w.client, cmd("SET", fmt.Sprint("api_key:other", i), 500000000000000000+i))
		}
		found, err := w.FindAPIKeys(t.Context(), aliceID)
		want := []record.Entry{
			{Place: "user_api_key:" + alice, Apps: upstream, APIKey: oldKey, Authenticates: true},
			{Place: "api_key:" + record.Fingerprint(newKey), Apps: upstream, APIKey: newKey, Authenticates: true},
		}
		if diff := cmp.Diff(want, found); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
		for key, want := range map[string][]record.KeyOwner{
			newKey: {{Place: "api_key:" + record.Fingerprint(newKey), Apps: upstream, User: aliceID}},
			"list": {{Place: "api_key:" + record.Fingerprint("list"), Apps: upstream, Fault: "what stands there is no user id"}},
			"none": nil,
		} {
			owners, err := w.KeyOwners(t.Context(), key)
			if diff := cmp.Diff(want, owners); diff != "" || err != nil {
				t.Errorf("%s: %v\n%s", key, err, diff)
			}
		}
	})
}

func TestRevokingTakesWhatIsTheUsersAlone(t *testing.T) {
	inEach(t, func(t *testing.T, w world) {
		for name, tc := range map[string]struct {
			held      [][]any
			keys      []string
			keepTrace bool
			current   string
			left      []string // of alice's
			bobs      []string
		}{
			"all": {held: [][]any{cmd("SET", "user_api_key:"+alice, oldKey), cmd("SET", "api_key:"+oldKey, alice), cmd("SET", "api_key:"+newKey, alice)},
				keys: []string{oldKey, newKey}},
			"all, with a trace": {held: [][]any{cmd("SET", "user_api_key:"+alice, oldKey), cmd("SET", "api_key:"+oldKey, alice)},
				keys: []string{oldKey}, keepTrace: true, current: oldKey},
			"a stray one, with a trace": {held: [][]any{cmd("SET", "api_key:"+newKey, alice)}, keys: []string{newKey}, keepTrace: true, current: newKey},
			"all, of which the current one is the trace": {held: [][]any{cmd("SET", "user_api_key:"+alice, oldKey), cmd("SET", "api_key:"+oldKey, alice), cmd("SET", "api_key:"+newKey, alice)},
				keys: []string{newKey, oldKey}, keepTrace: true, current: oldKey},
			"nothing, with a trace":       {keepTrace: true},
			"a key that became another's": {held: [][]any{cmd("SET", "api_key:"+oldKey, bob)}, keys: []string{oldKey}, bobs: []string{oldKey}},
			"a half":                      {held: [][]any{cmd("SET", "user_api_key:"+alice, oldKey)}},
			"a half that names another's": {held: [][]any{cmd("SET", "user_api_key:"+alice, oldKey), cmd("SET", "api_key:"+oldKey, bob)}, keys: []string{oldKey}, bobs: []string{oldKey}},
			"one given meanwhile, too":    {held: [][]any{cmd("SET", "user_api_key:"+alice, newKey), cmd("SET", "api_key:"+newKey, alice)}, keys: []string{oldKey}},
		} {
			w.client.Del(t.Context(), "user_api_key:"+alice)
			for _, key := range []string{oldKey, newKey, otherKey} {
				w.client.Del(t.Context(), "api_key:"+key)
			}
			fill(t, w.client, append(tc.held, cmd("PING"))...)
			for range 2 {
				err := w.RevokeAPIKeys(t.Context(), aliceID, tc.keys, tc.keepTrace)
				current := w.client.Get(t.Context(), "user_api_key:"+alice).Val()
				if left, bobs := admitted(w.client, alice), admitted(w.client, bob); err != nil || current != tc.current || !slices.Equal(left, tc.left) || !slices.Equal(bobs, tc.bobs) {
					t.Errorf("%s: current %q, left %q, bob's %q, error %v", name, current, left, bobs, err)
				}
			}
		}
	})
}

func TestAKeyIsGivenInPlaceOfTheCurrentOne(t *testing.T) {
	inEach(t, func(t *testing.T, w world) {
		if given, err := w.GiveAPIKey(t.Context(), record.Fork, aliceID, newKey); given || err != nil {
			t.Errorf("without a trace: %v, %v", given, err)
		}
		for _, app := range []record.App{record.Fork, record.Upstream} {
			fill(t, w.client, cmd("SET", "user_api_key:"+alice, oldKey), cmd("SET", "api_key:"+oldKey, alice))
			for range 2 {
				given, err := w.GiveAPIKey(t.Context(), app, aliceID, newKey)
				got := admitted(w.client, alice)
				if !given || err != nil || !slices.Equal(got, []string{newKey}) || w.client.Get(t.Context(), "user_api_key:"+alice).Val() != newKey {
					t.Errorf("%s: %v, %v, authenticate: %q", app, given, err, got)
				}
			}
		}
		if given, err := w.GiveAPIKey(t.Context(), record.Upstream, bobID, otherKey); !given || err != nil || !slices.Equal(admitted(w.client, bob), []string{otherKey}) {
			t.Errorf("the first key of a user: %v, %v", given, err)
		}
		given, err := w.GiveAPIKey(t.Context(), record.Upstream, aliceID, otherKey)
		if given || err == nil || strings.Contains(err.Error(), otherKey) || !slices.Equal(admitted(w.client, alice), []string{newKey}) {
			t.Errorf("a key of somebody else's: %v, %v", given, err)
		}
	})
}

func TestOfKeysGivenAtOnceOneIsLeft(t *testing.T) {
	inEach(t, func(t *testing.T, w world) {
		for range 20 {
			var both sync.WaitGroup
			for _, key := range []string{newKey, otherKey} {
				both.Go(func() {
					if given, err := w.GiveAPIKey(t.Context(), record.Upstream, aliceID, key); !given || err != nil {
						t.Errorf("%v, %v", given, err)
					}
				})
			}
			both.Wait()
			if got := admitted(w.client, alice); len(got) != 1 || w.client.Get(t.Context(), "user_api_key:"+alice).Val() != got[0] {
				t.Fatalf("authenticate: %q", got)
			}
		}
	})
}

// killer ends a process at the nth of its conversations with a server: before it is sent, or before the answer comes.
type killer struct {
	at    int
	count atomic.Int64 // a Cluster's client talks by itself, too
	sent  bool
	look  func()
}

var errKilled = errors.New("killed")

func (k *killer) talk(next func() error) error {
	count := int(k.count.Add(1))
	if count > k.at || count == k.at && !k.sent {
		return errKilled
	}
	err := next()
	k.look()
	if count == k.at {
		return errKilled
	}
	return err
}

func (k *killer) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (k *killer) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, c goredis.Cmder) error { return k.talk(func() error { return next(ctx, c) }) }
}

func (k *killer) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, c []goredis.Cmder) error {
		return k.talk(func() error { return next(ctx, c) })
	}
}

func TestNoTwoKeysAuthenticateWhereverAProcessIsKilled(t *testing.T) {
	inEach(t, func(t *testing.T, w world) {
		for _, sent := range []bool{false, true} {
			for at := 1; ; at++ {
				fill(t, w.client, cmd("SET", "user_api_key:"+alice, oldKey), cmd("SET", "api_key:"+oldKey, alice))
				w.client.Del(t.Context(), "api_key:"+newKey)
				k := &killer{at: at, sent: sent, look: func() {
					if got := admitted(w.client, alice); len(got) > 1 {
						t.Errorf("killed at %d, sent %v: %q authenticate", at, sent, got)
					}
				}}
				s := open(t, redis.Options{URI: uriOf(w.client), Points: true})
				if err := s.AddHook(k); err != nil {
					t.Fatal(err)
				}
				given, err := s.Persistence().GiveAPIKey(t.Context(), record.Upstream, aliceID, newKey)
				if count := int(k.count.Load()); count < at {
					if !given || err != nil || at < 6 {
						t.Errorf("%v, %v after %d conversations", given, err, count)
					}
					break
				}
				if given || !errors.Is(err, errKilled) {
					t.Errorf("killed at %d: %v, %v", at, given, err)
				}
				current := w.client.Get(t.Context(), "user_api_key:"+alice).Val()
				if got := admitted(w.client, alice); len(got) == 1 && got[0] != current {
					t.Errorf("killed at %d: %q authenticates, and %q is the current one", at, got, current)
				}
				given, err = w.GiveAPIKey(t.Context(), record.Upstream, aliceID, newKey)
				if got := admitted(w.client, alice); !given || err != nil || !slices.Equal(got, []string{newKey}) {
					t.Errorf("killed at %d, and made again: %v, %v; %q authenticate", at, given, err, got)
				}
			}
		}
	})
}
