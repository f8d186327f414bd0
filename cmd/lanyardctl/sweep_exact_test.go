package main

import (
	"bytes"
	"cmp"
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest/dated"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// numberFrom returns the number that a variable names, else n.
func numberFrom(t testing.TB, variable string, n int) int {
	text := os.Getenv(variable)
	if text == "" {
		return n
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// swept is what a sweep answered.
type swept struct {
	ID                                                        *string `json:"sweep_id"`
	Users, Changed, Unchanged, Created, Merged, Undated, Left int64
	Changes                                                   int64
	Sources                                                   map[string]struct{ Documents, Candidates, Won int64 }
	OK                                                        bool
}

func sweepWorld(t testing.TB, target *mongoserver.Database, wantExit int, args ...string) swept {
	t.Helper()
	var s swept
	runForJSON(t, target, &s, wantExit, append([]string{"sweep"}, args...)...)
	if sum := s.Changed + s.Unchanged + s.Created + s.Merged + s.Undated + s.Left; sum != s.Users {
		t.Errorf("%d users, the columns add up to %d", s.Users, sum)
	}
	if s.OK != (wantExit == 0) {
		t.Errorf("ok is %v at exit status %d", s.OK, wantExit)
	}
	return s
}

// insertWorld fills an empty database.
func insertWorld(t testing.TB, db *mongo.Database, w *dated.World) {
	t.Helper()
	byCollection := make(map[record.Collection][]any)
	for _, d := range w.Documents {
		byCollection[d.Collection] = append(byCollection[d.Collection], d.Fields)
	}
	for c, list := range byCollection {
		for batch := range slices.Chunk(list, 1000) {
			if _, err := db.Collection(c.String()).InsertMany(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// rawDump returns the documents of all collections but the journal's, byte for byte, in the order of their bytes.
func rawDump(t testing.TB, db *mongo.Database) map[string][]string {
	t.Helper()
	all := make(map[string][]string)
	names, err := db.ListCollectionNames(context.Background(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name == "lanyardctl_sweeps" || name == "lanyardctl_sweep_changes" {
			continue
		}
		all[name] = []string{}
		cursor, err := db.Collection(name).Find(context.Background(), bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		for cursor.Next(context.Background()) {
			all[name] = append(all[name], string(cursor.Current))
		}
		if err := cursor.Err(); err != nil {
			t.Fatal(err)
		}
		slices.Sort(all[name])
	}
	return all
}

// sameRaw tells in which collections two dumps differ.
func sameRaw(t testing.TB, before, after map[string][]string) {
	t.Helper()
	for name, docs := range after {
		if !slices.Equal(before[name], docs) {
			t.Errorf("%s is not what it was: %d documents, %d before", name, len(docs), len(before[name]))
		}
	}
	if len(before) != len(after) {
		t.Errorf("%d collections, %d before", len(after), len(before))
	}
}

// monitoringOf returns the documents of monitoring in the types that a world has.
func monitoringOf(t testing.TB, dump map[string][]string) []map[string]any {
	t.Helper()
	var list []map[string]any
	for _, raw := range dump["monitoring"] {
		var doc bson.M
		if err := bson.Unmarshal([]byte(raw), &doc); err != nil {
			t.Fatal(err)
		}
		list = append(list, doc)
	}
	return list
}

// TestSweepIsExact compares with what a naive computation in memory says, which knows from how the data were made and not
// from reading them. LANYARDCTL_TEST_SWEEP_USERS sets the number of users.
func TestSweepIsExact(t *testing.T) {
	t.Parallel()
	target := mongoserver.New(t)
	db := target.Connect(t)
	w := dated.NewAt(time.Now(), 7, numberFrom(t, "LANYARDCTL_TEST_SWEEP_USERS", 200))
	insertWorld(t, db, w)
	before := rawDump(t, db)

	planned := sweepWorld(t, target, exit.Differences, "--check")
	sameRaw(t, before, rawDump(t, db))
	done := sweepWorld(t, target, exit.Done)
	after := rawDump(t, db)
	for _, fault := range w.Check(monitoringOf(t, before), monitoringOf(t, after)) {
		t.Error(fault)
	}
	others := func(dump map[string][]string) map[string][]string {
		rest := make(map[string][]string)
		for name, docs := range dump {
			if name != "monitoring" {
				rest[name] = docs
			}
		}
		return rest
	}
	sameRaw(t, others(before), others(after))
	if done.Users != int64(len(w.Users)) || done.Changes == 0 || planned.Changes != done.Changes {
		t.Errorf("%+v, planned %+v", done, planned)
	}
	if again := sweepWorld(t, target, exit.Done); again.Changes != 0 || again.ID != nil {
		t.Errorf("a second sweep changes something: %+v", again)
	}
	sweepWorld(t, target, exit.Done, "--check")
	takeBack(t, target, *done.ID)
	sameRaw(t, before, rawDump(t, db))
}

// takeBack takes a sweep back.
func takeBack(t testing.TB, target *mongoserver.Database, id string) {
	t.Helper()
	var undone struct {
		Restored, Already, Moved, Refused int64
		OK                                bool
	}
	runForJSON(t, target, &undone, exit.Done, "sweep", "undo", id)
	if !undone.OK || undone.Moved+undone.Refused > 0 {
		t.Errorf("undo of %s: %+v", id, undone)
	}
}

// sweepsOf returns the IDs of the sweeps in a database, the newest first.
func sweepsOf(t testing.TB, db *mongo.Database) []string {
	t.Helper()
	cursor, err := db.Collection("lanyardctl_sweeps").Find(t.Context(), bson.D{})
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		ID string `bson:"_id"`
	}
	if err := cursor.All(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, s := range list {
		if s.ID != "lease" {
			ids = append(ids, s.ID)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(b, a) })
	return ids
}

// TestAKilledSweepIsTakenBack kills sweeps at random moments (LANYARDCTL_TEST_KILLS of them), and takes back what they did;
// every other time after another sweep.
func TestAKilledSweepIsTakenBack(t *testing.T) {
	t.Parallel()
	server := mongoserver.Start(t)
	w := dated.NewAt(time.Now(), 8, 60)
	sweepOf := func(target *mongoserver.Database) *exec.Cmd {
		cmd := exec.Command(ferretdb.Build(t), "sweep", "--dedupe", "--quiet")
		cmd.Env = append(os.Environ(), target.Env()...)
		cmd.Stdout, cmd.Stderr = new(bytes.Buffer), new(bytes.Buffer)
		return cmd
	}
	target := server.Database(t)
	insertWorld(t, target.Connect(t), w)
	began := time.Now()
	undisturbed := sweepOf(target)
	_ = undisturbed.Run() // its exit status tells more
	// Some users' pairs differ, for which there is no rule.
	if code := undisturbed.ProcessState.ExitCode(); code != exit.Rejects {
		t.Fatalf("exit status %d: %s", code, undisturbed.Stderr)
	}
	whole := time.Since(began)
	halfDone := 0
	kills := numberFrom(t, "LANYARDCTL_TEST_KILLS", 6)
	for i := range kills {
		target := server.Database(t)
		db := target.Connect(t)
		insertWorld(t, db, w)
		before := rawDump(t, db)
		cmd := sweepOf(target)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The moment is the test's subject: any is right.
		time.Sleep(rand.N(whole))
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		ids := sweepsOf(t, db)
		if len(ids) > 0 && cmd.ProcessState.ExitCode() != exit.Rejects {
			halfDone++
		}
		if i%2 == 1 {
			sweepWorld(t, target, exit.Rejects, "--dedupe")
			for _, fault := range w.Check(monitoringOf(t, before), monitoringOf(t, rawDump(t, db))) {
				t.Error(fault)
			}
			ids = sweepsOf(t, db)
		}
		for _, id := range ids {
			takeBack(t, target, id)
		}
		sameRaw(t, before, rawDump(t, db))
		if t.Failed() {
			t.Fatalf("kill %d of %d", i+1, kills)
		}
	}
	t.Logf("%d kills, of which %d while documents were changed", kills, halfDone)
}
