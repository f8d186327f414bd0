package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
)

// Runs checks that a target without runs keeps the last of each command.
func Runs(t *testing.T, runs record.Runs) {
	holds := func(want ...record.EndedRun) {
		t.Helper()
		got, err := runs.LastRuns(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("the last runs (-want +got):\n%s", d)
		}
	}
	save := func(r record.EndedRun) {
		t.Helper()
		if err := runs.SaveRun(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	holds()
	migrated := record.EndedRun{
		Command: "migrate redis-to-mongo", Options: "--only kv", Version: "v1", Host: "here",
		StartedAt: Now, EndedAt: Now.Add(time.Minute), Exit: 3, Read: 15, Inserted: 1, Updated: 2, Conflicts: 4, Rejected: 8,
	}
	save(migrated)
	other := record.EndedRun{Command: "another", StartedAt: Now, EndedAt: Now}
	save(other)
	holds(other, migrated)
	migrated = record.EndedRun{Command: migrated.Command, StartedAt: Now.Add(time.Hour), EndedAt: Now.Add(2 * time.Hour)}
	save(migrated)
	holds(other, migrated)
}
