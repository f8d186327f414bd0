package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/rejectsfile"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/restore"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

const supersededRestoreLong = `Write single values of a superseded file back into MongoDB: key-value pairs and
API keys, named by the number of their line, or by their user and field. What
stands in their place is added to FILE first, as a run of its own, so that it can
be restored in turn. A document that somebody changes meanwhile is read again.
Where FILE holds the lines of several runs, --run or --line says which are meant.

Times, dates and counters are not restored: the next migration would replace them
again, since it keeps the later time, the earlier date and the larger counter.

` + targetEnvironmentHelp + `
Exit status
  0    done
  1    error
  2    the command was called in a wrong way
  3    done, but some values could not be restored
  130  interrupted; the same command begins again`

// restoreFlags are the flags as they were typed.
type restoreFlags struct {
	targetFlags
	lines  lineFlags
	dryRun bool
}

func newSupersededRestore(p program) *cobra.Command {
	var f restoreFlags
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Write superseded values back into MongoDB",
		Long:  supersededRestoreLong,
		Example: `  lanyardctl superseded restore rejects.superseded.ndjson --line 1,4 --dry-run
  lanyardctl superseded restore rejects.superseded.ndjson --user 94490510688792576`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s := p.of(cmd)
			o, err := f.options(s.program, time.Now(), cmd.Flags(), args[0])
			return runRestore(cmd.Context(), o, s, err)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.bindTarget(cmd, "write to")
	f.lines.bind(cmd, "restore")
	flags.BoolVar(&f.dryRun, "dry-run", false, "report what would be done, and write nothing")
	f.bindTimeout(cmd)
	f.bindMongoTLS(cmd)
	f.outputFlags.bind(cmd)
	return cmd
}

// restoreOptions are checked flags and variables, and the values that they name.
type restoreOptions struct {
	targetOptions
	path   string
	dryRun bool
	values []report.RestoredValue
	ready  []record.Record // of the values that can be written back
}

// options checks everything that can be checked before a server is asked, and reads the values.
func (f restoreFlags) options(p program, now time.Time, flags *pflag.FlagSet, path string) (restoreOptions, error) {
	o := restoreOptions{path: path, dryRun: f.dryRun}
	if err := checkFileName(path); err != nil {
		return o, err
	}
	asked, err := f.lines.filter()
	if err != nil {
		return o, err
	}
	if asked.All() && len(f.lines.kinds) == 0 {
		return o, exit.WrongUse("no value is named", "name them with --line, or with --user, --kind and --field; see which there are: "+
			invocation.Invocation{Name: invocation.SupersededShow + " " + invocation.Quote(path)}.String())
	}
	if o.targetOptions, err = f.targetFlags.options(p, now, flags, invocation.SupersededRestore+" "+invocation.Quote(path)); err != nil {
		return o, err
	}
	o.target.ReadOnly = f.dryRun
	file, err := openLines(path, f.lines, true, asked)
	if err != nil {
		return o, err
	}
	if f.lines.run == "" && len(asked.Numbers) == 0 && len(file.Runs) > 1 {
		// The last one may be of a restore that was interrupted: it holds what was to be overwritten, and not what was
		// asked for.
		return o, errors.Join(exit.WrongUse("the file holds the lines of several runs",
			"name one of them with --run, or lines of any with --line: "+ui.Shortened(file.runIDs())), file.Close())
	}
	return o, errors.Join(o.read(file), file.Close())
}

