//go:build unix

package doctest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/creack/pty"
)

// terminal is a shell in a terminal of 80 columns.
type terminal struct {
	out      *bufio.Reader
	commands *os.File
}

// separator stands after what a command printed, and after its exit status.
const separator = '\x1e'

// open starts the shell in a folder. It ends with the test.
func open(t *testing.T, ctx context.Context, dir string, env []string) *terminal {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "bash", "/dev/fd/3")
	cmd.Dir, cmd.Env, cmd.ExtraFiles = dir, env, []*os.File{r}
	screen, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	r.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Close()
		screen.Close()
		_ = cmd.Wait()
	})
	return &terminal{out: bufio.NewReader(screen), commands: w}
}

// run types a command, and returns what stands on the screen when it has ended, and its exit status.
func (t *terminal) run(command string) (string, int, error) {
	if _, err := fmt.Fprintf(t.commands, "%s\n"+`{ s=$?; printf '\036%%d\036' $s; (exit $s); } 3<&-`+"\n", command); err != nil {
		return "", 0, err
	}
	printed, err := t.out.ReadString(separator)
	if err != nil {
		return printed, 0, fmt.Errorf("the shell ended: %w", err)
	}
	status, err := t.out.ReadString(separator)
	if err != nil {
		return printed, 0, fmt.Errorf("the shell ended: %w", err)
	}
	code, err := strconv.Atoi(strings.Trim(status, string(separator)))
	return onScreen(strings.TrimSuffix(printed, string(separator))), code, err
}

var escape = regexp.MustCompile(`^\x1b\[[0-9;?]*([A-Za-z])`)

// onScreen returns what stands on a terminal that was sent the text, without colours. Lines are as long as they are.
func onScreen(sent string) string {
	var lines []string
	var line []rune
	column := 0
	for i := 0; i < len(sent); {
		if found := escape.FindStringSubmatch(sent[i:]); found != nil {
			if found[1] == "K" {
				from := column
				if strings.HasPrefix(found[0], "\x1b[2") {
					from = 0
				}
				line = line[:min(from, len(line))]
			}
			i += len(found[0])
			continue
		}
		r, size := utf8.DecodeRuneInString(sent[i:])
		i += size
		switch r {
		case '\n':
			lines, line = append(lines, string(line)), nil // the terminal's driver sends "\r\n"
		case '\r':
			column = 0
		default:
			for len(line) <= column {
				line = append(line, ' ')
			}
			line[column] = r
			column++
		}
	}
	lines = append(lines, string(line))
	for i, l := range lines {
		lines[i] = strings.TrimRight(l, " ")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}
