//go:build unix

package doctest

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/internal/golden"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
)

// repository is the module's folder, from this one.
const repository = "../.."

// ports are that of make try, that of make try-dynamodb, and another, in the pages. A test takes free ones.
var ports = []string{"17777", "17778", "17779"}

// host is the name of the machine, in the pages.
const host = "vm"

// tools are what the pages use and a machine may lack.
var tools = regexp.MustCompile(`\b(curl|jq|xxd)\b`)

// TestPages follows each page.
func TestPages(t *testing.T) {
	t.Attr(ferretdb.Attribute, ferretdb.OnFerretDB)
	bin := ferretdb.Build(t)
	guides, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(guides, filepath.Join(repository, "README.md")) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			p := readPage(t, file)
			path := filepath.Dir(bin) + string(os.PathListSeparator) + os.Getenv("PATH")
			if filepath.Base(file) == "README.md" {
				path = os.Getenv("PATH") // the README tells how to install it
			}
			follow(t, p, path)
			checkUnrun(t, p, bin)
		})
	}
}

// given is how many ports were given to pages.
var given atomic.Int64

// ownPort returns a port that nobody else takes before the page does: of those between redisserver.FreePort's and those that
// Linux gives to connections, each one once.
func ownPort(t *testing.T) string {
	t.Helper()
	const first, all = 32_000, 768
	for range all {
		port := strconv.Itoa(first + (os.Getpid()+int(given.Add(1)))%all)
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return ""
}

// follow runs the steps of a page.
func follow(t *testing.T, p *page, path string) {
	t.Helper()
	if len(p.steps) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(cancel)
	clone := copyRepository(t)
	t.Cleanup(func() {
		for _, script := range []string{"try", "try-dynamodb"} {
			stop := exec.Command(filepath.Join(clone, "scripts", script), "stop")
			if out, err := stop.CombinedOutput(); err != nil {
				t.Errorf("scripts/%s stop: %v\n%s", script, err, out)
			}
		}
	})
	var toFree, fromFree []string // for replacers
	for _, port := range ports {
		free := ownPort(t)
		toFree, fromFree = append(toFree, port, free), append(fromFree, free, port)
	}
	shell := open(t, ctx, clone, append(goVariables(t), "PATH="+path, "HOME="+t.TempDir(), "PORT="+toFree[1], "DYNAMODB_PORT="+toFree[3],
		"TERM=xterm-256color", "LC_ALL=C.UTF-8", "TZ=UTC", "CGO_ENABLED=0"))
	outputs := make(map[int]string)
	ids := make(map[string]string) // the real ones, by those of the page
	for n, s := range p.steps {
		where := fmt.Sprintf("%s:%d", p.file, s.line+1)
		if tool := tools.FindString(s.command); tool != "" {
			if _, err := exec.LookPath(tool); err != nil {
				t.Logf("%s: not run, since there is no %s here", where, tool)
				continue
			}
		}
		command := strings.NewReplacer(toFree...).Replace(s.command)
		for id, real := range ids {
			command = strings.ReplaceAll(command, id, real)
		}
		got, status, err := shell.run(command)
		switch {
		case err != nil:
			t.Fatalf("%s: %v\n$ %s\n%s", where, err, command, got)
		case status == 127 || !s.shown && status != 0:
			t.Fatalf("%s: exit status %d\n$ %s\n%s", where, status, command, got)
		case !s.shown:
			continue
		}
		got = strings.NewReplacer(fromFree...).Replace(got)
		if name, err := os.Hostname(); err == nil {
			got = regexp.MustCompile(`\b`+regexp.QuoteMeta(name)+`\b`).ReplaceAllLiteralString(got, host)
		}
		want := p.output(s)
		if old, now := sweepID.FindAllString(want, -1), sweepID.FindAllString(got, -1); len(old) == len(now) {
			for i := range old {
				ids[old[i]] = now[i]
			}
		}
		for id, real := range ids {
			got = strings.ReplaceAll(got, real, id) // a page is rewritten in parts, and stays of one piece
		}
		if diff := cmp.Diff(strings.Split(mask(want), "\n"), strings.Split(mask(got), "\n")); diff != "" {
			outputs[n] = got
			if !*golden.Updating {
				t.Errorf("%s prints something else (go test ./internal/doctest -update writes it anew):\n$ %s\n%s", where, command, diff)
			}
		}
	}
	if *golden.Updating && len(outputs) > 0 {
		if err := p.write(outputs); err != nil {
			t.Fatal(err)
		}
	}
}

// inContainer is a command line of lanyardctl in a container.
var inContainer = regexp.MustCompile(`^(?:\$ )?docker .*\brun .*\blanyardctl ([a-z].*)$`)

// checkUnrun checks of what cannot be run that lanyardctl knows its flags at least.
func checkUnrun(t *testing.T, p *page, bin string) {
	t.Helper()
	for _, line := range p.unrun {
		found := inContainer.FindStringSubmatch(line)
		if found == nil {
			continue
		}
		help := exec.Command("bash", "-c", bin+" "+found[1]+" --help")
		if out, err := help.CombinedOutput(); err != nil {
			t.Errorf("%s: %s: %v\n%s", p.file, line, err, out)
		}
	}
}

// goVariables tell the go command of another home where everything is.
func goVariables(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, name := range []string{"GOPATH", "GOMODCACHE", "GOCACHE", "GOFLAGS", "GOPROXY", "GOSUMDB", "GOTOOLCHAIN"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, name+"="+strings.TrimSpace(string(out)))
	}
	return list
}