// read reads the values that the lines hold.
func (o *restoreOptions) read(file lineFile) error {
	size := 0
	err := file.each(func(line rejectsfile.Line) error {
		if err := refuseOthers(line, "write the value back with redis-cli (HSET or SET): lanyardctl "+invocation.SupersededShow+" --reveal shows it and its key",
			"write the value back by hand: lanyardctl "+invocation.SupersededShow+" --reveal shows it"); err != nil {
			return err
		}
		if len(o.values) == restore.MaxValues {
			return exit.WrongUse(fmt.Sprintf("more than %d values are named", restore.MaxValues), "name fewer, with --line, --user or --field")
		}
		if size += len(line.Value.Data); size > restore.MaxBytes {
			return exit.WrongUse(fmt.Sprintf("the values that are named hold more than %d MiB together", restore.MaxBytes>>20),
				"name fewer, with --line, --user or --field")
		}
		v := report.RestoredValue{Line: line.Number, Kind: line.Kind, User: line.User, Field: line.Field, HasField: line.HasField}
		r, err := layout.Kept(record.Superseded(line.Reject))
		if err != nil {
			v.Result = restore.Result{Status: restore.Refused, Why: err.Error()}
		} else {
			o.ready = append(o.ready, r)
		}
		o.values = append(o.values, v)
		return nil
	})
	if err != nil {
		return err
	}
	if len(o.values) == 0 {
		return exit.Failure(errors.New("no line of the file is meant: there is nothing to restore"), "see which lines there are: "+
			invocation.Invocation{Name: invocation.SupersededShow + " " + invocation.Quote(o.path)}.String())
	}
	if err := restore.Conflict(o.ready); err != nil {
		return exit.Failure(err, "name one of them, with --line")
	}
	if o.dryRun {
		return nil
	}
	if err := checkWritable(o.path); err != nil {
		return exit.Failure(fmt.Errorf("what is overwritten cannot be kept: %w", err), "copy the file to where it can be written, and name the copy")
	}
	return nil
}

// runRestore restores and reports, unless the check of the options failed.
func runRestore(ctx context.Context, o restoreOptions, s streams, checked error) error {
	if exit.CodeOf(checked) == exit.Usage {
		return checked
	}
	r := newTargetRun(o.targetOptions, s, ui.NewSanitizer(o.target.URI))
	r.red.HideTyped(o.path)
	told := func(err error) report.Restoration {
		return report.Restoration{Run: r.facts(err), File: o.path, DryRun: o.dryRun, Values: o.values}
	}
	return r.run(ctx, checked, func() error { return o.work(ctx, r, told) }, func(ended *exit.Error) report.Report {
		early := told(ended.Err)
		early.Values, early.Exit = nil, ended.Code
		return early
	})
}

func (o restoreOptions) work(ctx context.Context, r *targetRun, told func(error) report.Restoration) error {
	r.warn(o.warnings...)
	target, closeTarget, err := r.open(ctx, location.RefuseFolder)
	if err != nil {
		return err
	}
	defer closeTarget()
	kept := rejectsfile.NewWriter(o.path, rejectsfile.Run{ID: lease.Self().Run, Time: o.now})
	results, err := restore.Run(ctx, restore.Options{
		Documents: target.Documents(), Values: o.ready, DryRun: o.dryRun,
		Keep: func(values []record.Superseded) error {
			for _, v := range values {
				if err := kept.AddSuperseded(v); err != nil {
					return err
				}
			}
			return kept.Flush()
		},
		Retry: retry.Policy{For: o.target.RetryFor, Notify: retry.Notice("the target", func(message string) { r.log.Info(message) })},
	})
	if err := errors.Join(err, kept.Close()); err != nil {
		own := err
		if errors.Is(err, record.ErrTooMuch) {
			own = exit.Failure(err, "name fewer values, with --line, --user or --field")
		}
		return location.Explained(err, "the same command begins again; what it has restored by then is unchanged", own, r.explainTarget(err))
	}
	o.enter(results)
	r.began = true
	report := told(nil)
	if path, _ := kept.Used(); path != "" {
		report.Kept = true
	}
	if report.Count(restore.Refused) > 0 {
		err = exit.Silent(exit.Rejects)
	}
	report.Exit = exit.CodeOf(err)
	return r.tell(err, report)
}

// enter enters what became of the values that could be written back.
func (o restoreOptions) enter(results []restore.Result) {
	for i := range o.values {
		if o.values[i].Result.Status == "" {
			o.values[i].Result, results = results[0], results[1:]
		}
	}
}
