package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// failer is a test, or one try of a property.
type failer interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// readBack returns all that the target holds of a kind by user. It fails where a document comes twice.
func readBack(t failer, target Target, kind record.Kind) map[record.UserID]record.Document {
	t.Helper()
	documents := make(map[record.UserID]record.Document)
	err := target.Reader.Read(context.Background(), kind, func(page []record.Document) error {
		if len(page) == 0 {
			t.Errorf("an empty page of %s", kind)
		}
		for _, s := range page {
			if _, twice := documents[s.User]; twice || s.Kind != kind || s.Name != (record.Name{}) {
				t.Errorf("%s of user %s, named %q, among those of %s (delivered before: %v)", s.Kind, s.User, s.Name, kind, twice)
			}
			documents[s.User] = s
		}
		return nil
	})
	if err != nil {
		t.Fatalf("read %s back: %v", kind, err)
	}
	return documents
}

// checkReadBack compares what the target delivers with what is there.
func checkReadBack(t failer, target Target) {
	t.Helper()
	CheckDigests(t, target.Reader)
	for _, kind := range record.LanyardKinds.List() {
		all := target.All(kind)
		seen := int64(0)
		want, got := make(map[record.UserID]record.Held), make(map[record.UserID]record.Held)
		for user, d := range all {
			want[user] = heldIn(d, kind, record.Identity{User: user})
			if !d.Hidden {
				seen++
			}
		}
		for user, s := range readBack(t, target, kind) {
			got[user] = s.Held
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s read back (-there +delivered):\n%s", kind, d)
		}
		n, err := target.Reader.Count(context.Background(), kind)
		if err != nil {
			t.Fatalf("count %s: %v", kind, err)
		}
		if n != seen {
			t.Errorf("%d documents of %s that the app sees are counted as %d", seen, kind, n)
		}
	}
}

// CheckDigests compares the digests that a target delivers of Lanyard's kinds with what the documents say that it delivers.
func CheckDigests(t failer, h record.TargetReader) {
	t.Helper()
	CheckDigestsOf(t, h, record.LanyardKinds)
}

