// Package imagetest builds the root file system of the image as the Dockerfile says, without a container engine, and
// runs lanyardctl in it. It also reads examples/compose.yaml as Docker Compose does.
package imagetest

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// repository is the module's folder, from this one.
const repository = "../.."

// image is what a stage of a Dockerfile comes to.
type image struct {
	root       string // the folder that is its root
	env        []string
	user       string
	workdir    string
	entrypoint []string
	cmd        []string
}

// path returns where the file of the image is.
func (i *image) path(name string) string {
	if !path.IsAbs(name) {
		name = path.Join("/", i.workdir, name)
	}
	return filepath.Join(i.root, filepath.FromSlash(name))
}

// build does what the Dockerfile says and returns its last stage. Of what the image golang holds, a stage has only the
// file of the authorities; a command is run outside, in the stage's working folder.
func build(t *testing.T, authorities []byte) *image {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	context := buildContext(t)
	stages := make(map[string]*image)
	var last *image
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		instruction, rest, _ := strings.Cut(line, " ")
		args := strings.Fields(rest)
		switch instruction {
		case "FROM":
			last = &image{root: t.TempDir()}
			if args[0] != "scratch" {
				file := last.path("/etc/ssl/certs/ca-certificates.crt")
				check(t, os.MkdirAll(filepath.Dir(file), 0o755))
				check(t, os.WriteFile(file, authorities, 0o644))
			}
			if len(args) == 3 {
				stages[args[2]] = last
			}
		case "WORKDIR":
			last.workdir = args[0]
			check(t, os.MkdirAll(last.path("."), 0o755))
		case "COPY":
			from := &image{root: context}
			if name, ok := strings.CutPrefix(args[0], "--from="); ok {
				from, args = stages[name], args[1:]
			}
			to := args[len(args)-1]
			for _, source := range args[:len(args)-1] {
				copyTo(t, from.path(source), last.path(to), strings.HasSuffix(to, "/"))
			}
		case "RUN":
			if rest == "go mod download" {
				continue // which only makes the next build faster
			}
			cmd := exec.Command("sh", "-c", rest)
			cmd.Dir = last.path(".")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", line, err, out)
			}
		case "ENV":
			last.env = append(last.env, args...)
		case "USER":
			last.user = rest
		case "ENTRYPOINT":
			check(t, json.Unmarshal([]byte(rest), &last.entrypoint))
		case "CMD":
			check(t, json.Unmarshal([]byte(rest), &last.cmd))
		default:
			t.Fatalf("this test does not know what to do: %s", line)
		}
	}
	return last
}

// buildContext returns a folder with the files of the repository that .dockerignore leaves to a build.
func buildContext(t *testing.T) string {
	t.Helper()
	list, err := os.Open(filepath.Join(repository, ".dockerignore"))
	check(t, err)
	defer list.Close()
	patterns, err := ignorefile.ReadAll(list)
	check(t, err)
	ignored, err := patternmatcher.New(patterns)
	check(t, err)
	context := t.TempDir()
	check(t, filepath.WalkDir(repository, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(repository, file)
		if err != nil {
			return err
		}
		out, err := ignored.MatchesOrParentMatches(name)
		switch {
		case err != nil:
			return err
		case out && entry.IsDir():
			return fs.SkipDir
		case out || entry.IsDir():
			return nil
		}
		copyTo(t, file, filepath.Join(context, name), false)
		return nil
	}))
	return context
}

// copyTo copies a file, or what is in a folder, with its modes.
func copyTo(t *testing.T, from, to string, intoFolder bool) {
	t.Helper()
	info, err := os.Stat(from)
	check(t, err)
	if !info.IsDir() {
		if intoFolder {
			to = filepath.Join(to, filepath.Base(from))
		}
		content, err := os.ReadFile(from)
		check(t, err)
		check(t, os.MkdirAll(filepath.Dir(to), 0o755))
		check(t, os.WriteFile(to, content, info.Mode()))
		return
	}
	entries, err := os.ReadDir(from)
	check(t, err)
	for _, entry := range entries {
		source, target := filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())
		if entry.IsDir() {
			info, err := entry.Info()
			check(t, err)
			check(t, os.MkdirAll(target, 0o755))
			check(t, os.Chmod(target, info.Mode()))
		}
		copyTo(t, source, target, false)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
