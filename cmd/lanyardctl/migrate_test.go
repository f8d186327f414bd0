package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/golden"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

func TestAMigrationThatNeverBeganIsReportedToScripts(t *testing.T) {
	for name, test := range map[string]struct {
		format    string
		cancelled bool
		err       error
		want      int
		said      string // in the report; empty for none
	}{
		"an error":             {outputJSON, false, exit.Failure(errors.New("no server"), "start it"), exit.Failed, "no server"},
		"an interruption":      {outputJSON, true, exit.Failure(errors.New("no server"), "start it"), exit.Interrupted, "interrupted before anything was done"},
		"a wrong call":         {outputJSON, false, exit.WrongUse("no such parameter", "read"), exit.Usage, ""},
		"an error, for people": {outputText, false, exit.Failure(errors.New("no server"), "start it"), exit.Failed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if test.cancelled {
				cancel(record.ErrInterrupted)
			}
			var stdout bytes.Buffer
			o := migrateOptions{pairOptions: pairOptions{only: record.LanyardKinds, targetOptions: targetOptions{outputFlags: outputFlags{output: test.format}}}}
			run := &migrationRun{pairRun: newPairRun(o.pairOptions, streams{out: &stdout, err: io.Discard, program: programOf()}), options: o}
			if err := run.run(ctx, test.err, nil, run.early); exit.CodeOf(err) != test.want {
				t.Errorf("exit %d, %v", exit.CodeOf(err), err)
			}
			if test.said == "" {
				if stdout.Len() > 0 {
					t.Errorf("stdout: %s", &stdout)
				}
				return
			}
			if r := readReport(t, stdout.Bytes()); r.OK || r.Error != test.said {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestTheNextCommandIsWhatWasTyped(t *testing.T) {
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.String("mongo", "", "")
	flags.StringSlice("only", nil, "")
	flags.StringArray("user", nil, "")
	flags.Bool("dry-run", false, "")
	flags.Bool("quiet", false, "")
	flags.Int("workers", 4, "")
	flags.Duration("timeout", time.Second, "")
	args := []string{"--mongo", "mongodb://u:hunter2@h/?a=b&c=d", "--only", "kv,metrics", "--user", "1", "--user", "2",
		"--dry-run", "--quiet=false", "--timeout", "5s"}
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	cmd := invocation.Typed(invocation.Migrate, flags)
	want := `lanyardctl migrate redis-to-mongo --dry-run --mongo 'mongodb://u:xxxxx@h/?a=b&c=d' --only kv,metrics --quiet=false --timeout 5s --user 1 --user 2`
	if got := cmd.String(); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	want = `lanyardctl migrate redis-to-mongo --mongo 'mongodb://u:xxxxx@h/?a=b&c=d' --timeout 5s`
	if got := cmd.Without("dry-run", "user", "only", "quiet=false").String(); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestPreflight(t *testing.T) {
	source := location.SourceFacts{Is: "Redis 7.0.15, master, db 0, about 1,500,000 keys"}
	standing := map[record.Kind]int64{record.KV: 12345, record.Metrics: 1}
	show := func(o migrateOptions, documents map[record.Kind]int64, resumed, colour bool) string {
		o.source.URI, o.target.URI = "redis://:hunter2@localhost:6379/0", "mongodb://db1:27017"
		o.target.Database, o.kvPrefer = "lanyard", preferFork
		p := o.preflight(source, location.TargetFacts{Is: "MongoDB 7.0.14, replica set rs0"}, documents, resumed)
		return p.Text(ui.Style{Width: 100, Colour: colour})
	}
	golden.Compare(t, "preflight.txt", show(migrateOptions{pairOptions: pairOptions{only: record.LanyardKinds}}, standing, false, false))

	only := record.Kinds(0).With(record.LastSeen)
	dry := pairOptions{only: only, policy: record.PreferTarget, users: []record.UserID{1, 2, 3, 4, 5, 6, 7}}
	golden.Compare(t, "preflight-dry-run.txt", show(migrateOptions{pairOptions: dry, dryRun: true, rejectsFile: "rejects.ndjson"}, nil, false, false))

	resumed := pairOptions{only: only, policy: record.PreferSource, users: []record.UserID{1}}
	golden.Compare(t, "preflight-resumed.txt", show(migrateOptions{pairOptions: resumed}, nil, true, true))
}
