// Package rejectsfile writes and reads the files in which a run keeps values: the rejects file, with what could not be
// written, and its superseded file, with what gave way to another value. Both are NDJSON, a [Line] a value. They hold
// secrets, so they are their owner's alone.
package rejectsfile

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyardctl/lanyardctl/record"
)

// SupersededPath returns the path of the superseded file that belongs to a rejects file.
func SupersededPath(rejects string) string {
	return strings.TrimSuffix(rejects, ".ndjson") + ".superseded.ndjson"
}

// Run is the run that wrote a line.
type Run struct {
	ID   string    // empty in files of older versions
	Time time.Time // when it began, to the second; zero in files of older versions
	To   Store     // where it wrote
}

// Store is where a run writes. The zero value is MongoDB.
type Store string

// The stores. That of a run from Redis to MongoDB is empty.
const (
	ToRedis         Store = "redis"
	ToDynamoDB      Store = "dynamodb"
	TablesToMongoDB Store = "mongodb" // from DynamoDB
)

// Line is a line of a file. In a superseded file its reason is [record.SupersededReason].
type Line struct {
	record.Reject
	Run    Run
	Number int64 // of the line in its file, from 1; zero before it is in one
}

// line is the JSON form of a [Line]. The order of its members is the order in the file.
type line struct {
	Key         string        `json:"key"`
	Kind        string        `json:"kind"`
	UserID      *string       `json:"user_id"`
	Field       *string       `json:"field"`
	Reason      record.Reason `json:"reason"`
	Detail      string        `json:"detail"`
	ValueBase64 *string       `json:"value_base64"`
	Form        record.Form   `json:"form,omitempty"`
	Type        string        `json:"type,omitempty"`
	Size        int64         `json:"size,omitempty"`
	KeyBase64   string        `json:"key_base64,omitempty"`
	FieldBase64 string        `json:"field_base64,omitempty"`
	Run         string        `json:"run,omitempty"`
	Time        string        `json:"time,omitempty"`
	To          Store         `json:"to,omitempty"`
}

// MarshalJSON returns the line without its newline. What is not valid UTF-8 stands beside its nearest text as base64.
func (l Line) MarshalJSON() ([]byte, error) {
	key := cmp.Or(l.Key, l.Name.String())
	out := line{
		Key: key, Kind: l.Kind.String(), Reason: l.Reason, Detail: l.Detail,
		Form: l.Value.Form, Type: l.Value.Type, Size: l.Value.Size, KeyBase64: base64Of(key), Run: l.Run.ID, To: l.Run.To,
	}
	if !l.Run.Time.IsZero() {
		out.Time = l.Run.Time.UTC().Format(time.RFC3339)
	}
	if l.User != 0 {
		id := l.User.String()
		out.UserID = &id
	}
	if l.HasField {
		out.Field, out.FieldBase64 = &l.Field, base64Of(l.Field)
	}
	if l.Value.Present {
		v := base64.StdEncoding.EncodeToString([]byte(l.Value.Data))
		out.ValueBase64 = &v
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// base64Of returns the text as base64 where JSON cannot hold it; else nothing.
func base64Of(text string) string {
	if utf8.ValidString(text) {
		return ""
	}
	return base64.StdEncoding.EncodeToString([]byte(text))
}

// tableForm is what DynamoDB takes for the name of a table.
var tableForm = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`)

// kindOf returns the kind of a line. A table that is none of the bot's is known from the first line on that names it.
func kindOf(name string, to Store) (record.Kind, error) {
	ofTables := to == ToDynamoDB || to == TablesToMongoDB
	known := record.LanyardKinds | record.Tables()
	if ofTables {
		known = record.Tables()
	}
	kinds, err := record.ParseKinds([]string{name}, known)
	switch {
	case err == nil:
		return kinds.List()[0], nil
	case ofTables && tableForm.MatchString(name):
		return record.DefineTable(name, "")
	}
	return 0, err
}

// UnmarshalJSON reads what [Line.MarshalJSON] writes. A name that identifies a record is read as the key. Its errors
// show nothing of the line.
func (l *Line) UnmarshalJSON(text []byte) error {
	var in line
	if err := json.Unmarshal(text, &in); err != nil {
		return errors.New("no line of a rejects file")
	}
	kind, err := kindOf(in.Kind, in.To)
	if err != nil {
		return errors.New("kind: unknown")
	}
	if in.Reason == "" {
		return errors.New("reason: missing")
	}
	*l = Line{Run: Run{ID: in.Run, To: in.To}}
	l.Reject = record.Reject{
		Key: in.Key, Kind: kind, Reason: in.Reason, Detail: in.Detail,
		Value: record.Bytes{Type: in.Type, Size: in.Size, Form: in.Form},
	}
	if in.Time != "" {
		if l.Run.Time, err = time.Parse(time.RFC3339, in.Time); err != nil {
			return errors.New("time: not RFC 3339")
		}
	}
	if in.UserID != nil {
		user, ok := record.ParseUserID(*in.UserID)
		if !ok {
			return errors.New("user_id: no user id")
		}
		l.User = user
	}
	if in.Field != nil {
		l.HasField, l.Field = true, *in.Field
	}
	if in.ValueBase64 != nil {
		l.Value.Present = true
		if l.Value.Data, err = decoded(*in.ValueBase64); err != nil {
			return fmt.Errorf("value_base64: %w", err)
		}
	}
	for name, replaced := range map[string]struct {
		by   string
		text *string
	}{"key_base64": {in.KeyBase64, &l.Key}, "field_base64": {in.FieldBase64, &l.Field}} {
		if replaced.by == "" {
			continue
		}
		if *replaced.text, err = decoded(replaced.by); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func decoded(text string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", errors.New("not base64")
	}
	return string(raw), nil
}