// copyRepository returns a folder that holds the repository as a fresh clone does.
func copyRepository(t *testing.T) string {
	t.Helper()
	clone := filepath.Join(t.TempDir(), "lanyardctl")
	err := filepath.WalkDir(repository, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(repository, file)
		if err != nil {
			return err
		}
		to := filepath.Join(clone, name)
		switch {
		case slices.Contains([]string{".git", "bin", "try"}, name):
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(to, 0o755)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return os.WriteFile(to, content, info.Mode())
	})
	if err != nil {
		t.Fatal(err)
	}
	return clone
}

var sweepID = regexp.MustCompile(`\d{8}-\d{6}-\d{3}-[0-9a-f]{4}`)

// masks make equal what differs from run to run and from machine to machine.
var masks = []struct {
	pattern *regexp.Regexp
	by      string
}{
	{sweepID, "ID"},
	{regexp.MustCompile(`(ID  )\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(  \S+ +\d+ +)\S+`), "${1}TIME${2}HOST"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d(\s+)\d\d:\d\d:\d\d UTC`), "DATE${1}TIME UTC"},
	{regexp.MustCompile(`\b[A-Z2-7]{26}\b`), "RUN"},
	{regexp.MustCompile(`-\d{8}T\d{6}\.\d{3}Z\.`), "-TIME."},
	{regexp.MustCompile(`on \S+ \(process \d+\), by lanyardctl .*`), "on HOST (process N), by lanyardctl VERSION"},
	{regexp.MustCompile(`host +options`), "host options"},
	{regexp.MustCompile(`Redis \d+\.\d+\.\d+`), "Redis N"},
	{regexp.MustCompile(`[\d,]+ (key|record|entr|document|member|item)(s|y|ies)?/(s|min)`), "N ${1}s/s"},
	{regexp.MustCompile(`(\d+ min )?\d[\d.,]* (ms|s)\b`), "N s"},
	{regexp.MustCompile(`(Took N s), N records/s\.`), "$1."},                               // not said of very slow runs
	{regexp.MustCompile(`(Of that time it waited|Reading the source took) [^.]*\.\n`), ""}, // said of slow runs alone
	{regexp.MustCompile(`\[[\dm]*s\]`), "[N]"},
	{regexp.MustCompile(`process \d+`), "process N"},
	{regexp.MustCompile(`\d+ waiting, lag \d\S*;`), "N waiting, lag N;"},
	{regexp.MustCompile(`last heard of just now`), "last heard of N s ago"},
	{regexp.MustCompile(`compared (once|twice|\d+ times)`), "compared N times"},
	{regexp.MustCompile(`lnyd_…[0-9a-f]{8}`), "lnyd_…FINGERPRINT"},
	{regexp.MustCompile(`/\S+/mongo\.sock`), "SOCKET"},
}

func mask(text string) string {
	for _, m := range masks {
		text = m.pattern.ReplaceAllString(text, m.by)
	}
	return text
}
