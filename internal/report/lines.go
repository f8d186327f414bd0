package report

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/rejectsfile"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// Lines is what is shown of a rejects file, or of a superseded file: a run's lines, as far as they are asked for.
type Lines struct {
	Command string // "rejects show"
	File    string
	Run     rejectsfile.RunLines
	Runs    []rejectsfile.RunLines // all that are in the file
	Damaged int64                  // lines of the file that cannot be read
	Most    int                    // lines to show; 0 for all
	Reveal  bool                   // API keys and passwords as they are

	Err error // why the file cannot be shown; nil where it can

	// Each hands the lines to yield that are asked for. It can be called again.
	Each func(yield func(rejectsfile.Line) error) error
}

// count returns how many lines are asked for, by reason.
func (l Lines) count() (reasons map[record.Reason]int64, total int64, err error) {
	reasons = map[record.Reason]int64{}
	err = l.Each(func(line rejectsfile.Line) error {
		reasons[record.Reason(ui.ShownWord(string(line.Reason)))]++ // somebody else may have written it
		total++
		return nil
	})
	return reasons, total, err
}

// earlier returns how many lines of other runs are in the file.
func (l Lines) earlier() int64 {
	var n int64
	for _, r := range l.Runs {
		if r.ID != l.Run.ID {
			n += r.Lines
		}
	}
	return n
}

func (l Lines) superseded() bool { return l.Command == invocation.SupersededShow }

// shownLine is a line without secrets, unless they are asked for. Its texts are not fit for a terminal yet.
type shownLine struct {
	key, field, detail, value string
	hidden                    bool // something of it is not shown
	cut                       bool // only its beginning is looked at
}

// mostLooked is how many bytes of a text are looked at for secrets, which is far more than what is shown of it.
const mostLooked = 4 << 10

// shown hides the secrets of a line: API keys, wherever they are, and passwords in URIs.
func (l Lines) shown(line rejectsfile.Line) shownLine {
	s := shownLine{key: line.Key, field: line.Field, detail: line.Detail, value: line.Value.Data}
	texts := []*string{&s.key, &s.field, &s.detail, &s.value}
	for _, text := range texts {
		if len(*text) > mostLooked {
			*text, s.cut = (*text)[:mostLooked]+"…", true
		}
	}
	if l.Reveal {
		return s
	}
	plain := s
	var own []string // what a server may have put into the detail
	if line.Kind == record.APIKeys {
		for _, prefix := range []string{"user_api_key:", "api_key:"} {
			if id, ok := strings.CutPrefix(s.key, prefix); ok && mayBeAPIKey(id) {
				s.key, own = prefix+record.Fingerprint(id), append(own, id)
			}
		}
		if mayBeAPIKey(s.value) {
			own = append(own, s.value)
			s.value = record.Fingerprint(s.value)
		}
	}
	for _, secret := range own {
		if len(secret) < shortestSecret {
			continue // hiding it would show it
		}
		s.detail = strings.ReplaceAll(s.detail, secret, record.Fingerprint(secret))
	}
	for _, text := range texts {
		*text = redact.HideText(*text)
	}
	s.hidden = s != plain
	return s
}

// shortestSecret is the length below which an API key is too common a text to be hidden inside another.
const shortestSecret = 4

// mayBeAPIKey tells whether what stands where a user id or an API key may stand is an API key: a user id has digits alone.
func mayBeAPIKey(text string) bool { return strings.Trim(text, "0123456789") != "" }

// WriteText writes l for people.
func (l Lines) WriteText(w io.Writer, look ui.Style) error {
	reasons, total, err := l.count()
	if err != nil {
		return err
	}
	t := newBuilder(look)
	name := ui.PrintableLine(l.File)
	switch {
	case len(l.Runs) == 0:
		t.Line("%s holds no lines.", name)
	default:
		t.Wrap("", t.Paint(ui.Bold, name)+": "+ui.Plural(l.Run.Lines, "line")+" of "+runText(l.Run)+".")
	}
	if n := l.earlier(); n > 0 {
		text := ui.Plural(n, "line") + " of other runs " + be(n) + " in this file, too."
		if named := runsText(l.Runs, l.Run.ID); named != "" {
			text += " --run ID shows those of " + named + "."
		} else {
			text += " --line shows single ones by their numbers." // an older version gave its runs no IDs
		}
		t.Wrap("", text)
	}
	if l.Damaged > 0 {
		t.Wrap("", t.Paint(ui.Yellow, ui.Plural(l.Damaged, "line")+" cannot be read: a run that was killed leaves half a line."))
	}
	if total != l.Run.Lines {
		t.Wrap("", ui.Plural(total, "line")+" "+be(total)+" asked for.")
	}
	if !l.superseded() {
		t.List("By reason:", ui.ItemsOf(reasons, reasonTexts))
	}
	if total > 0 {
		t.Line("")
	}
	if _, err := io.WriteString(w, t.String()); err != nil {
		return err
	}
	shown, first, hidden := int64(0), int64(0), false
	err = l.shownLines(func(line rejectsfile.Line) error {
		if shown++; first == 0 {
			first = line.Number
		}
		s := l.shown(line)
		hidden = hidden || s.hidden
		t := newBuilder(look)
		t.line(line, s)
		_, err := io.WriteString(w, t.String())
		return err
	})
	if err != nil {
		return err
	}
	t = newBuilder(look)
	l.next(t, total, shown, first, hidden)
	_, err = io.WriteString(w, t.String())
	return err
}

