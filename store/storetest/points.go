package storetest

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// readPoints returns what the target holds of the users by user. It fails where a document comes twice.
func readPoints(t failer, target Target, kind record.Kind, users []record.UserID) map[record.UserID]record.Document {
	t.Helper()
	documents := make(map[record.UserID]record.Document)
	err := target.Points.ReadUsers(context.Background(), kind, users, func(page []record.Document) error {
		for _, s := range page {
			if _, twice := documents[s.User]; twice {
				t.Errorf("a document of %s of user %s came twice", kind, s.User)
			}
			documents[s.User] = s
		}
		return nil
	})
	if err != nil {
		t.Fatalf("read %s of some users: %v", kind, err)
	}
	return documents
}

// someUsers reads a few users, and more than a command names, of a target that holds others, too.
func someUsers(t *testing.T, open Open) {
	target := open(t, Options{Now: clock, Before: func(put func(record.Kind, record.UserID, mem.Document)) {
		put(record.KV, bob, mem.Document{Fields: values{"a": "app"}})
		put(record.Metrics, 0, mem.Document{Fields: values{"lanyard_2xx_responses": int64(7)}})
	}})
	var batch []record.Record
	for i := range record.UserID(120) {
		batch = append(batch, seen(alice+i, 1700000000000+int64(i)))
	}
	write(t, target, append(batch, kv(alice, values{"a": "1"}), apiKey(alice, keyA)))
	var many []record.UserID
	for i := range record.UserID(2500) {
		many = append(many, alice+100+i)
	}
	for _, kind := range record.LanyardKinds.List() {
		all := readBack(t, target, kind)
		for _, users := range [][]record.UserID{nil, {alice}, {alice, bob, alice}, {1}, many} {
			want := maps.Clone(all)
			maps.DeleteFunc(want, func(user record.UserID, _ record.Document) bool {
				return kind != record.Metrics && !slices.Contains(users, user)
			})
			if d := cmp.Diff(want, readPoints(t, target, kind, users), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%s of %d users (-there +delivered):\n%s", kind, len(users), d)
			}
		}
	}
	firstIsEnough(t, func(yield func([]record.Document) error) error {
		return target.Points.ReadUsers(context.Background(), record.LastSeen, many, yield)
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := target.Points.ReadUsers(ctx, record.LastSeen, many, func([]record.Document) error { return errors.New("called") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after the context was cancelled: %v", err)
	}
}
