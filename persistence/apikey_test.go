package persistence_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

func TestANewAPIKeyHasTheAppsForm(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`^lnyd_[0-9a-f]{32}$`)
	a, b := persistence.NewAPIKey(), persistence.NewAPIKey()
	if !form.MatchString(a) || !form.MatchString(b) || a == b {
		t.Error("two new keys are not two of lnyd_ and 32 hexadecimal digits")
	}
}

// TestARotationThatIsKilledAnywhere kills a rotation before and after each of its changes. At no moment may two keys
// authenticate; a key that was returned does; the same call again makes it whole.
func TestARotationThatIsKilledAnywhere(t *testing.T) {
	t.Parallel()
	for _, app := range []record.App{record.Fork, record.Upstream} {
		for _, states := range [][2]string{{"old", "old"}, {"", "old"}, {"old", ""}, {"", ""}, {"old", "older"}} {
			calls := 0
			for at := 0; at <= 2*calls+2; at++ {
				name := fmt.Sprintf("%s/%q in Redis, %q in MongoDB/%d", app, states[0], states[1], at)
				w := newWorld(app)
				if states[0] != "" {
					w.redis.SetAPIKey(user, states[0])
				}
				if states[1] != "" {
					w.mongo.SetAPIKey(user, states[1])
				}
				before := len(w.keys(t))
				w.kill.at, w.kill.after = (at+1)/2, at%2 == 0
				w.kill.check = func() {
					if keys := w.keys(t); len(keys) > max(before, 1) || keys["new"] && len(keys) > 1 {
						t.Errorf("%s: %d keys authenticate", name, len(keys))
					}
				}
				_, err := w.RotateAPIKey(t.Context(), user, "new", false)
				if at == 0 {
					calls = w.kill.calls
				}
				switch keys := w.keys(t); {
				case err == nil && (len(keys) != 1 || !keys["new"]):
					t.Errorf("%s: the key that was returned is not the only one: %d keys", name, len(keys))
				case err != nil && !errors.Is(err, errKilled):
					t.Errorf("%s: %v", name, err)
				case err != nil:
					var failed *persistence.KeyError
					now, lookErr := w.APIKey(t.Context(), user, persistence.Question{})
					left := map[string]persistence.KeyLeft{"": persistence.NoKeyLeft, "new": persistence.OtherKeyLeft}[now.Current]
					if left == "" {
						left = persistence.OldKeyLeft
					}
					if !errors.As(err, &failed) || failed.Left != left || lookErr != nil {
						t.Errorf("%s: %v, and %q is left", name, err, now.Current)
					}
				}
				*w.kill = killer{}
				if _, err := w.RotateAPIKey(t.Context(), user, "newer", false); err != nil {
					t.Errorf("%s: again: %v", name, err)
				}
				if keys := w.keys(t); len(keys) != 1 || !keys["newer"] {
					t.Errorf("%s: again: the key that was returned is not the only one: %d keys", name, len(keys))
				}
			}
			if calls < 2 {
				t.Fatalf("a rotation made %d changes", calls)
			}
		}
	}
}

func TestTwoRotationsAtOnceLeaveOneKey(t *testing.T) {
	t.Parallel()
	for range 200 {
		w := worldWith(record.Fork, nil)
		w.mongo.SetAPIKey(user, "old")
		w.redis.SetAPIKey(user, "old")
		var errs [2]error
		done := make(chan struct{})
		go func() {
			defer close(done)
			other := *w.Layer
			_, errs[0] = other.RotateAPIKey(t.Context(), user, "a", false)
		}()
		_, errs[1] = w.RotateAPIKey(t.Context(), user, "b", false)
		<-done
		keys := w.keys(t)
		if len(keys) != 1 {
			t.Fatalf("%d keys authenticate", len(keys))
		}
		for i, key := range []string{"a", "b"} {
			if errs[i] != nil && !errors.Is(errs[i], persistence.ErrOtherKey) {
				t.Fatal(errs[i])
			}
			if errs[i] != nil && keys[key] {
				t.Fatal("the key of a rotation that failed authenticates")
			}
		}
	}
}

