// Testtable runs the tests on the MongoDB server that LANYARDCTL_TEST_MONGO names. It prints what fails and, at the
// end, a table of what ran where. Its arguments are those of go test; "--" stands between those of one run and the
// next.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"

	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

func main() {
	if err := run(os.Args[1:], hiding{os.Stdout}); err != nil {
		fmt.Fprintln(os.Stderr, mongoserver.Hide(err.Error()))
		os.Exit(1)
	}
}

// hiding is a writer of whole lines that hides the server's password.
type hiding struct{ io.Writer }

func (h hiding) Write(p []byte) (int, error) {
	_, err := io.WriteString(h.Writer, mongoserver.Hide(string(p)))
	return len(p), err
}

func run(args []string, out io.Writer) error {
	server, err := mongoserver.Named()
	if err != nil {
		return err
	}
	if server == nil {
		return errors.New(mongoserver.Variable + " names no server")
	}
	fmt.Fprintf(out, "Testing on %s.\n", server.Facts)
	results := &results{out: out}
	var failed error
	for len(args) > 0 {
		end := slices.Index(args, "--")
		if end < 0 {
			end = len(args)
		}
		// Another server may answer by now at the same URI, so that no earlier result counts.
		if err := goTest(results, append([]string{"-count=1"}, args[:end]...)); err != nil {
			failed = fmt.Errorf("go test: %w", err)
		}
		args = args[min(end+1, len(args)):]
	}
	n := results.print(server.Facts)
	switch {
	case failed != nil:
		return failed
	case n.failed > 0:
		return fmt.Errorf("%d tests failed", n.failed)
	case n.onNamed == 0:
		return errors.New("no test ran on " + server.Facts)
	}
	return nil
}

// goTest runs go test and collects what it tells.
func goTest(results *results, args []string) error {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = results.out
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	results.begin()
	for lines := bufio.NewReader(stdout); ; {
		line, err := lines.ReadBytes('\n')
		var e event
		switch {
		case len(line) == 0:
		case json.Unmarshal(line, &e) == nil:
			results.add(e)
		default:
			fmt.Fprintf(results.out, "%s", line)
		}
		if err != nil {
			return cmd.Wait()
		}
	}
}
