package main

import (
	"fmt"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
)

// TestASweepTakesLittleMemory sweeps users (LANYARDCTL_TEST_SWEPT of them) of whom 50 have a wrong date.
func TestASweepTakesLittleMemory(t *testing.T) {
	t.Parallel()
	users := numberFrom(t, "LANYARDCTL_TEST_SWEPT", 10_000)
	server := ferretdb.Start(t)
	db := openDatabase(t, server.URI)
	for _, name := range []string{"monitoring", "users"} {
		var batch []any
		for i := range users {
			// A step of more than 4 million is one of a millisecond, and every date is after the account's creation.
			user := fmt.Sprint(94490510688792576 + i*4_200_000)
			since := any(int32(1650000000 + i%1000000))
			if name == "users" && i%(users/50) == 0 {
				since = int32(1640000000)
			}
			batch = append(batch, bson.D{{Key: "user_id", Value: user}, {Key: "since", Value: since}})
			if len(batch) == 5000 || i == users-1 {
				if _, err := db.Collection(name).InsertMany(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
				batch = slices.Delete(batch, 0, len(batch))
			}
		}
	}
	cmd := exec.Command(ferretdb.Build(t), "sweep", "--mongo", server.URI, "--progress", "none")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss
	t.Logf("%d users: peak memory %d KiB\n%s", users, peak, out)
	if peak > 128<<10 {
		t.Errorf("peak memory %d KiB", peak)
	}
}