// TestARotationBetweenTheStoresOfAnother has another process rotate while the mirror does not have the new key yet.
func TestARotationBetweenTheStoresOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(record.Fork)
	w.mongo.SetAPIKey(user, "old")
	w.redis.SetAPIKey(user, "old")
	w.kill.before = func(call int) {
		if call != 3 { // Redis is to get the new key
			return
		}
		w.kill.before = nil
		if _, err := w.RotateAPIKey(t.Context(), user, "other", false); err != nil {
			t.Error(err)
		}
	}
	if _, err := w.RotateAPIKey(t.Context(), user, "mine", false); !errors.Is(err, persistence.ErrOtherKey) {
		t.Errorf("got %v", err)
	}
	if keys := w.keys(t); len(keys) != 1 || !keys["other"] {
		t.Errorf("%d keys authenticate, the other's: %v", len(keys), keys["other"])
	}
}

func TestRevocationIsEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(record.Fork)
	w.mongo.SetAPIKey(user, "one")
	w.redis.SetAPIKey(user, "other")
	dry, err := w.RevokeAPIKeys(t.Context(), user, true)
	if err != nil || len(dry.Revoked) != 2 || len(w.keys(t)) != 2 {
		t.Fatalf("a dry run: %v, %v", dry.Revoked, err)
	}
	if _, err := w.RevokeAPIKeys(t.Context(), user, false); err != nil || len(w.keys(t)) != 0 {
		t.Errorf("%d keys authenticate, %v", len(w.keys(t)), err)
	}
}

func TestAnAppWithoutItsKeyStore(t *testing.T) {
	t.Parallel()
	w := newWorld(record.Fork)
	only := persistence.New(record.Fork, &persistence.Store{Name: "Redis", Persistence: w.redis}, nil)
	if _, err := only.RotateAPIKey(t.Context(), user, "new", false); !errors.Is(err, persistence.ErrNoKeyStore) {
		t.Errorf("got %v", err)
	}
	if _, err := persistence.New(record.Fork, nil, nil).APIKey(t.Context(), user, persistence.Question{}); !errors.Is(err, persistence.ErrNoStore) {
		t.Errorf("got %v", err)
	}
}

// away is a store that fails at each question about API keys.
type away struct{ store }

func (away) Entries(context.Context, record.Kind, record.UserID) ([]record.Entry, error) {
	return nil, errKilled
}

func (away) FindAPIKeys(context.Context, record.UserID) ([]record.Entry, error) {
	return nil, errKilled
}

func (away) KeyOwners(context.Context, string) ([]record.KeyOwner, error) { return nil, errKilled }

// TestAKeyIsNotMissingWhereItsStoreFails asks with Fallback: no other store stands in for the one in which the app looks
// API keys up, while any other can be left out.
func TestAKeyIsNotMissingWhereItsStoreFails(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]bool{"MongoDB": true, "Redis": false} {
		w := newWorld(record.Fork)
		if _, err := w.RotateAPIKey(t.Context(), user, "key", false); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(w.Stores, func(s persistence.Store) bool { return s.Name == name })
		w.Stores[i].Persistence = away{}
		told := 0
		w.Fallback, w.Notify = true, func(string) { told++ }
		state, err := w.APIKey(t.Context(), user, persistence.Question{})
		if errors.Is(err, errKilled) != fails || (state.Current == "key") == fails {
			t.Errorf("%s fails: %+v, %v", name, state, err)
		}
		state, err = w.APIKey(t.Context(), user, persistence.Question{Everything: true})
		if errors.Is(err, errKilled) != fails || (state.Current == "key") == fails {
			t.Errorf("%s fails, everything: %+v, %v", name, state, err)
		}
		if _, err := w.RevokeAPIKeys(t.Context(), user, true); !errors.Is(err, errKilled) {
			t.Errorf("%s fails: a revocation rests on what is left: %v", name, err)
		}
		owners, err := w.Owners(t.Context(), "key")
		if errors.Is(err, errKilled) != fails || (len(owners) == 1) == fails {
			t.Errorf("%s fails: %+v, %v", name, owners, err)
		}
		if (told == 3) == fails {
			t.Errorf("%s fails: told %d times", name, told)
		}
	}
}

