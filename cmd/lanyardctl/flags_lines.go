package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/rejectsfile"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// lineFlags say which lines of a rejects or superseded file are meant, as they were typed.
type lineFlags struct {
	run                                    string
	reasons, kinds, users, fields, numbers []string
}

// bind adds the flags. Does is what the command does with the lines: "show".
func (f *lineFlags) bind(cmd *cobra.Command, does string) {
	flags := cmd.Flags()
	flags.StringVar(&f.run, "run", "", "`ID` of a run in the file (default the last one)")
	flags.StringSliceVar(&f.kinds, "kind", nil, does+" lines of these `kinds` alone")
	completeKinds(cmd, "kind")
	flags.StringSliceVar(&f.users, "user", nil, does+" lines of this user `ID` alone; can be repeated")
	flags.StringArrayVar(&f.fields, "field", nil, does+" lines of this field `name` alone; can be repeated")
	flags.StringSliceVar(&f.numbers, "line", nil, does+" the lines with these `numbers` alone")
}

// bindReason adds the flag about reasons, which superseded values do not have.
func (f *lineFlags) bindReason(cmd *cobra.Command, does string) {
	cmd.Flags().StringSliceVar(&f.reasons, "reason", nil, does+" lines with these `reasons` alone")
	completeValues(cmd, "reason", report.Reasons()...)
}

// filter checks the flags, all but that of the kinds, of which the file itself tells: see openLines.
func (f lineFlags) filter() (rejectsfile.Filter, error) {
	asked := rejectsfile.Filter{Fields: f.fields}
	for _, reason := range f.reasons {
		if !slices.Contains(report.Reasons(), reason) {
			return asked, exit.WrongUse(fmt.Sprintf("--reason: unknown reason %q", reason), "the reasons are "+strings.Join(report.Reasons(), ", "))
		}
		asked.Reasons = append(asked.Reasons, record.Reason(reason))
	}
	var err error
	if asked.Users, err = parseUsers(f.users); err != nil {
		return asked, err
	}
	for _, text := range f.numbers {
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil || n < 1 {
			return asked, exit.WrongUse(fmt.Sprintf("--line: %q is no number of a line", text),
				"give the numbers that rejects show and superseded show print, such as --line 1,4")
		}
		asked.Numbers = append(asked.Numbers, n)
	}
	return asked, nil
}

// checkFileName refuses what is no name of a file with certainty: a URI in its place would be shown, with its password.
func checkFileName(path string) error {
	if redact.MayHoldUser(path) {
		return exit.WrongUse("FILE is not a file (it is not shown: it may hold a password)",
			"give the path of a file; ./ before it makes certain that it is one")
	}
	return nil
}

// lineFile is an open file, and a run whose lines are meant.
type lineFile struct {
	*rejectsfile.File
	run      rejectsfile.RunLines
	asked    rejectsfile.Filter
	ofAnyRun bool // lines are named by their numbers in the file
}

// openLines opens the file, of superseded values or of rejects. The kinds of the flags may be tables that only the file names.
// Its errors know the next step.
func openLines(path string, f lineFlags, superseded bool, asked rejectsfile.Filter) (lineFile, error) {
	file, err := rejectsfile.Open(path)
	if err != nil {
		hint := "name a rejects file, or a superseded file, as lanyardctl migrate writes them"
		if errors.Is(err, fs.ErrNotExist) {
			hint = "is the path right? A run without rejects makes no file; the report of a run names its files"
		}
		return lineFile{}, exit.Failure(err, hint)
	}
	if len(f.kinds) > 0 && len(file.Runs) > 0 {
		if asked.Kinds, err = record.ParseKinds(f.kinds, record.LanyardKinds|record.Tables()); err != nil {
			return lineFile{}, errors.Join(exit.WrongUse("--kind: "+err.Error(), "such as --kind kv,last_seen"), file.Close())
		}
	}
	l := lineFile{File: file, asked: asked, ofAnyRun: f.run == "" && len(asked.Numbers) > 0}
	if len(file.Runs) == 0 && f.run == "" {
		return l, nil // an empty file
	}
	if l.run, err = file.Run(f.run); err != nil {
		return l, errors.Join(exit.Failure(fmt.Errorf("--run: %w", err), "the file holds the runs "+ui.Shortened(l.runIDs())), file.Close())
	}
	if err := l.check(superseded); err != nil {
		return l, errors.Join(err, file.Close())
	}
	return l, nil
}

// runIDs names the runs of the file, as far as they have names.
func (l lineFile) runIDs() string {
	var ids []string
	for _, r := range l.Runs {
		if r.ID != "" {
			ids = append(ids, r.ID)
		}
	}
	return strings.Join(ids, ", ")
}

// each hands the lines that are meant to yield.
func (l lineFile) each(yield func(rejectsfile.Line) error) error {
	lines := func(yield func(rejectsfile.Line) error) error { return l.Lines(l.run.Run, yield) }
	if l.ofAnyRun {
		lines = l.All
	}
	return lines(func(line rejectsfile.Line) error {
		if !l.asked.Has(line) {
			return nil
		}
		return yield(line)
	})
}

// refuseOthers returns an error for a line of a run that was not from Redis to MongoDB. Instead is what to do where it wrote
// to Redis, and of tables what to do.
func refuseOthers(line rejectsfile.Line, instead, ofTables string) error {
	switch line.Run.To {
	case "":
		return nil
	case rejectsfile.ToRedis:
		return exit.Failure(fmt.Errorf("line %d of the file is of a run that wrote to Redis, and this command writes to MongoDB", line.Number), instead)
	}
	return exit.Failure(fmt.Errorf("line %d of the file is of a run that copied tables of DynamoDB, and this command knows what Lanyard keeps", line.Number), ofTables)
}

// check returns an error where the run's lines are of the other sort: of superseded values, or of rejects.
func (l lineFile) check(superseded bool) error {
	switch {
	case l.run.Lines == 0, (l.run.Superseded > 0) == superseded:
		return nil
	case superseded:
		return exit.Failure(errors.New("this is a rejects file"), "its superseded file has .superseded before .ndjson in its name; "+
			"lanyardctl rejects show and rejects retry are for rejects")
	}
	return exit.Failure(errors.New("this is a superseded file"), "its rejects file has the same name without .superseded; "+
		"lanyardctl superseded show and superseded restore are for superseded values")
}
