// Bench measures how long lanyardctl takes, as ratios to what does the same work plainly on the same servers in the same
// run: "go run ./bench --help" lists its flags, and docs/performance.md says how to read what it prints.
//
// It starts all servers itself. With the arguments "counting-server" and "task" it is a child of itself: each thing that
// is measured is a process of its own, so that its CPU time and its memory are known.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/lanyardctl/lanyardctl/bench/yardstick"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	if err != nil && ctx.Err() != nil {
		err = errors.New("interrupted") // and not what became of the program that ran
	}
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// Arguments that make the program a child of itself.
const (
	asCountingServer = "counting-server"
	asTask           = "task" // with the task as JSON
)

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	switch {
	case len(args) == 1 && args[0] == asCountingServer:
		return serveCounting(ctx, stdout, stderr)
	case len(args) == 2 && args[0] == asTask:
		return runTask(ctx, args[1], stdout)
	}
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, o, stderr)
	if err != nil {
		return err
	}
	defer b.close()
	if o.short {
		return b.runShort(ctx, stdout)
	}
	r, err := b.runAll(ctx)
	if err != nil {
		return err
	}
	return o.write(r, stdout)
}

func runTask(ctx context.Context, text string, stdout io.Writer) error {
	var task yardstick.Task
	if err := json.Unmarshal([]byte(text), &task); err != nil {
		return err
	}
	task.Mongo = os.Getenv(mongoVariable)
	result, err := task.Run(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(result)
}

// options are what the command line and the environment say.
type options struct {
	sizes   []int // in users
	forks   []int // in users, for the fork's way
	turns   int
	targets map[string]bool
	binary  string // of lanyardctl, or "" to build it
	mongo   string // the URI of a real MongoDB, or ""
	short   bool
	json    string
	svg     string
}

func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{mongo: os.Getenv("BENCH_MONGO"), targets: make(map[string]bool)}
	base := 10_000
	if text := os.Getenv("BENCH_USERS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("BENCH_USERS: %q is no number of users", text)
		}
		base = n
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	users := flags.String("users", "", "measure at these `numbers` of users, with commas between (default 1, 4 and 16 times BENCH_USERS, which is 10000)")
	forks := flags.String("fork-users", "1000,2000", "measure the fork's way at these `numbers` of users")
	targets := flags.String("targets", strings.Join(targetNames, ","), "measure on these `targets`; mongo needs BENCH_MONGO=mongodb://...")
	flags.IntVar(&o.turns, "turns", 3, "run everything this `often`, in turns")
	flags.StringVar(&o.binary, "lanyardctl", "", "measure this `file` instead of building one")
	flags.BoolVar(&o.short, "short", false, "measure one size only, and fail on gross regressions")
	flags.StringVar(&o.json, "json", "", "also write the table to the `file`, as JSON")
	flags.StringVar(&o.svg, "svg", "", "also plot time against users to the `file`")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.turns < 1 {
		return nil, fmt.Errorf("--turns %d: at least 1", o.turns)
	}
	o.sizes = []int{base, 4 * base, 16 * base}
	var err error
	if *users != "" {
		if o.sizes, err = parseNumbers("users", *users); err != nil {
			return nil, err
		}
	}
	if o.forks, err = parseNumbers("fork-users", *forks); err != nil {
		return nil, err
	}
	for name := range strings.SplitSeq(*targets, ",") {
		if !known(name) {
			return nil, fmt.Errorf("--targets: there is no %q; there are %s", name, strings.Join(targetNames, ", "))
		}
		o.targets[name] = true
	}
	if o.mongo == "" && len(o.targets) == 1 && o.targets[targetMongo] {
		return nil, fmt.Errorf("--targets %s: name the server by BENCH_MONGO=mongodb://HOST", targetMongo)
	}
	return o, o.tryFiles()
}

// tryFiles fails where a file that is asked for cannot be written, which is better known before all is measured.
func (o *options) tryFiles() error {
	for _, path := range []string{o.json, o.svg} {
		if path == "" {
			continue
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	}
	return nil
}

func parseNumbers(flag, list string) (numbers []int, err error) {
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("--%s: %q is no number of users", flag, text)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// write prints the table, and writes the files that are asked for.
func (o *options) write(r *results, stdout io.Writer) error {
	if _, err := io.WriteString(stdout, r.text()); err != nil {
		return err
	}
	if o.json != "" {
		b, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(o.json, append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	if o.svg != "" {
		return os.WriteFile(o.svg, []byte(r.plot()), 0o644)
	}
	return nil
}
