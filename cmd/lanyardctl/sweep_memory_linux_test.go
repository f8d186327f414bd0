package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// TestASweepTakesLittleMemory sweeps users (LANYARDCTL_TEST_SWEPT of them) of whom 50 have a wrong date.
func TestASweepTakesLittleMemory(t *testing.T) {
	t.Parallel()
	users := numberFrom(t, "LANYARDCTL_TEST_SWEPT", 10_000)
	target := mongoserver.New(t)
	db := target.Connect(t)
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
	peak, out := peakOf(t, target.Env(), ferretdb.Build(t), "sweep", "--progress", "none")
	t.Logf("%d users: peak memory %d KiB\n%s", users, peak, out)
	if peak > 128<<10 {
		t.Errorf("peak memory %d KiB", peak)
	}
}

// peakVariable tells the test's own process that it is to measure the command in its arguments.
const peakVariable = "LANYARDCTL_TEST_MEASURES"

// peakOf runs a command with more variables and returns its peak memory in KiB. Linux counts what the parent of a process takes as the
// process's, and this one has run other tests. So another one that has not is the parent.
func peakOf(t *testing.T, env []string, command ...string) (kib int64, out string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], append([]string{"-test.run=^TestMeasuringACommand$", "-test.v", "--"}, command...)...)
	cmd.Env = append(append(os.Environ(), env...), peakVariable+"=1")
	text, err := cmd.CombinedOutput()
	out = string(text)
	match := regexp.MustCompile(`peak=([0-9]+)`).FindStringSubmatch(out)
	if err != nil || match == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if kib, err = strconv.ParseInt(match[1], 10, 64); err != nil {
		t.Fatal(err)
	}
	return kib, out
}

// TestMeasuringACommand is what [peakOf] runs.
func TestMeasuringACommand(t *testing.T) {
	if os.Getenv(peakVariable) == "" {
		t.Skip("measures for another test")
	}
	command := flag.Args()
	cmd := exec.Command(command[0], command[1:]...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState.ExitCode() != exit.Rejects {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s\npeak=%d", out, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
}
