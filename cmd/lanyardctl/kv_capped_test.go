package main

import (
	"os/exec"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// A capped collection would drop documents of other users for the new one.
func TestNoPairIsWrittenToACappedCollection(t *testing.T) {
	t.Parallel()
	target := mongoserver.New(t)
	if err := target.Connect(t).CreateCollection(t.Context(), "kv", options.CreateCollection().SetCapped(true).SetSizeInBytes(4096)); err != nil {
		t.Fatal(err)
	}
	for command, code := range map[string]int{"kv set " + hostileUser + " a=1": 1, "kv list " + hostileUser: 0, "apikey revoke " + hostileUser: 0} {
		cmd := exec.Command(ferretdb.Build(t), strings.Fields(command)...)
		cmd.Env = target.Env()
		out, _ := cmd.CombinedOutput() // the exit code tells
		if got := cmd.ProcessState.ExitCode(); got != code || strings.Contains(string(out), "is capped") != (code == 1) {
			t.Errorf("%s: exit status %d, want %d\n%s", command, got, code, out)
		}
	}
}
