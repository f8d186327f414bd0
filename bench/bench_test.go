package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	mongooptions "go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/bench/countingserver"
	"github.com/lanyardctl/lanyardctl/bench/yardstick"
	"github.com/lanyardctl/lanyardctl/internal/golden"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
)

// TestMain lets the test's own binary be the children of a bench.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == asCountingServer || os.Args[1] == asTask) {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestTheMedianIsTheMiddleOne(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1, 2}, 2},
		{[]float64{4, 1, 9, 2}, 3},
	} {
		given := slices.Clone(test.values)
		if got := medianOf(test.values); got != test.want || !slices.Equal(given, test.values) {
			t.Errorf("%v: %v, and %v afterwards", given, got, test.values)
		}
	}
}

func TestRunsAreTakenInTurnsAndComparedTurnByTurn(t *testing.T) {
	t.Parallel()
	var order []string
	runs := func(name string, seconds ...float64) runner {
		return func(context.Context) (cost, error) {
			order = append(order, name)
			c := cost{Seconds: seconds[0]}
			seconds = seconds[1:]
			return c, nil
		}
	}
	costs, err := inTurns(t.Context(), 3, runs("ours", 2, 30, 4), runs("plain", 1, 10, 4))
	if err != nil || fmt.Sprint(order) != "[ours plain ours plain ours plain]" {
		t.Errorf("%v, %v", order, err)
	}
	// A slow turn was slow for both.
	if got := fmt.Sprint(ratios(costs[0], costs[1], seconds)); got != "[2 3 1]" {
		t.Errorf("ratios %s", got)
	}
	failure := errors.New("no")
	if _, err := inTurns(t.Context(), 3, func(context.Context) (cost, error) { return cost{}, failure }); !errors.Is(err, failure) {
		t.Errorf("%v", err)
	}
}

// someResults are made up.
func someResults() *results {
	o := &options{turns: 3}
	r := newResults(o)
	r.CPUs, r.System, r.Seconds = 2, "linux/amd64", 321
	counting := &target{name: targetCounting, label: "counting server: MongoDB's protocol"}
	costs := func(seconds ...float64) []cost {
		var all []cost
		for _, s := range seconds {
			all = append(all, cost{Seconds: s, CPU: s * 1.5, Peak: int64(s * (20 << 20))})
		}
		return all
	}
	for _, users := range []int{10_000, 160_000} {
		size, f := yardstick.Size{Users: users, Keys: users * 4, Documents: users * 3}, float64(users)/10_000
		ours, plain := costs(0.5*f, 0.4*f, 0.45*f), costs(0.3*f, 0.2*f, 0.15*f)
		r.add(counting, size, rowSource, ratios(ours, plain, seconds), ours, plain)
		r.add(counting, size, rowCPU, perKey(ours, size), ours, nil)
		r.addPoint(counting, users, lineOurs, ours)
		r.addPoint(counting, users, lineFork, costs(40*f*f))
	}
	r.addGrowth(counting)
	r.addPeak()
	return r
}

func TestTable(t *testing.T) {
	t.Parallel()
	golden.Compare(t, "table.txt", someResults().text())
}

func TestThePlotIsWellFormed(t *testing.T) {
	t.Parallel()
	r := someResults()
	r.Tables = append(r.Tables, &table{Target: "x", Label: "a & b <c>", Lines: []line{{Name: lineOurs, Points: []point{{1000, 0.1}}}}})
	for _, drawn := range []*results{r, newResults(&options{})} {
		elements, text := 0, drawn.plot()
		for dec := xml.NewDecoder(strings.NewReader(text)); ; elements++ {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
		}
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") || elements < 5 {
			t.Errorf("%d elements\n%s", elements, text)
		}
	}
}

func TestAnAxisBeginsAndEndsAtRoundValuesAroundItsPoints(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ low, high, first, last float64 }{
		{1000, 160_000, 1000, 200_000},
		{0.03, 4, 0.02, 5},
		{7, 7, 5, 10},
		{10, 10, 10, 20},
	} {
		a := axis{low: test.low, high: test.high, from: 0, to: 100}
		a.widen()
		if fmt.Sprintf("%.4g %.4g", a.low, a.high) != fmt.Sprintf("%.4g %.4g", test.first, test.last) {
			t.Errorf("%v to %v: from %v to %v", test.low, test.high, a.low, a.high)
		}
		if from, to := a.at(a.low), a.at(a.high); from != 0 || to < 99.9 || to > 100.1 {
			t.Errorf("%v to %v: pixels %v to %v", test.low, test.high, from, to)
		}
	}
}

