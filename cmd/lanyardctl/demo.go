package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/demo"
	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/store/embedded"
	"github.com/lanyardctl/lanyardctl/testdata"
)

const demoLong = `Show in a minute what lanyardctl does, without any server: a dry run, a migration
and a verification of a bundled Redis dump, into an embedded database in a
temporary folder. In between a sweep recovers monitoring dates that forks of
Lanyard would have hidden. Then two documents are changed without the tool,
and verify finds them. Where a redis-server is installed, an empty one in that
folder is then filled from the database: the way back. Each command is shown before
it is run, and what follows is its real output.

The folder is removed at the end; --keep keeps it. Nothing outside it is touched.

` + exitStatus

func newDemo(p program) *cobra.Command {
	keep := false
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show a migration and its verification on a bundled dump",
		Long:  demoLong,
		Example: `  lanyardctl demo
  lanyardctl demo --keep`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), keep, p.of(cmd))
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "keep the folder")
	return cmd
}

// What the demo's commands name, relative to its folder.
const (
	demoDump    = "dump.rdb"
	demoRedis   = "rdb:" + demoDump
	demoMongo   = "embedded:data"
	demoRejects = "rejects.ndjson"
)

// runDemo runs the demo in a folder of its own.
func runDemo(ctx context.Context, keep bool, s streams) (err error) {
	// The demo's commands are to do what they show, whatever Lanyard's own variables name.
	for _, name := range location.Variables {
		if err := os.Unsetenv(name); err != nil {
			return fmt.Errorf("clear %s: %w", name, err)
		}
	}
	if !embedded.Included {
		return location.ExplainEmbedded(embedded.ErrNotIncluded)
	}
	folder, err := os.MkdirTemp("", "lanyardctl-demo-*")
	if err != nil {
		return exit.Failure(fmt.Errorf("make a folder for the demo: %w", err), "TMPDIR names another place")
	}
	home, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find the working folder: %w", err)
	}
	defer func() {
		err = errors.Join(err, os.Chdir(home)) // a folder that somebody works in cannot be removed everywhere
		if !keep {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}()
	if err := os.Chdir(folder); err != nil {
		return fmt.Errorf("go to the demo's folder: %w", err)
	}
	if err := os.WriteFile(demoDump, testdata.Dump, 0o600); err != nil {
		return fmt.Errorf("write the demo's dump: %w", err)
	}
	d := &showing{streams: s, folder: folder, keep: keep}
	d.Style = ui.StyleOf(s.out, s.env)
	return d.run(ctx)
}

// showing is one run of the demo.
type showing struct {
	ui.Style
	streams streams
	folder  string
	keep    bool
	step    int

	printErr error
}

// command is a command of the demo, and the exit code that is right for it.
type command struct {
	args string // without spaces inside an argument
	want int
}

