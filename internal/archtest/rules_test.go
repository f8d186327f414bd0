// Package archtest holds the rooms of the house apart: who may import whom, and who may touch the process.
package archtest

import (
	"strings"
)

const module = "github.com/lanyardctl/lanyardctl/"

// Imports from outside, by what they are for.
const (
	syncs      = "golang.org/x/sync"
	rates      = "golang.org/x/time/rate"
	redisLib   = "github.com/redis/go-redis/v9"
	mongoLib   = "go.mongodb.org/mongo-driver/v2"
	ferretDB   = "github.com/FerretDB/FerretDB/ferretdb"
	wireLib    = "github.com/FerretDB/wire"
	flock      = "github.com/gofrs/flock"
	rdbLib     = "github.com/hdt3213/rdb"
	discordLib = "github.com/bwmarrin/discordgo"
	prometheus = "github.com/prometheus"
)

// room is a package, or all packages below a folder where its name ends with "/...". Besides the standard library its
// code, tests apart, imports only what may name, in the same notation; "*" stands for everything but storetest: for tests alone.
type room struct {
	name string
	may  []string
}

// rooms are in order: the first that fits a package counts. A package without a room fails the test.
var rooms = []room{
	{"cmd/lanyardctl", []string{
		module + "internal/demo", module + "internal/descriptors", module + "internal/exit", module + "internal/invocation",
		module + "internal/lease", module + "internal/location", module + "internal/observe", module + "internal/ownfile", module + "internal/process", module + "mirror",
		module + "internal/redact", module + "internal/rejectsfile", module + "internal/report", module + "internal/retry", module + "internal/scrape", module + "internal/ui", module + "migrate", module + "persistence", module + "record", module + "restore",
		module + "store/embedded", module + "store/layout", module + "sweep", module + "testdata", module + "verify",
		"github.com/coreos/go-systemd/v22/daemon", "github.com/dustin/go-humanize/...", "github.com/spf13/cobra", "github.com/spf13/pflag",
	}},
	{"record", nil},
	{"internal/descriptors", nil},
	{"internal/handshake", nil},
	{"internal/redact", []string{module + "record"}},
	{"internal/retry", []string{module + "record"}},
	{"internal/lease", []string{module + "internal/retry", module + "record"}},
	{"internal/ui", []string{module + "internal/redact", "github.com/dustin/go-humanize/...", "github.com/mattn/go-runewidth", "github.com/schollz/progressbar/v3", "golang.org/x/term"}},
	{"internal/exit", []string{module + "internal/ui", module + "record"}},
	{"internal/exit/exittest", []string{module + "internal/exit"}},
	{"internal/location", []string{
		module + "internal/exit", module + "internal/handshake", module + "internal/redact", module + "internal/retry", module + "internal/ui",
		module + "record",
		"github.com/dustin/go-humanize/english",
		module + "store/discord", module + "store/dynamo", module + "store/embedded", module + "store/layout", module + "store/mongo", module + "store/rdb", module + "store/redis",
	}},
	{"internal/demo", []string{module + "store/embedded", mongoLib + "/..."}},
	{"internal/golden", []string{"github.com/google/go-cmp/cmp"}},
	{"internal/ownfile", nil},
	{"internal/scrape", []string{module + "record", prometheus + "/client_model/go", prometheus + "/common/expfmt"}},
	{"internal/observe", []string{module + "mirror", module + "record", prometheus + "/client_golang/..."}},
	{"internal/rejectsfile", []string{module + "internal/ownfile", module + "record"}},
	{"internal/process", []string{module + "internal/exit", "golang.org/x/sys/unix"}},
	{"internal/report", []string{
		module + "internal/exit", module + "internal/invocation", module + "internal/ownfile", module + "internal/redact",
		module + "internal/rejectsfile", module + "internal/ui", module + "migrate", module + "mirror", module + "persistence", module + "record", module + "restore", module + "sweep",
		module + "verify",
	}},
	{"internal/invocation", []string{module + "internal/redact", module + "internal/ui", "github.com/spf13/pflag"}},
	{"migrate", []string{module + "internal/lease", module + "internal/rejectsfile", module + "internal/retry", module + "record", syncs + "/..."}},
	{"verify", []string{module + "internal/retry", module + "record", syncs + "/..."}},
	{"sweep", []string{module + "internal/lease", module + "internal/retry", module + "record", syncs + "/..."}},
	{"mirror", []string{module + "internal/lease", module + "internal/rejectsfile", module + "internal/retry", module + "record", syncs + "/..."}},
	{"restore", []string{module + "internal/retry", module + "record"}},
	{"persistence", []string{module + "internal/retry", module + "record", "github.com/rivo/uniseg"}},
	{"store/layout", []string{module + "record"}},
	{"store/discord", []string{module + "internal/redact", module + "internal/retry", module + "record", discordLib}},
	{"store/rdb", []string{module + "record", module + "store/layout", rdbLib + "/..."}},
	{"store/redis", []string{module + "internal/handshake", module + "internal/redact", module + "internal/retry", module + "record", module + "store/layout", redisLib + "/...", syncs + "/...", rates}},
	{"store/mongo", []string{module + "internal/handshake", module + "internal/redact", module + "internal/retry", module + "record", mongoLib + "/...", syncs + "/..."}},
	{"store/dynamo", []string{module + "internal/redact", module + "internal/retry", module + "record", "github.com/aws/...", syncs + "/...", rates}},
	{"store/mem", []string{module + "record"}},
	{"store/embedded", []string{ferretDB, flock}},
	{"store/storetest/...", []string{"*", module + "store/storetest/..."}},
	{"internal/testtable", []string{module + "store/storetest/ferretdb", module + "store/storetest/mongoserver"}},
	{"bench", []string{module + "bench/countingserver", module + "bench/yardstick", redisLib, "github.com/dustin/go-humanize"}},
	{"bench/yardstick", []string{module + "internal/process", mongoLib + "/...", rdbLib + "/parser", redisLib, syncs + "/..."}},
	{"bench/countingserver", []string{wireLib + "/...", mongoLib + "/..."}},
	{"testdata", nil},
	{"testdata/seed", []string{redisLib}},
	{"testdata/dynamodb", []string{"github.com/aws/..."}},
}