func TestTheShortFormJudgesTheBestRunWithoutItsStart(t *testing.T) {
	t.Parallel()
	all := func(values ...float64) (costs []cost) {
		for _, v := range values {
			costs = append(costs, cost{Seconds: 100 * v, CPU: v})
		}
		return costs
	}
	checks := []check{
		{name: rowSource, ours: all(9, 0.61, 7), plain: all(0.2, 0.05, 0.4)}, // (0.61 - 0.1) / 0.2
		{name: rowVerify, ours: all(0.9), plain: all(0.2)},                   // 4, beyond 3.45
		{name: rowCPU, ours: all(0.14, 3), plain: all(0.01), keys: 10_000},   // 4 µs
		{name: rowRerun, ours: all(0.05), plain: all(0.2)},                   // shorter than a start
		{name: rowCPU, ours: all(0.32), plain: all(0.044), keys: 10_000},     // 22 µs where all takes twice as long: 11, beyond 9
	}
	if got := fmt.Sprint(missedGrossly(checks, 0.1)); got != "["+rowVerify+" "+rowCPU+"]" {
		t.Errorf("%s", got)
	}
	for _, want := range []string{"2.5", "4.0  ≤ 6.0", "> 3.4 !"} {
		if text := shortText(checks, 0.1); !strings.Contains(text, want) {
			t.Errorf("%q is missing:\n%s", want, text)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Setenv("BENCH_USERS", "500")
	t.Setenv("BENCH_MONGO", "")
	o, err := parseOptions([]string{"--turns", "5", "--targets", "ferretdb,mongo"}, io.Discard)
	if err != nil || fmt.Sprint(o.sizes) != "[500 2000 8000]" || o.turns != 5 || o.targets[targetCounting] || !o.targets[targetMongo] {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range []string{"--users 1,x", "--users 0", "--fork-users 1,", "--turns 0", "--targets redis", "--targets mongo", "--json /nowhere/at/all", "--svg /nowhere/at/all", "more"} {
		if _, err := parseOptions(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%s: no error", args)
		}
	}
	if _, err := parseOptions([]string{"--help"}, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("%v", err)
	}
	t.Setenv("BENCH_USERS", "many")
	if _, err := parseOptions(nil, io.Discard); err == nil {
		t.Error("BENCH_USERS=many: no error")
	}
}

func TestADatabaseThatHoldsDocumentsIsLeftAlone(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go new(countingserver.Server).Serve(listener, func(err error) { t.Error(err) })
	uri := "mongodb://" + listener.Addr().String()
	client, err := mongo.Connect(mongooptions.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(context.Background())
	if _, err := client.Database(dbPlain).Collection("c").InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}}); err != nil {
		t.Fatal(err)
	}
	b := &bench{options: &options{mongo: uri, sizes: []int{10}, turns: 1}}
	if _, _, err := b.open(t.Context(), targetMongo); err == nil || !strings.Contains(err.Error(), dbPlain+" holds 1 documents") {
		t.Errorf("%v", err)
	}
	if n, err := yardstick.Count(t.Context(), uri, dbPlain); err != nil || n != 1 {
		t.Errorf("%d documents, %v", n, err)
	}
	if err := client.Database(dbPlain).Drop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := b.open(t.Context(), targetMongo); err != nil {
		t.Errorf("%v", err)
	}
}

// TestTheBenchMeasuresEverything runs it whole, at a small size.
func TestTheBenchMeasuresEverything(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bench.json")
	var stdout, stderr strings.Builder
	err := run(t.Context(), []string{
		"--lanyardctl", ferretdb.Build(t), "--targets", "counting", "--users", "30", "--fork-users", "20", "--turns", "1", "--json", path,
	}, &stdout, &stderr)
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r results
	if err := json.Unmarshal(text, &r); err != nil || len(r.Tables) != 1 {
		t.Fatalf("%v\n%s", err, text)
	}
	var names []string
	for _, at := range r.Tables[0].Rows {
		names = append(names, at.Name)
		if at.Value <= 0 || at.Ours != nil && (at.Ours.Seconds <= 0 || at.Ours.Peak <= 0) {
			t.Errorf("%+v", at)
		}
	}
	for _, want := range []string{rowFork, rowSource, rowRDB, rowMigrate, rowCPU, rowRerun, rowVerify, rowSweep, rowBackUpstream, rowBackFork, rowBackServer, rowPeak} {
		if !slices.Contains(names, want) || !strings.Contains(stdout.String(), want) {
			t.Errorf("no row %q:\n%s", want, &stdout)
		}
	}
}