func be(n int64) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// stores are where the runs of a direction write, as the lines of their files have it.
var stores = map[invocation.Direction]rejectsfile.Store{
	invocation.ToMongo: "", invocation.ToRedis: rejectsfile.ToRedis, invocation.TablesToMongo: rejectsfile.TablesToMongoDB, invocation.TablesBack: rejectsfile.ToDynamoDB,
}

// StoreOf returns where the runs of a direction write, as the lines of their files have it.
func StoreOf(d invocation.Direction) rejectsfile.Store { return stores[d] }

// directionOf returns the direction of a run that wrote to the store.
func directionOf(to rejectsfile.Store) invocation.Direction {
	for d, store := range stores {
		if store == to {
			return d
		}
	}
	return invocation.ToMongo
}

func runText(r rejectsfile.RunLines) string {
	text := "run of an older version"
	if r.ID != "" {
		text = "run " + ui.ShownName(r.ID)
	}
	if !r.Time.IsZero() {
		text += " of " + ClockTime(r.Time)
	}
	if r.To != "" {
		text += ", which wrote to " + directionOf(r.To).Target()
	}
	return text
}

// runsText names the last of the other runs.
func runsText(runs []rejectsfile.RunLines, but string) string {
	const most = 3
	var names []string
	for _, r := range slices.Backward(runs) {
		switch {
		case r.ID == but || r.ID == "":
		case len(names) == most:
			return strings.Join(names, ", ") + " and others"
		default:
			names = append(names, ui.ShownName(r.ID))
		}
	}
	return strings.Join(names, ", ")
}

// longestValue is how many characters of a value are shown.
const longestValue = 60

// line writes a line of a file: what and whose it is, where it stood, and what it is.
func (t *builder) line(line rejectsfile.Line, s shownLine) {
	what := []string{line.Kind.String()}
	if line.User != 0 {
		what = append(what, line.User.String())
	}
	if line.HasField {
		what = append(what, ui.ShownName(s.field))
	}
	if line.Reason != record.SupersededReason {
		what = append(what, "("+ui.ShownWord(string(line.Reason))+")")
	}
	t.Wrap("  "+t.Paint(ui.Bold, fmt.Sprintf("%5d", line.Number))+"  ", strings.Join(what, " "))
	value := "a " + ui.ShownName(line.Value.Type)
	if line.Value.Size > 0 {
		value += " of " + ui.Bytes(line.Value.Size)
	}
	if line.Value.Present {
		value = ui.Quoted(s.value, longestValue)
		if n := len(line.Value.Data); n > mostLooked {
			value = fmt.Sprintf("%s… (%s)", value[:strings.LastIndex(value, "…")], ui.Plural(int64(n), "byte"))
		}
	}
	if s.key != "" {
		value = ui.ShownWord(s.key) + " = " + value
	}
	const indent = "         "
	t.Line("%s%s", indent, value)
	if s.detail != "" {
		t.Wrap(indent, ui.ShownWord(s.detail))
	}
}