func (d *showing) run(ctx context.Context) error {
	migrate := "migrate redis-to-mongo --redis " + demoRedis + " --mongo " + demoMongo
	verify := "verify --redis " + demoRedis + " --mongo " + demoMongo
	changed := " --only kv,last_seen --user " + demo.Changed + " --user " + demo.Deleted
	steps := []func() error{
		d.tell("What would a migration do?", "The bundled dump was saved by a real redis-server. It holds every layout that any Lanyard "+
			"ever wrote, and a value for every reason to reject one. A dry run reads both sides and writes nothing to MongoDB."),
		d.do(ctx, command{migrate + " --dry-run --rejects dry-run.ndjson", exit.Rejects}),
		d.remark("Exit status 3: it would be done, but some values cannot go over. They are in the rejects file, byte for byte."),

		d.tell("Migrate.", "The same without --dry-run, into a database in a folder (a MongoDB server's URI works the same)."),
		d.do(ctx, command{migrate + " --rejects " + demoRejects, exit.Rejects}),
		d.remark("Run it again, and nothing changes: every write is a merge."),

		d.tell("Recover dates.", "Forks of Lanyard left \"monitored since\" dates in several places, and Lanyard takes the first that it "+
			"finds. Here are some as they are met:"),
		func() error { return d.asClient(ctx, demo.Client.Hide) },
		d.do(ctx, command{invocation.Sweep + " --mongo " + demoMongo, exit.Done}),
		d.remark("2022 is back. The date of 2009 was not believed, since there was no Discord then."),

		d.tell("Is everything there?", "verify reads both sides in full and compares them, value by value."),
		d.do(ctx, command{verify, exit.Rejects}),
		d.remark("Exit status 3 again: nothing is missing, and what was rejected is still rejected. Without rejects it is 0."),

		d.tell("Somebody changes the data.", "Two documents are changed without lanyardctl, as any MongoDB client can:"),
		func() error { return d.asClient(ctx, demo.Client.Tamper) },
		d.do(ctx, command{verify + " --quiet", exit.Differences}),
		d.remark("Exit status 4: a CI job would stop here, and say which user's document it is."),

		d.tell("Fix it.", "migrate can be run again at any time. The value that somebody else wrote is theirs unless you say "+
			"otherwise: --on-conflict source says that Redis is right."),
		d.do(ctx, command{migrate + changed + " --on-conflict source --quiet --rejects mended.ndjson", exit.Done}),
		d.remark("And all is well again, for these two users:"),
		d.do(ctx, command{verify + changed + " --on-conflict source --quiet", exit.Done}),
		func() error { d.line(""); return nil },

		d.tell("Take the sweep back.", "Every change of a sweep was journalled before it was made. \"sweep show\" lists them, and:"),
		func() error { return d.takeBack(ctx) },
		func() error { d.line(""); return nil },

		d.tell("The way back.", "Nobody switches a production database without one. An empty Redis is filled from the database again, "+
			"in the layouts of both upstream's Lanyard and the fork. Upstream holds texts alone, so --as-json writes a number as text."),
		func() error { return d.wayBack(ctx) },
		d.End,
	}
	d.line("%s", d.Paint(ui.Bold, "lanyardctl demo"))
	d.wrap("Each command below is really run, in " + ui.PrintableLine(d.folder) + "; what follows it is its own output.")
	d.line("")
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
		if d.printErr != nil {
			return d.printErr
		}
	}
	return nil
}

func (d *showing) heading(title string) {
	d.step++
	d.line("%s", d.Paint(ui.Bold, fmt.Sprintf("%d. %s", d.step, title)))
}

// tell begins a step.
func (d *showing) tell(title, text string) func() error {
	return func() error {
		d.heading(title)
		d.wrap(text)
		d.line("")
		return nil
	}
}

func (d *showing) remark(text string) func() error {
	return func() error {
		d.line("")
		d.wrap(text)
		d.line("")
		return nil
	}
}

// do shows a command and runs it. Another exit code than the one that is right ends the demo.
func (d *showing) do(ctx context.Context, c command) func() error {
	return func() error {
		d.line("%s", d.Paint(ui.Green, "$ lanyardctl "+c.args))
		code := d.streams.execute(ctx, strings.Fields(c.args), d.streams.out, d.streams.err)
		switch {
		case ctx.Err() != nil:
			return exit.Interruption("")
		case code != c.want:
			return fmt.Errorf("the demo expected exit status %d of %q, and got %d", c.want, c.args, code)
		}
		return nil
	}
}

