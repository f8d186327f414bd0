package mongo_test

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/store/mongo"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// A database each time is slow to make; a longer run asks for more with -rapid.checks.
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("25"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	mongo.SetHeartbeatWait(20 * time.Second)
	os.Exit(m.Run())
}
