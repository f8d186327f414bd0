//go:build unix

// Package doctest follows the README and the guides as a reader would: it runs their commands, in a terminal of 80
// columns, and compares what is printed with what they say. go test -update writes that anew.
//
// In a block marked as console a line that begins with "$ " is a command, and what follows is its output. A block that
// is marked as sh is run as a whole and has to succeed; what it prints does not matter. The commands of a page run one
// after the other in one shell, in a copy of the repository. Readers do not see these comments, each on a line of its
// own:
//
//	<!-- first: COMMAND -->   runs a command before the next block
//	<!-- not run: REASON -->  leaves the next block out
package doctest

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// page is a Markdown file.
type page struct {
	file  string
	lines []string
	steps []step
	unrun []string // lines of the blocks that are not run
}

// step is something to run.
type step struct {
	line     int // where it stands in the page, from 0
	command  string
	shown    bool // what it prints stands in the lines from outputAt up to end
	outputAt int
	end      int
}

var (
	fence  = regexp.MustCompile("^```(.*)$")
	first  = regexp.MustCompile(`^<!-- first: (.+) -->$`)
	notRun = regexp.MustCompile(`^<!-- not run: (.+) -->$`)
)

// commandLine is the beginning of a line that looks like a command, so that its block has to say what to do with it.
var commandLine = regexp.MustCompile(`^(\$ |(lanyardctl|make|go|docker|jq|redis-cli) )`)

// readPage reads the page's steps. A block with commands of which nobody says whether to run them fails the test.
func readPage(t *testing.T, file string) *page {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := &page{file: file, lines: strings.Split(string(text), "\n")}
	leaveOut := false
	for i := 0; i < len(p.lines); i++ {
		line := p.lines[i]
		if found := first.FindStringSubmatch(line); found != nil {
			p.steps = append(p.steps, step{line: i, command: found[1]})
		}
		leaveOut = leaveOut || notRun.MatchString(line)
		opening := fence.FindStringSubmatch(line)
		if opening == nil {
			continue
		}
		from, to := i+1, i+1
		for to < len(p.lines) && p.lines[to] != "```" {
			to++
		}
		i = to
		block := p.lines[from:to]
		switch {
		case leaveOut:
			p.unrun = append(p.unrun, block...)
		case opening[1] == "sh":
			p.steps = append(p.steps, step{line: from, command: strings.Join(block, "\n")})
		case opening[1] == "console":
			p.console(from, to)
		case opening[1] == "" && slices.ContainsFunc(block, commandLine.MatchString):
			t.Errorf("%s:%d: a block with commands is marked neither as sh or console, nor as not run", file, i+1)
		}
		leaveOut = false
	}
	return p
}

// console reads the block of lines from up to to.
func (p *page) console(from, to int) {
	for i := from; i < to; {
		s := step{line: i, command: strings.TrimPrefix(p.lines[i], "$ "), shown: true}
		for strings.HasSuffix(p.lines[i], `\`) {
			i++
			s.command += "\n" + p.lines[i]
		}
		i++
		s.outputAt = i
		for i < to && !strings.HasPrefix(p.lines[i], "$ ") {
			i++
		}
		s.end = i
		for s.end > s.outputAt && p.lines[s.end-1] == "" {
			s.end-- // a blank line before the next command
		}
		p.steps = append(p.steps, s)
	}
}

// output returns what the page says that a step prints.
func (p *page) output(s step) string { return strings.Join(p.lines[s.outputAt:s.end], "\n") }

// write writes the page with other outputs, by their steps.
func (p *page) write(outputs map[int]string) error {
	lines := p.lines
	for n, s := range slices.Backward(p.steps) {
		if output, ok := outputs[n]; ok {
			lines = slices.Replace(slices.Clone(lines), s.outputAt, s.end, strings.Split(output, "\n")...)
		}
	}
	return os.WriteFile(p.file, []byte(strings.Join(lines, "\n")), 0o644)
}
