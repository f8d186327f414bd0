package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// TestTheDumpHasEveryReason migrates the dump with the built binary, as `make try` does, and counts the rejects.
func TestTheDumpHasEveryReason(t *testing.T) {
	t.Attr(ferretdb.Attribute, ferretdb.OnFerretDB)
	dir := t.TempDir()
	redis := startOnDump(t)
	rejects := filepath.Join(dir, "rejects.ndjson")
	migrate := exec.Command(ferretdb.Build(t), "migrate", "redis-to-mongo", "--redis", redis.URI,
		"--mongo", "embedded:"+filepath.Join(dir, "data"), "--rejects", rejects, "--output", "json")
	var stdout, stderr bytes.Buffer
	migrate.Stdout, migrate.Stderr = &stdout, &stderr
	err := migrate.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 3 {
		t.Fatalf("%v\n%s", err, &stderr)
	}

	// As the README of testdata tells them, with FerretDB as the target.
	want := map[record.Reason]int{
		record.AmbiguousAPIKey:      5,
		record.DocumentTooLarge:     3,
		record.ImplausibleTimestamp: 8,
		record.InvalidFieldName:     8,
		record.InvalidUserID:        8,
		record.InvalidUTF8:          5,
		record.NotACounter:          9,
		record.NotATimestamp:        8,
		record.NumberOutOfRange:     6,
		record.RefusedByTarget:      2,
		record.StaleAPIKey:          2,
		record.TooDeep:              2,
		record.UnpairedAPIKey:       4,
		record.WrongType:            7,
	}
	if diff := cmp.Diff(want, reasonsIn(t, rejects)); diff != "" {
		t.Errorf("rejects by reason (-want +got):\n%s", diff)
	}
	for name, printed := range map[string][]byte{"stdout": stdout.Bytes(), "stderr": stderr.Bytes()} {
		if bytes.Contains(printed, []byte("fa4efa4e")) {
			t.Errorf("%s shows an API key:\n%s", name, printed)
		}
	}

	var report struct {
		ForeignKeys int `json:"foreign_keys"`
		IgnoredKeys int `json:"ignored_keys"`
		Kinds       map[string]struct{ Inserted int }
	}
	if err := json.Unmarshal(stdout.Bytes(), &report); err != nil {
		t.Fatal(err)
	}
	if report.ForeignKeys != 6 || report.IgnoredKeys != 6 || report.Kinds["kv"].Inserted != 54 {
		t.Errorf("%+v", report)
	}
}

// startOnDump starts a redis-server on a copy of the dump.
func startOnDump(t *testing.T) *redisserver.Server {
	t.Helper()
	dir := t.TempDir()
	dump, err := os.ReadFile(filepath.Join("..", "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), dump, 0o600); err != nil {
		t.Fatal(err)
	}
	return redisserver.Start(t, "--enable-debug-command", "yes", "--dir", dir, "--dbfilename", "dump.rdb")
}

func reasonsIn(t *testing.T, path string) map[record.Reason]int {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reasons := make(map[record.Reason]int)
	for dec := json.NewDecoder(file); dec.More(); {
		var line struct{ Reason record.Reason }
		if err := dec.Decode(&line); err != nil {
			t.Fatal(err)
		}
		reasons[line.Reason]++
	}
	return reasons
}
