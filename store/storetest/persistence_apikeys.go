package storetest

import (
	"context"
	"slices"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
)

const keyC = "cccccccccccccccccccccccccccccccc" // of the older form

// authenticating returns those of the keys of the entries that authenticate, in order.
func authenticating(entries []record.Entry) []string {
	var keys []string
	for _, e := range entries {
		if e.Authenticates {
			keys = append(keys, e.APIKey)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// hasKeys checks the API keys of a user: by what the app finds, and by what the store says of users and of keys.
func (target PersistenceTarget) hasKeys(t testing.TB, user record.UserID, want ...string) {
	t.Helper()
	ctx := context.Background()
	everything, err := target.Persistence.FindAPIKeys(ctx, user)
	if err != nil {
		t.Fatal(err)
	}
	for how, entries := range map[string][]record.Entry{"by the user": target.entries(t, record.APIKeys, user), "among all": everything} {
		if got := authenticating(entries); !slices.Equal(got, want) {
			t.Errorf("user %s is authenticated by %q, looked up %s, want %q", user, got, how, want)
		}
	}
	for _, key := range []string{keyA, keyB, keyC} {
		owners, err := target.Persistence.KeyOwners(ctx, key)
		if err != nil {
			t.Fatal(err)
		}
		is := slices.ContainsFunc(owners, func(o record.KeyOwner) bool { return o.User == user })
		if wanted := slices.Contains(want, key); is != wanted || (target.UserOf(key) == user) != wanted {
			t.Errorf("the key %s is of %+v, for the app of %s; want user %s: %t", key, owners, target.UserOf(key), user, wanted)
		}
	}
}

// give gives a key to the user, who has one or a trace of one.
func (target PersistenceTarget) give(t testing.TB, user record.UserID, key string) {
	t.Helper()
	given, err := target.Persistence.GiveAPIKey(context.Background(), target.App, user, key)
	if err != nil || !given {
		t.Fatalf("given: %t, %v", given, err)
	}
}

func (target PersistenceTarget) revoke(t testing.TB, user record.UserID, keepTrace bool) {
	t.Helper()
	ctx := context.Background()
	entries, err := target.Persistence.FindAPIKeys(ctx, user)
	if err == nil {
		err = target.Persistence.RevokeAPIKeys(ctx, user, authenticating(entries), keepTrace)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func keysFound(t *testing.T, target PersistenceTarget) {
	target.SetAPIKey(alice, keyA)
	target.SetAPIKey(bob, keyB)
	target.hasKeys(t, alice, keyA)
	target.hasKeys(t, bob, keyB)
	owners, err := target.Persistence.KeyOwners(context.Background(), keyA)
	if err != nil || len(owners) != 1 || owners[0].Place == "" || owners[0].Fault != "" {
		t.Errorf("owners: %+v, %v", owners, err)
	}
	for _, e := range target.entries(t, record.APIKeys, alice) {
		if e.Empty(record.APIKeys) || !target.KeysElsewhere && !e.Apps.Has(target.App) {
			t.Errorf("%+v", e)
		}
	}
}

func keysGiven(t *testing.T, target PersistenceTarget) {
	target.SetAPIKey(bob, keyB)
	if target.KeysElsewhere {
		given, err := target.Persistence.GiveAPIKey(context.Background(), target.App, alice, keyC)
		if err != nil || given {
			t.Errorf("where there is nothing of the user: given: %t, %v", given, err)
		}
		target.hasKeys(t, alice)
		target.SetAPIKey(alice, keyC)
	} else {
		target.give(t, alice, keyC)
	}
	target.hasKeys(t, alice, keyC)
	for range 2 {
		target.give(t, alice, keyA)
		target.hasKeys(t, alice, keyA)
	}
	target.give(t, alice, keyC)
	target.hasKeys(t, alice, keyC)
	target.hasKeys(t, bob, keyB)
	target.give(t, bob, keyB)
	target.hasKeys(t, bob, keyB)
}

func keysRevoked(t *testing.T, target PersistenceTarget) {
	target.SetAPIKey(alice, keyA)
	target.SetAPIKey(bob, keyB)
	target.revoke(t, alice, true)
	target.hasKeys(t, alice)
	target.revoke(t, alice, true)
	target.hasKeys(t, alice)
	target.give(t, alice, keyC) // also where the app keeps its keys elsewhere: a trace stayed
	target.hasKeys(t, alice, keyC)
	for range 2 {
		target.revoke(t, alice, false)
		target.hasKeys(t, alice)
		if entries := target.entries(t, record.APIKeys, alice); len(entries) > 0 {
			t.Errorf("%+v", entries)
		}
	}
	if target.KeysElsewhere {
		given, err := target.Persistence.GiveAPIKey(context.Background(), target.App, alice, keyA)
		if err != nil || given {
			t.Errorf("without a trace: given: %t, %v", given, err)
		}
	}
	// One that the user is given after somebody looked.
	target.SetAPIKey(alice, keyA)
	if err := target.Persistence.RevokeAPIKeys(context.Background(), alice, []string{keyC}, false); err != nil {
		t.Fatal(err)
	}
	target.hasKeys(t, alice)
	target.hasKeys(t, bob, keyB)
}
