package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/exit/exittest"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/storetest/memfile"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// The factory of a source that is not Redis: package memfile has the records, a line in the registry the rest.
var memScheme = location.SourceScheme{
	Scheme: location.Scheme{
		Schemes: []string{"mem"}, Forms: []string{"mem:FILE"}, Local: true, Check: func(location.Location) error { return nil },
	},
	Open: func(_ context.Context, o location.SourceOptions) (location.Source, error) {
		source, err := memfile.Open(strings.TrimPrefix(o.URI, "mem:"), o.Request.Kinds)
		if err != nil {
			return nil, exit.Failure(err, "name a file of JSON lines")
		}
		return memSource{source}, nil
	},
	Explain: func(err error, _ location.SourceOptions) error { return err },
}

type memSource struct{ reading *mem.Source }

func (s memSource) Facts() location.SourceFacts {
	return location.SourceFacts{Is: "a file of JSON lines"}
}
func (s memSource) Reading() record.Source { return s.reading }
func (s memSource) Remarks() []string      { return nil }
func (s memSource) Close() error           { return nil }

func TestAnotherSourceIsAPackageAFactoryAndALine(t *testing.T) {
	target := mongoserver.New(t)
	t.Chdir(t.TempDir())
	p := program{exittest.Environment("MONGODB_URI", target.URI, "MONGODB_DATABASE", target.Name), location.Default()}
	p.places.Sources = append(p.places.Sources, memScheme)
	run := func(want int, args ...string) string {
		t.Helper()
		var stdout, stderr bytes.Buffer
		if code := p.execute(t.Context(), append(args, "--progress", "none"), &stdout, &stderr); code != want {
			t.Fatalf("%s: exit %d\n%s%s", args, code, &stdout, &stderr)
		}
		return stdout.String() + stderr.String()
	}
	file := filepath.Join(t.TempDir(), "records")
	write := func(lines string) {
		if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"user": "94490510688792576", "last_seen": 1775185650000}
{"user": "94490510688792576", "kv": {"city": "Oslo", "": "empty"}}`)
	const migrate, verify = "migrate redis-to-mongo --redis mem:", "verify --recheck 0 --redis mem:"
	if said := run(exit.Differences, strings.Fields(verify+file)...); !strings.Contains(said, "2 differences found.") {
		t.Error(said)
	}
	if said := run(exit.Done, strings.Fields(migrate+file)...); !strings.Contains(said, "a file of JSON lines") {
		t.Error(said)
	}
	run(exit.Done, strings.Fields(verify+file+" --exact")...)
	write(`{"user": "94490510688792576", "kv": {"city": "Bergen"}}`)
	run(exit.Differences, strings.Fields(verify+file)...)
	if said := run(exit.Failed, strings.Fields(migrate+"nowhere")...); !strings.Contains(said, "hint: name a file of JSON lines") {
		t.Error(said)
	}
	if said := run(exit.Usage, strings.Fields(migrate+" --redis http://h")...); !strings.Contains(said, "rdb:FILE or mem:FILE") {
		t.Error(said)
	}
}