// forbidden are the uses of the standard library that belong to cmd alone, by package. An empty list is the package as
// a whole.
var forbidden = map[string][]string{
	"flag":      nil,
	"log":       nil,
	"log/slog":  nil,
	"os":        {"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Exit", "Args", "Stdin", "Stdout", "Stderr"},
	"os/signal": nil,
	"fmt":       {"Print", "Printf", "Println"},
}

// excused are the rooms that forbidden does not bind, and why.
var excused = map[string]string{
	"cmd/lanyardctl":       "it is the only place that knows flags, variables and terminals",
	"store/storetest/...":  "tests are set up by variables",
	"internal/testtable":   "it is a command",
	"bench":                "it is a command",
	"internal/exit":        "it is how the process ends, by itself or by a signal",
	"internal/golden":      "its flag is for tests",
	"internal/process":     "it is about what the process is given",
	"internal/ui":          "it writes log lines for people",
	"internal/descriptors": "it ends a process that cannot begin",
	"testdata/seed":        "it is a command",
	"testdata/dynamodb":    "it is a command",
	"store/embedded":       "it gives FerretDB a logger that discards everything",
}

// roomOf returns the room of the package with the import path.
func roomOf(path string) (room, bool) {
	for _, r := range rooms {
		if fits(module+r.name, path) {
			return r, true
		}
	}
	return room{}, false
}

// allows tells whether the room's code may import path.
func (r room) allows(path string) bool {
	if standard(path) {
		return true
	}
	for _, pattern := range r.may {
		if fits(pattern, path) || pattern == "*" && !fits(module+"store/storetest/...", path) {
			return true
		}
	}
	return false
}

func fits(pattern, path string) bool {
	if folder, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == folder || strings.HasPrefix(path, folder+"/")
	}
	return path == pattern
}

// standard tells whether path is of the standard library, whose first element has no dot.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}