// next says what to type now.
func (l Lines) next(t *builder, total, shown, first int64, hidden bool) {
	if total > shown {
		t.Line("  … and %s more (--max-lines 0 shows all)", ui.Thousands(total-shown))
	}
	if total == 0 {
		return
	}
	t.Line("")
	if hidden {
		t.Wrap("", "API keys are shown as fingerprints; --reveal shows them as they are.")
	}
	file := " " + invocation.Quote(l.File)
	direction := directionOf(l.Run.To)
	switch back := l.Run.To != ""; {
	case l.superseded() && direction.OfTables():
		t.Wrap("", "A value is written back by hand: --reveal shows it, as the store that held it has it.")
		return
	case direction.OfTables():
		t.command("Next: correct in "+direction.Source()+" what is worth it, then copy again; --tables and --table name these tables alone:",
			invocation.Invocation{Name: direction.Migrate()})
		return
	case l.superseded() && back:
		t.Wrap("", "To write a value back into Redis, take redis-cli (HSET, SET): lanyardctl "+invocation.SupersededRestore+" writes to MongoDB alone.")
		return
	case back:
		t.command("Next: correct in MongoDB what is worth it, then copy again; --only and --user name these records alone:",
			invocation.Invocation{Name: invocation.MigrateBack})
		return
	case l.superseded():
		t.command("To write values back into MongoDB, name them by the number before them, such as:",
			invocation.Invocation{Name: invocation.SupersededRestore + file}.With("line", strconv.FormatInt(first, 10)))
		return
	}
	t.command("Next: correct in Redis what is worth it, then migrate these records alone (add --redis and --mongo where no variables name them):",
		invocation.Invocation{Name: invocation.RejectsRetry + file})
}

// lineJSON is a line of a file. What is no text is escaped in key, field and value.
type lineJSON struct {
	Line        int64         `json:"line"`
	Kind        string        `json:"kind"`
	UserID      *string       `json:"user_id"`
	Key         string        `json:"key"`
	Field       *string       `json:"field"`
	Reason      record.Reason `json:"reason"`
	Detail      string        `json:"detail"`
	Value       *string       `json:"value"`
	Form        record.Form   `json:"form,omitempty"`
	Type        string        `json:"type,omitempty"`
	Size        int64         `json:"size,omitempty"`
	Hidden      bool          `json:"hidden"`       // a secret is shown as a fingerprint
	Cut         bool          `json:"cut"`          // a long text is cut; value_base64 is whole
	To          string        `json:"to,omitempty"` // where the run wrote; MongoDB where it is missing
	ValueBase64 *string       `json:"value_base64,omitempty"`
}

// WriteJSON writes l as one JSON object, a line of the list at a time.
func (l Lines) WriteJSON(w io.Writer) error {
	reasons, total, err := l.count()
	if err != nil {
		return err
	}
	began := ""
	if !l.Run.Time.IsZero() {
		began = utc(l.Run.Time)
	}
	head, err := indented(object{
		{"command", l.Command}, {"file", l.File}, {"run", orNull(l.Run.ID)}, {"time", orNull(began)},
		{"other_lines", l.earlier()}, {"damaged_lines", l.Damaged}, {"lines", total}, {"reasons", reasons},
		{"list_truncated", l.Most > 0 && total > int64(l.Most)}, {"ok", l.Err == nil}, {"error", orNull(redact.HideText(errorText(l.Err)))},
	})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%s,\n  \"list\": [", bytes.TrimSuffix(head, []byte("\n}\n"))); err != nil {
		return err
	}
	separator, end := "", "]"
	err = l.shownLines(func(line rejectsfile.Line) error {
		text, err := json.Marshal(l.lineJSON(line))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n    %s", separator, ui.EscapeJSON(text))
		separator, end = ",", "\n  ]"
		return err
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, end+"\n}\n")
	return err
}

// errEnough ends the reading of lines.
var errEnough = errors.New("enough")

// shownLines hands the first lines to yield, as many as are shown.
func (l Lines) shownLines(yield func(rejectsfile.Line) error) error {
	n := 0
	err := l.Each(func(line rejectsfile.Line) error {
		if n++; l.Most > 0 && n > l.Most {
			return errEnough
		}
		return yield(line)
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func (l Lines) lineJSON(line rejectsfile.Line) lineJSON {
	s := l.shown(line)
	out := lineJSON{
		Line: line.Number, Kind: line.Kind.String(), UserID: userOrNull(line.User),
		Reason: record.Reason(ui.ShownWord(string(line.Reason))),
		To:     ui.ShownWord(string(line.Run.To)), Form: line.Value.Form, Type: line.Value.Type, Size: line.Value.Size, Hidden: s.hidden,
	}
	short := func(text string) string {
		shown := ui.ShownWord(text)
		out.Cut = out.Cut || shown != ui.PrintableLine(text)
		return shown
	}
	out.Key, out.Detail = short(s.key), short(s.detail)
	if line.HasField {
		field := short(s.field)
		out.Field = &field
	}
	if line.Value.Present {
		value := short(s.value)
		out.Value = &value
		if l.Reveal {
			raw := base64.StdEncoding.EncodeToString([]byte(line.Value.Data))
			out.ValueBase64 = &raw
		}
	}
	return out
}

// Reasons returns the reasons that a line can have, in alphabetical order.
func Reasons() []string {
	var list []string
	for _, reason := range slices.Sorted(maps.Keys(reasonTexts)) {
		list = append(list, string(reason))
	}
	return list
}