// CheckDigestsOf is [CheckDigests] of other kinds.
func CheckDigestsOf(t failer, h record.TargetReader, kinds record.Kinds) {
	t.Helper()
	for _, kind := range kinds.List() {
		want, got := make(map[record.DocumentDigest]int), make(map[record.DocumentDigest]int)
		err := h.Read(context.Background(), kind, func(page []record.Document) error {
			for _, d := range page {
				want[d.Digest(Now)]++
			}
			return nil
		})
		if err == nil {
			err = h.ReadDigests(context.Background(), kind, Now, func(page []record.DocumentDigest) error {
				for _, d := range page {
					got[d]++
				}
				clear(page) // it may be used again
				return nil
			})
		}
		if err != nil {
			t.Fatalf("read %s: %v", kind, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("digests of %s (-documents +delivered):\n%s", kind, d)
		}
		if n, err := h.Estimate(context.Background(), kind); err != nil || (n == 0) != (len(want) == 0) {
			t.Errorf("%d documents of %s are estimated as %d: %v", len(want), kind, n, err)
		}
	}
}

// heldIn returns what a document holds.
func heldIn(d mem.Document, kind record.Kind, id record.Identity) record.Held {
	content := record.Record{Kind: kind, User: id.User, Name: id.Name, APIKey: d.APIKey, Fields: make(map[string]record.Field)}
	for name, v := range d.Fields {
		content.Fields[name] = record.Field{Value: v}
	}
	unmodified := record.Unmodified(content, d.Mark)
	if kind.Shape() == record.TimeShape {
		unmodified = record.UnmodifiedTime(kind, id.User, d.Times, d.Mark)
	}
	return record.Held{
		Found: true, Unmodified: unmodified,
		APIKey: d.APIKey, Times: d.Times, Fields: d.Fields, Malformed: d.Junk, Untyped: d.Hidden,
	}
}

// checkNothingIsLeftToDo compares what a batch was to write with what stands then. Records in conflict are left out, and
// API keys that the policy left with another user: a document does not tell who that is.
func checkNothingIsLeftToDo(t failer, target Target, batch []record.Record, outcomes []record.Outcome, o record.CompareOptions) {
	t.Helper()
	last := make(map[record.Kind]map[record.UserID]int)
	for i, r := range batch {
		if last[r.Kind] == nil {
			last[r.Kind] = make(map[record.UserID]int)
		}
		last[r.Kind][r.User] = i
	}
	for kind, users := range last {
		documents := readBack(t, target, kind)
		for user, i := range users {
			if outcomes[i].Status == record.Conflicted || kind == record.APIKeys && o.Policy == record.PreferTarget && outcomes[i].Superseded > 0 {
				continue
			}
			s, exists := documents[user]
			if !exists {
				t.Errorf("%s of user %s is in column %d, and not there", kind, user, outcomes[i].Status)
				continue
			}
			if found := record.Compare(batch[i], s, o).Differences; len(found) > 0 {
				t.Errorf("%s of user %s is in column %d, and differs: %v", kind, user, outcomes[i].Status, found)
			}
			if c := s.Content(o.Now); c.Mistyped && kind != record.Metrics { // another counter may be
				t.Errorf("%s of user %s is in column %d, and in a type that the app cannot read", kind, user, outcomes[i].Status)
			}
		}
	}
}

// foundAgain writes random records into an empty target: what stands there then is exactly what was written.
func foundAgain(t *testing.T, open Open, texts bool) {
	rapid.Check(t, func(rt *rapid.T) {
		o := Options{
			Policy: rapid.SampledFrom([]record.Policy{record.FailOnConflict, record.PreferSource, record.PreferTarget}).Draw(rt, "policy"),
			Mirror: !texts && rapid.Bool().Draw(rt, "mirror"), Now: clock, Texts: texts,
		}
		target := open(t, o)
		batch := onceEach(oneKeyEach(rapid.SliceOfN(Records(), 1, 12).Draw(rt, "batch")))
		got := write(t, target, batch)
		checkNothingIsLeftToDo(rt, target, batch, got.Outcomes, record.CompareOptions{Policy: o.Policy, Now: Now, Exact: true})
		for _, r := range batch {
			s := readBack(rt, target, r.Kind)[r.User]
			if c := s.Content(Now); !c.Complete || c.Record.Digest() != r.Digest() {
				rt.Errorf("%s of user %s has another digest, or is not plain (%v)", r.Kind, r.User, c.Complete)
			}
			if want := !r.Kind.Ordered() || o.Mirror && r.Kind.Identified(); s.Held.Unmodified != want {
				rt.Errorf("%s of user %s is known as what was written: %v", r.Kind, r.User, !want)
			}
		}
	})
}

// onceEach leaves out all records of a user and kind but the first.
func onceEach(batch []record.Record) []record.Record {
	type key struct {
		kind record.Kind
		user record.UserID
	}
	var kept []record.Record
	there := make(map[key]bool)
	for _, r := range batch {
		if k := (key{r.Kind, r.User}); !there[k] {
			there[k] = true
			kept = append(kept, r)
		}
	}
	return kept
}

func emptyTarget(t *testing.T, open Open) {
	target := open(t, Options{Now: clock})
	checkReadBack(t, target)
	if got, want := target.Reader.Limits(), target.Sink.Limits(); got != want {
		t.Errorf("limits %+v, the sink has %+v", got, want)
	}
}

// readingStops ends a reading from within and from outside.
func readingStops(t *testing.T, open Open) {
	target := open(t, Options{Now: clock})
	var batch []record.Record
	for i := range record.UserID(20) {
		batch = append(batch, seen(alice+i, 1700000000000))
	}
	write(t, target, batch)
	readerStops(t, target.Reader, record.LastSeen)
	checkReadBack(t, target)
}

func readerStops(t *testing.T, h record.TargetReader, kind record.Kind) {
	t.Helper()
	firstIsEnough(t, func(yield func([]record.Document) error) error {
		return h.Read(context.Background(), kind, yield)
	})
	firstIsEnough(t, func(yield func([]record.DocumentDigest) error) error {
		return h.ReadDigests(context.Background(), kind, Now, yield)
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := h.Read(ctx, kind, func([]record.Document) error { return fmt.Errorf("called") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after the context was cancelled: %v", err)
	}
	err = h.ReadDigests(ctx, kind, Now, func([]record.DocumentDigest) error { return fmt.Errorf("called") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after the context was cancelled: %v", err)
	}
}
