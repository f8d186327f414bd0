package storetest

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
)

// checkpoints needs an empty target, which can hold r.
func checkpoints(t *testing.T, target Target, r record.Record) {
	ctx := context.Background()
	collection := record.CollectionOf(r.Kind).String()
	store := target.Checkpoints
	c := record.Checkpoint{
		ID: "run", Scope: "scope", Owner: me, Heartbeat: Now, Target: map[string]string{"kv": "1"}, RejectsFile: "/tmp/r",
		Positions: map[string]string{"127.0.0.1:6379": "17", "$x.y": "1"}, State: []byte(`{"a":1}`),
	}
	save := func(c record.Checkpoint, from record.Owner, want bool) {
		t.Helper()
		got, err := store.Save(ctx, c, from)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("save of %s by %s from %s: %v, want %v", c.ID, c.Owner.Run, from.Run, got, want)
		}
	}
	find := func(scope string) []record.Checkpoint {
		t.Helper()
		found, err := store.Find(ctx, scope)
		if err != nil {
			t.Fatal(err)
		}
		for i := range found {
			found[i].Heartbeat = found[i].Heartbeat.UTC()
		}
		return found
	}

	save(c, me, true)
	if d := cmp.Diff([]record.Checkpoint{c}, find("scope")); d != "" {
		t.Errorf("found (-saved +found):\n%s", d)
	}
	if found := find("another"); len(found) != 0 {
		t.Errorf("found %d checkpoints of another scope", len(found))
	}
	c.Positions["127.0.0.1:6379"] = "18"
	save(c, me, true)
	taken := c
	taken.Owner = other
	save(taken, me, true)
	save(c, me, false)
	if found := find("scope"); len(found) != 1 || found[0].Owner != other {
		t.Errorf("after the takeover: %+v", found)
	}
	if err := store.Remove(ctx, "run"); err != nil {
		t.Fatal(err)
	}
	if found := find("scope"); len(found) != 0 {
		t.Errorf("found %d checkpoints after removal", len(found))
	}

	write(t, target, []record.Record{r})
	was, err := store.Target(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if was[collection] == "" {
		t.Fatalf("the target's identity does not name its collection: %v", was)
	}
	target.Drop()
	write(t, target, []record.Record{r})
	now, err := store.Target(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if now[collection] == was[collection] {
		t.Error("a collection that was dropped and made anew has its old identity")
	}
}