// keyring is a store with any number of API keys of one user, which tells a log what is done to them.
type keyring struct {
	mem.Persistence
	name    string
	found   []record.Entry
	current string
	log     *[]string
}

func (k *keyring) FindAPIKeys(context.Context, record.UserID) ([]record.Entry, error) {
	return k.found, nil
}

func (k *keyring) Entries(context.Context, record.Kind, record.UserID) ([]record.Entry, error) {
	return []record.Entry{{Apps: record.AllApps, APIKey: k.current, Authenticates: true}}, nil
}

func (k *keyring) RevokeAPIKeys(_ context.Context, _ record.UserID, keys []string, keepTrace bool) error {
	*k.log = append(*k.log, fmt.Sprint(k.name, " loses ", keys, ", trace: ", keepTrace))
	return nil
}

func (k *keyring) GiveAPIKey(_ context.Context, _ record.App, _ record.UserID, key string) (bool, error) {
	*k.log = append(*k.log, k.name+" gets "+key)
	k.current = key
	return true, nil
}

func TestWhatIsDoneToTheKeysOfEachStore(t *testing.T) {
	t.Parallel()
	var log []string
	key := func(text string, authenticates bool) record.Entry {
		return record.Entry{Apps: record.AllApps, APIKey: text, Authenticates: authenticates}
	}
	mongo := &keyring{name: "MongoDB", log: &log, found: []record.Entry{key("half", false), key("old", true), key("stray", true)}}
	redis := &keyring{name: "Redis", log: &log, found: []record.Entry{key("older", true), key("older", true)}}
	l := persistence.New(record.Fork, &persistence.Store{Name: "Redis", Persistence: redis}, &persistence.Store{Name: "MongoDB", Persistence: mongo})
	if _, err := l.RotateAPIKey(t.Context(), user, "new", false); err != nil {
		t.Fatal(err)
	}
	want := []string{"Redis loses [older], trace: true", "MongoDB loses [stray], trace: true", "MongoDB gets new", "Redis gets new"}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Errorf("a rotation: -want +got\n%s", diff)
	}
	log = nil
	if _, err := l.RevokeAPIKeys(t.Context(), user, false); err != nil {
		t.Fatal(err)
	}
	want = []string{"MongoDB loses [old stray], trace: false", "Redis loses [older], trace: false"}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Errorf("a revocation: -want +got\n%s", diff)
	}
}

// TestARevocationBetweenTheStoresOfARotation has another process revoke while the mirror does not have the new key yet.
func TestARevocationBetweenTheStoresOfARotation(t *testing.T) {
	t.Parallel()
	w := newWorld(record.Fork)
	w.mongo.SetAPIKey(user, "old")
	w.redis.SetAPIKey(user, "old")
	w.kill.check = func() {
		if w.kill.calls == 2 { // MongoDB has the new key
			if err := w.mongo.Persistence.RevokeAPIKeys(t.Context(), user, []string{"new"}, false); err != nil {
				t.Error(err)
			}
		}
	}
	_, err := w.RotateAPIKey(t.Context(), user, "new", false)
	if keys := w.keys(t); !errors.Is(err, persistence.ErrOtherKey) || len(keys) != 0 {
		t.Errorf("%v, and %d keys authenticate", err, len(keys))
	}
}

// doubled is a store in which the app has inserted a second document with a key of its own.
type doubled struct{ store }

func (d doubled) Entries(ctx context.Context, kind record.Kind, user record.UserID) ([]record.Entry, error) {
	entries, err := d.store.Entries(ctx, kind, user)
	return append(entries, record.Entry{Place: "another", Apps: record.AllApps, APIKey: "the app's", Authenticates: true}), err
}

func TestASecondKeyBesideTheNewOneIsNoticed(t *testing.T) {
	t.Parallel()
	w := newWorld(record.Fork)
	w.Stores[0].Persistence = doubled{w.mongo}
	if _, err := w.RotateAPIKey(t.Context(), user, "new", false); !errors.Is(err, persistence.ErrOtherKey) {
		t.Errorf("got %v", err)
	}
}
