package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

const module = "github.com/lanyardctl/lanyardctl/"

// event is what go test -json tells; see go doc test2json.
type event struct {
	Action, Package, Test, Output string
	Key, Value                    string // of an attribute
	Elapsed                       float64
}

// results collects what the tests did.
type results struct {
	out      io.Writer
	packages []*packageRun
	begun    int // packages of earlier runs
}

// packageRun is one run of a package's tests. The test without a name is the package as a whole, which is around all
// others.
type packageRun struct {
	name   string
	tests  []*test // as they began
	byName map[string]*test
}

type test struct {
	name    string
	around  *test
	inner   bool   // without subtests
	end     string // "pass", "skip" or "fail"; empty while it runs
	servers []string
	output  []string
}

// begin begins another run of go test.
func (r *results) begin() { r.begun = len(r.packages) }

func (r *results) add(e event) {
	if e.Action == "build-output" {
		fmt.Fprint(r.out, e.Output)
	}
	if e.Package == "" {
		return
	}
	p := r.packageRun(e.Package)
	t := p.test(e.Test)
	switch e.Action {
	case "attr":
		if e.Key == ferretdb.Attribute {
			t.servers = append(t.servers, e.Value)
		}
	case "output":
		t.output = append(t.output, e.Output)
	case "pass", "skip", "fail":
		t.end = e.Action
		r.ended(p, t, e.Elapsed)
	}
}

// ended prints what a test that failed printed, and how a package fared.
func (r *results) ended(p *packageRun, t *test, seconds float64) {
	if t.name == "" && t.end == "fail" {
		for _, t := range p.tests {
			if t.end == "" {
				r.printOutput(t) // the test binary ended in its midst
			}
		}
	}
	if t.end == "fail" {
		r.printOutput(t)
	}
	if t.name == "" && t.end != "skip" {
		fmt.Fprintf(r.out, "%-4s  %s  %.1f s\n", map[string]string{"pass": "ok", "fail": "FAIL"}[t.end], p.name, seconds)
	}
}

func (r *results) printOutput(t *test) {
	for _, line := range t.output {
		if !strings.HasPrefix(line, "=== ") {
			fmt.Fprint(r.out, line)
		}
	}
}

func (r *results) packageRun(path string) *packageRun {
	name := strings.TrimPrefix(path, module)
	for _, p := range r.packages[r.begun:] {
		if p.name == name {
			return p
		}
	}
	p := &packageRun{name: name, byName: make(map[string]*test)}
	r.packages = append(r.packages, p)
	return p
}

// test returns the test of the name. What is around it began before it.
func (p *packageRun) test(name string) *test {
	if t := p.byName[name]; t != nil {
		return t
	}
	t := &test{name: name, inner: true}
	for around := name; around != "" && t.around == nil; {
		around = around[:max(0, strings.LastIndex(around, "/"))]
		t.around = p.byName[around]
	}
	if t.around != nil {
		t.around.inner = false
	}
	p.tests, p.byName[name] = append(p.tests, t), t
	return t
}

// on returns the test or that around it which says that it runs on the server; nil where none does.
func (t *test) on(server string) *test {
	for ; t != nil; t = t.around {
		if slices.Contains(t.servers, server) {
			return t
		}
	}
	return nil
}

// counts are numbers of tests. Each test is counted where it ran or as skipped, and those that failed once more.
type counts struct{ onNamed, onFerretDB, onNone, skipped, failed int }

func (c *counts) add(d counts) {
	c.onNamed += d.onNamed
	c.onFerretDB += d.onFerretDB
	c.onNone += d.onNone
	c.skipped += d.skipped
	c.failed += d.failed
}

// counted returns the innermost tests, and what is around them where that failed by itself.
func (p *packageRun) counted() []*test {
	explained := make(map[*test]bool) // by a failure inside
	for _, t := range p.tests {
		if t.end == "fail" || t.end == "" {
			for around := t.around; around != nil; around = around.around {
				explained[around] = true
			}
		}
	}
	var list []*test
	for _, t := range p.tests {
		if t.inner && t.name != "" || t.end == "fail" && !explained[t] {
			list = append(list, t)
		}
	}
	return list
}

var reason = regexp.MustCompile(`^\s*[^\s:]+\.go:[0-9]+: (.*)`)

// reason returns why the test was skipped.
func (t *test) reason() string {
	for _, line := range slices.Backward(t.output) {
		if match := reason.FindStringSubmatch(line); match != nil {
			return match[1]
		}
	}
	return "for no reason given"
}

// print prints the table and what its numbers stand for, and returns the sums.
func (r *results) print(server string) counts {
	rows := make(map[string]counts)
	var total counts
	var own, skipped, failed []string
	for _, p := range r.packages {
		for _, t := range p.counted() {
			name := strings.TrimSpace(p.name + " " + t.name)
			var c counts
			switch {
			case t.end == "skip":
				c.skipped = 1
				skipped = append(skipped, name+": "+t.reason())
			case t.on(mongoserver.OnNamed) != nil:
				c.onNamed = 1
			case t.on(ferretdb.OnFerretDB) != nil:
				c.onFerretDB = 1
				own = append(own, p.name+" "+t.on(ferretdb.OnFerretDB).name)
			default:
				c.onNone = 1
			}
			if t.end != "pass" && t.end != "skip" {
				c.failed = 1
				failed = append(failed, name)
			}
			total.add(c)
			c.add(rows[p.name])
			rows[p.name] = c
		}
	}
	fmt.Fprintf(r.out, "\nTests, by where they ran. Of a test with subtests, these are counted; a package that failed as a whole is one.\n\n")
	names := make([]string, 0, len(rows))
	width := len("package")
	for name := range rows {
		names = append(names, name)
		width = max(width, len(name))
	}
	slices.Sort(names)
	head := fmt.Sprintf("%-*s  %s  %s  %s  %s  %s\n", width, "package", server, "FerretDB of its own", "no server", "skipped", "failed")
	line := func(name string, c counts) {
		fmt.Fprintf(r.out, "%-*s  %*d  %19d  %9d  %7d  %6d\n", width, name, len(server), c.onNamed, c.onFerretDB, c.onNone, c.skipped, c.failed)
	}
	fmt.Fprint(r.out, head)
	for _, name := range names {
		line(name, rows[name])
	}
	fmt.Fprintln(r.out, strings.Repeat("-", len(head)-1))
	line("total", total)
	r.list("On a FerretDB of their own, whatever server is named:", own)
	r.list("Skipped:", skipped)
	r.list("Failed:", failed)
	return total
}

// list prints each entry once, in order.
func (r *results) list(head string, entries []string) {
	if len(entries) == 0 {
		return
	}
	slices.Sort(entries)
	fmt.Fprintf(r.out, "\n%s\n", head)
	for _, entry := range slices.Compact(entries) {
		fmt.Fprintf(r.out, "  %s\n", entry)
	}
}
