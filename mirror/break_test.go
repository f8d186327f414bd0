package mirror_test

import (
	"testing"
	"testing/synctest"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

func apiKeyOf(user record.UserID, key string) record.Record {
	return record.Record{Kind: record.APIKeys, User: user, APIKey: key}
}

// TestAPIKeysPassBetweenUsers has users take over each other's keys at once, so that no order of single writes would do.
func TestAPIKeysPassBetweenUsers(t *testing.T) {
	for name, policy := range map[string]record.Policy{"fail": record.FailOnConflict, "source": record.PreferSource, "target": record.PreferTarget} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.merge(policy)
				for u := range record.UserID(6) {
					w.set(apiKeyOf(u+1, string('a'+rune(u))))
				}
				job, stop := w.run(t)
				w.following(t, job)
				for u, key := range map[record.UserID]string{1: "b", 2: "a", 3: "d", 4: "e", 5: "c"} {
					w.set(apiKeyOf(u, key))
				}
				until(t, "what passed", w.equal)
				w.following(t, job)
				if r := stop(); r.Conflicts != 0 || r.Reconciled != 1 {
					t.Errorf("%d conflicts, %d comparisons", r.Conflicts, r.Reconciled)
				}
			})
		})
	}
}

// merge has the target merge by a policy.
func (w *world) merge(policy record.Policy) {
	w.target = mem.New(mem.Options{Mirror: true, Policy: policy})
	w.opts.Target = w.target
}
