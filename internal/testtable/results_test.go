package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// told is what two runs of go test -json tell, without the times. A package does not build; another ends in the midst of a
// test, and one fails after its tests.
const told = `
{"Action":"start","Package":"github.com/lanyardctl/lanyardctl/store/mongo"}
{"Action":"run","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestConformance"}
{"Action":"attr","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestConformance","Key":"server","Value":"named"}
{"Action":"run","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestConformance/a/b"}
{"Action":"run","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestConformance/a/c"}
{"Action":"output","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestConformance/a/c","Output":"=== RUN   TestConformance/a/c\n"}
{"Action":"output","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestConformance/a/c","Output":"    x_test.go:7: one document too many\n"}
{"Action":"pass","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestConformance/a/b"}
{"Action":"fail","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestConformance/a/c"}
{"Action":"fail","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestConformance"}
{"Action":"run","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestProxy"}
{"Action":"attr","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestProxy","Key":"server","Value":"FerretDB"}
{"Action":"pass","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestProxy"}
{"Action":"run","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestPure"}
{"Action":"pass","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestPure"}
{"Action":"run","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestSkipped"}
{"Action":"output","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestSkipped","Output":"    x_test.go:9: needs: a disk\n"}
{"Action":"output","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestSkipped","Output":"--- SKIP: TestSkipped (0.00s)\n"}
{"Action":"skip","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestSkipped"}
{"Action":"fail","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Elapsed":1.25}
{"Action":"start","Package":"github.com/lanyardctl/lanyardctl/store/storetest"}
{"Action":"skip","Package":"github.com/lanyardctl/lanyardctl/store/storetest"}
{"ImportPath":"github.com/lanyardctl/lanyardctl/verify","Action":"build-output","Output":"verify.go:1: undefined: x\n"}
{"ImportPath":"github.com/lanyardctl/lanyardctl/verify","Action":"build-fail"}
{"Action":"start","Package":"github.com/lanyardctl/lanyardctl/verify"}
{"Action":"fail","Package":"github.com/lanyardctl/lanyardctl/verify","FailedBuild":"github.com/lanyardctl/lanyardctl/verify"}

{"Action":"start","Package":"github.com/lanyardctl/lanyardctl/record"}
{"Action":"run","Package":"github.com/lanyardctl/lanyardctl/record","Test":"TestThatPanics"}
{"Action":"output","Package":"github.com/lanyardctl/lanyardctl/record","Test":"TestThatPanics","Output":"panic: no\n"}
{"Action":"fail","Package":"github.com/lanyardctl/lanyardctl/record"}
{"Action":"start","Package":"github.com/lanyardctl/lanyardctl/sweep"}
{"Action":"run","Package":"github.com/lanyardctl/lanyardctl/sweep","Test":"TestFine"}
{"Action":"pass","Package":"github.com/lanyardctl/lanyardctl/sweep","Test":"TestFine"}
{"Action":"output","Package":"github.com/lanyardctl/lanyardctl/sweep","Output":"goleak: a goroutine\n"}
{"Action":"fail","Package":"github.com/lanyardctl/lanyardctl/sweep"}
{"Action":"start","Package":"github.com/lanyardctl/lanyardctl/store/mongo"}
{"Action":"run","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestPure"}
{"Action":"pass","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Test":"TestPure"}
{"Action":"pass","Package":"github.com/lanyardctl/lanyardctl/store/mongo","Elapsed":0.5}
`

const printed = `    x_test.go:7: one document too many
FAIL  store/mongo  1.2 s
verify.go:1: undefined: x
FAIL  verify  0.0 s
panic: no
FAIL  record  0.0 s
goleak: a goroutine
FAIL  sweep  0.0 s
ok    store/mongo  0.5 s

Tests, by where they ran. Of a test with subtests, these are counted; a package that failed as a whole is one.

package      MongoDB 5.0.7, standalone  FerretDB of its own  no server  skipped  failed
record                               0                    0          1        0       1
store/mongo                          2                    1          2        1       1
sweep                                0                    0          2        0       1
verify                               0                    0          1        0       1
---------------------------------------------------------------------------------------
total                                2                    1          6        1       4

On a FerretDB of their own, whatever server is named:
  store/mongo TestProxy

Skipped:
  store/mongo TestSkipped: needs: a disk

Failed:
  record TestThatPanics
  store/mongo TestConformance/a/c
  sweep
  verify
`

func TestTheTable(t *testing.T) {
	var out strings.Builder
	r := &results{out: &out}
	for run := range strings.SplitSeq(told, "\n\n") {
		r.begin()
		for line := range strings.SplitSeq(strings.TrimSpace(run), "\n") {
			var e event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			r.add(e)
		}
	}
	total := r.print("MongoDB 5.0.7, standalone")
	if d := cmp.Diff(printed, out.String()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if want := (counts{onNamed: 2, onFerretDB: 1, onNone: 6, skipped: 1, failed: 4}); total != want {
		t.Errorf("%+v, want %+v", total, want)
	}
}