func (d *showing) End() error {
	d.line("")
	d.heading("Your turn.")
	d.wrap("On your own servers, beginning with a dry run (passwords are better given by REDIS_URI and MONGODB_URI):")
	d.line("")
	for _, command := range []string{
		"lanyardctl migrate redis-to-mongo --redis redis://localhost:6379 --mongo mongodb://localhost:27017 --dry-run",
		"lanyardctl migrate redis-to-mongo --redis redis://localhost:6379 --mongo mongodb://localhost:27017",
		"lanyardctl sweep --mongo mongodb://localhost:27017 --dry-run",
		"lanyardctl verify --redis redis://localhost:6379 --mongo mongodb://localhost:27017",
		"lanyardctl migrate mongo-to-redis --mongo mongodb://localhost:27017 --redis redis://localhost:6380 --layout upstream --dry-run",
	} {
		d.line("  %s", d.Paint(ui.Bold, command))
	}
	d.line("")
	d.wrap("Or rehearse with last night's dump, which touches no server: --redis rdb:/var/lib/redis/dump.rdb --mongo embedded:./rehearsal")
	d.line("")
	if !d.keep {
		d.wrap("The demo's folder is removed now; --keep keeps it.")
		return nil
	}
	d.wrap("The demo's folder stays. To look into its database with a MongoDB client, and then to remove it:")
	d.line("  lanyardctl embedded serve %s", invocation.Quote(filepath.Join(d.folder, location.EmbeddedFolder(demoMongo))))
	d.line("  rm -r %s", invocation.Quote(d.folder))
	return nil
}

func (d *showing) line(format string, args ...any) { d.print(fmt.Sprintf(format+"\n", args...)) }

// wrap prints a paragraph.
func (d *showing) wrap(text string) {
	t := &ui.Text{Style: ui.Style{Width: 100}}
	if d.Width > 0 {
		t.Width = min(d.Width, t.Width)
	}
	t.Wrap("", text)
	d.print(t.String())
}

// print keeps the first error, which ends the demo after the step.
func (d *showing) print(text string) {
	if _, err := io.WriteString(d.streams.out, text); err != nil && d.printErr == nil {
		d.printErr = fmt.Errorf("print the demo: %w", err)
	}
}

// asClient lets somebody else do something to the demo's database, and shows what is typed.
func (d *showing) asClient(ctx context.Context, do func(demo.Client, context.Context) error) error {
	client := demo.Client{
		Folder: location.EmbeddedFolder(demoMongo), Database: location.DefaultDatabase,
		Typed: func(statement string) { d.line("%s", d.Paint(ui.Yellow, "> "+statement)) },
	}
	if err := do(client, ctx); err != nil {
		return location.ExplainEmbedded(err)
	}
	d.line("")
	return nil
}

// takeBack takes the demo's only sweep back.
func (d *showing) takeBack(ctx context.Context) error {
	var list bytes.Buffer
	code := d.streams.execute(ctx, strings.Fields(invocation.SweepList+" --mongo "+demoMongo+" --output json --quiet"), &list, io.Discard)
	var found struct {
		Sweeps []struct {
			ID string `json:"sweep_id"`
		} `json:"sweeps"`
	}
	err := json.Unmarshal(list.Bytes(), &found)
	switch {
	case ctx.Err() != nil:
		return exit.Interruption("")
	case code != exit.Done || err != nil || len(found.Sweeps) != 1:
		return fmt.Errorf("the demo expected one sweep in the journal, and found %d (exit status %d)", len(found.Sweeps), code)
	}
	return d.do(ctx, command{invocation.SweepUndo + " " + found.Sweeps[0].ID + " --mongo " + demoMongo + " --quiet", exit.Done})()
}

// wayBack fills an empty Redis of the demo's own. Without a redis-server it says what would be run.
func (d *showing) wayBack(ctx context.Context) error {
	server, err := demo.StartRedis(ctx, d.folder)
	switch {
	case errors.Is(err, demo.ErrNoRedis):
		d.wrap("There is no redis-server on this machine, so this step is not run. Once one is installed, run the demo again, which starts it.")
		return nil
	case ctx.Err() != nil:
		return exit.Interruption("")
	case err != nil:
		return exit.Failure(err, "TMPDIR names another folder, with a shorter path; without a redis-server in PATH the demo leaves this step out")
	}
	defer server.Stop()
	places := " mongo-to-redis --mongo " + demoMongo + " --redis " + server.URI() + " --layout both --as-json --quiet"
	for _, step := range []func() error{
		d.do(ctx, command{"migrate" + places + " --rejects back.ndjson", exit.Rejects}),
		d.remark("Exit status 3: one of the documents from above has a number as its user id, so that no Lanyard sees it. Nothing else is missing:"),
		d.do(ctx, command{"verify" + places, exit.Rejects}),
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}
