package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/store/embedded"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
)

// lanyardctl runs the built binary until it ends.
func lanyardctl(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(ferretdb.Build(t), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestServingAFolderThatCannotBeServed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "WiredTiger"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	running := ferretdb.Start(t)
	port := strings.Trim(strings.TrimPrefix(running.URI, "mongodb://"), "/")
	for name, c := range map[string]struct {
		args []string
		code int
		text string
	}{
		"a file":            {[]string{file}, exit.Failed, "lanyardctl: embedded folder " + file},
		"none":              {[]string{filepath.Join(t.TempDir(), "none")}, exit.Failed, "/none does not exist\nhint: is the path right? --create makes the folder"},
		"somebody else's":   {[]string{foreign}, exit.Failed, `it is not empty, and no lanyardctl has made it: it holds "WiredTiger"`},
		"in use":            {[]string{running.Dir}, exit.Failed, "lanyardctl: embedded folder " + running.Dir + ": in use"},
		"on a taken port":   {[]string{t.TempDir(), "--listen", port}, exit.Failed, port},
		"for all to see":    {[]string{t.TempDir(), "--listen", "0.0.0.0:0"}, exit.Usage, "not a loopback address"},
		"on no address":     {[]string{t.TempDir(), "--listen", "nonsense"}, exit.Usage, `"nonsense" is no address of this machine with a port`},
		"on somebody's URI": {[]string{t.TempDir(), "--listen", "192.0.2.1:27017"}, exit.Usage, "not a loopback address"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := lanyardctl(t, append([]string{"embedded", "serve"}, c.args...)...)
			if code != c.code || stdout != "" || !strings.Contains(stderr, c.text) || !strings.Contains(stderr, "\nhint: ") ||
				strings.Count(stderr, "\n") != 2 {
				t.Errorf("exit %d\nstdout: %s\nstderr: %s", code, stdout, stderr)
			}
		})
	}
}

// serve starts `embedded serve` with its streams in files, and returns them once the URI is there.
func serve(t *testing.T, flags ...string) (cmd *exec.Cmd, uri string, streams func() (stdout, stderr string)) {
	t.Helper()
	t.Attr(ferretdb.Attribute, ferretdb.OnFerretDB)
	dir := t.TempDir()
	outPath, errPath := filepath.Join(dir, "stdout"), filepath.Join(dir, "stderr")
	out, err := os.Create(outPath)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	errs, err := os.Create(errPath)
	if err != nil {
		t.Fatal(err)
	}
	defer errs.Close()
	cmd = exec.Command(ferretdb.Build(t), append([]string{"embedded", "serve", filepath.Join(dir, "data"), "--create"}, flags...)...)
	cmd.Stdout, cmd.Stderr = out, errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	read := func(path string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for deadline := time.Now().Add(time.Minute); !strings.HasSuffix(uri, "\n"); uri = read(outPath) {
		if time.Now().After(deadline) {
			t.Fatalf("no URI after a minute; stderr: %s", read(errPath))
		}
		time.Sleep(5 * time.Millisecond)
	}
	return cmd, strings.TrimSpace(uri), func() (string, string) { return read(outPath), read(errPath) }
}

func TestASignalEndsServing(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			cmd, uri, streams := serve(t)
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			err := cmd.Wait()
			stdout, stderr := streams()
			if err != nil || stdout != uri+"\n" || !strings.HasPrefix(uri, "mongodb://127.0.0.1:") {
				t.Errorf("%v\nstdout: %s\nstderr: %s", err, stdout, stderr)
			}
		})
	}
}

func TestServingOnASocketOfOnesOwn(t *testing.T) {
	cmd, uri, _ := serve(t, "--listen", "unix")
	path := strings.TrimPrefix(strings.ReplaceAll(uri, "%2F", "/"), "mongodb://")
	info, err := os.Stat(filepath.Dir(filepath.Clean(path)))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of %s: %v, %v", uri, info, err)
	}
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Ping(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if err := client.Disconnect(context.Background()); err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestASecondSignalEndsServingAtOnce(t *testing.T) {
	cmd, uri, _ := serve(t)
	// The server waits for a client that stays.
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Disconnect(context.Background()) }()
	if err := client.Ping(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	// Two signals that come too close are one to the process: go on until it ends.
	for signals := time.NewTicker(10 * time.Millisecond); ; {
		select {
		case <-signals.C:
			_ = cmd.Process.Signal(os.Interrupt)
			continue
		case <-ended:
		}
		signals.Stop()
		break
	}
	if code := cmd.ProcessState.ExitCode(); code != exit.Interrupted {
		t.Errorf("exit %d", code)
	}
}

// heard is a buffer. Its channel is closed with the first text that is written to it.
type heard struct {
	text  bytes.Buffer
	once  sync.Once
	first chan struct{}
}

func (h *heard) Write(text []byte) (int, error) {
	defer h.once.Do(func() { close(h.first) })
	return h.text.Write(text)
}

func TestServingSaysWhatItDoesWhileItStarts(t *testing.T) {
	for name, c := range map[string]struct {
		flags outputFlags
		takes time.Duration // where nothing is said
		want  string
	}{
		"as a bar": {outputFlags{progress: ui.ProgressBar, logFormat: ui.LogText}, time.Minute,
			`^\rstarting the embedded database in \./data … \d+ s`},
		"quietly": {outputFlags{progress: ui.ProgressBar, logFormat: ui.LogText, quiet: true}, 1200 * time.Millisecond, `^$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			errs := &heard{first: make(chan struct{})}
			slow := func(context.Context, embedded.Options) (*embedded.Server, error) {
				select {
				case <-errs.first:
				case <-time.After(c.takes):
				}
				return nil, embedded.ErrNotIncluded
			}
			s := streams{program{func(string) string { return "" }, location.Default()}, nil, &out, errs}
			r := newCommandRun(c.flags, s, ui.NewSanitizer())
			err := r.serveEmbedded(t.Context(), slow, embedded.Options{Dir: "./data"})
			fits := regexp.MustCompile(c.want).MatchString(errs.text.String())
			if !errors.Is(err, embedded.ErrNotIncluded) || out.Len() > 0 || !fits {
				t.Errorf("%v\nstdout: %s\nstderr: %q", err, out.String(), errs.text.String())
			}
		})
	}
}

func TestServingTellsOneObjectALine(t *testing.T) {
	cmd, uri, streams := serve(t, "--log-format", "json")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	stdout, stderr := streams()
	var line struct{ Level, Msg string }
	if bad := json.Unmarshal([]byte(stderr), &line); err != nil || bad != nil || line.Level != "INFO" || !strings.HasPrefix(line.Msg, "serving ") || stdout != uri+"\n" {
		t.Errorf("%v, %v\nstdout: %s\nstderr: %s", err, bad, stdout, stderr)
	}
	code, stdout, stderr := lanyardctl(t, "embedded", "serve", filepath.Join(t.TempDir(), "none"), "--log-format", "json")
	if bad := json.Unmarshal([]byte(stderr), &line); code != exit.Failed || bad != nil || line.Level != "ERROR" || stdout != "" {
		t.Errorf("exit %d, %v\nstdout: %s\nstderr: %s", code, bad, stdout, stderr)
	}
}

func TestServingQuietlyTellsTheURIAlone(t *testing.T) {
	cmd, _, streams := serve(t, "--quiet")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, stderr := streams(); stderr != "" {
		t.Errorf("stderr: %s", stderr)
	}
}
