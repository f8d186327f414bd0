package record_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	. "github.com/lanyardctl/lanyardctl/record"
)

// TestWhatADocumentSaysExactlyIsMergedWithoutAChange is the law by which a run spares records their batch.
func TestWhatADocumentSaysExactlyIsMergedWithoutAChange(t *testing.T) {
	seen := make(map[Kind]int)
	law := func(t *rapid.T) {
		r, doc := genPair(t)
		if doc.Kind != r.Kind || doc.Identity() != r.Identity() {
			return
		}
		digest := doc.Digest(now)
		if digest.Hash != r.Identity().Hash() {
			t.Errorf("hash %x, the record has %x", digest.Hash, r.Identity().Hash())
		}
		if !digest.SaysExactly(r.Digest()) {
			return
		}
		seen[r.Kind]++
		for policy := range PreferTarget + 1 {
			d := Merge(r, Existing{Held: doc.Held}, TimeBounds(r.Kind, r.User, now), policy)
			if d.Status != Unchanged || d.Write || len(d.Superseded)+len(d.Rejects) > 0 {
				t.Errorf("%+v says %+v exactly, and is merged by %s to %+v", doc, r, policy, d)
			}
		}
	}
	unmet := func(k Kind) bool { return k.Identified() && seen[k] == 0 }
	// By chance, some kind may not be met at once.
	for tries := 0; tries == 0 || tries < 3 && slices.ContainsFunc(LanyardKinds.List(), unmet); tries++ {
		rapid.Check(t, law)
	}
	for _, kind := range LanyardKinds.List() {
		if (seen[kind] > 0) != kind.Identified() {
			t.Errorf("%d documents of %s say exactly what a record does", seen[kind], kind)
		}
	}
}
