package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// Preflight is what a run tells before it begins: where from, where to, and what it is going to do. Its texts hold no
// secret.
type Preflight struct {
	Source    Endpoint
	Target    Endpoint
	Direction invocation.Direction
	Database  string // of the MongoDB

	// Documents are about how many documents the target holds already, by kind; nil where nobody knows.
	Documents map[record.Kind]int64

	Verb     string // what is done with the kinds: "merge"
	Only     record.Kinds
	Users    []record.UserID
	Policy   record.Policy
	KVPrefer string
	Retried  *Retried // in place of Users; nil for none
	Layout   string   // of a target that has several, for people; else empty
	Rules    []string // a line each
	Mode     string   // a last line, which stands out; may be empty
	Log      []any    // what a log has beside
}

// Endpoint is one side of a run.
type Endpoint struct {
	URI   string // redacted
	Facts string // "Redis 7.0.15, master, db 0, about 1,234 keys"
}

// namedUsers is how many users a preflight names.
const namedUsers = 5

// Text returns p for people.
func (p Preflight) Text(l ui.Style) string {
	t := newBuilder(l)
	t.Row("source", p.Source.URI)
	t.Row("", placeText(p.Source.Facts, p.Database, p.Direction.FromMongo()))
	t.Row("target", p.Target.URI)
	t.Row("", placeText(p.Target.Facts, p.Database, p.Direction.IntoMongo()))
	for _, line := range p.holds() {
		t.Row("", line)
	}
	t.Row("plan", p.plan())
	for _, rule := range p.Rules {
		t.Row("", rule)
	}
	if p.Mode != "" {
		t.Row("", l.Paint(ui.Yellow, p.Mode))
	}
	return t.String()
}

// Attrs returns p for a log.
func (p Preflight) Attrs() []any {
	return append([]any{
		"source", p.Source.URI, "source_is", p.Source.Facts, "target", p.Target.URI, "target_is", p.Target.Facts,
		"database", p.Database, "target_holds", strings.Join(p.holds(), "; "), "kinds", p.Only.String(), "users", len(p.Users),
		"on_conflict", p.Policy.String(), "kv_prefer", p.KVPrefer,
	}, p.Log...)
}

// holds tells what the target holds already, and how.
func (p Preflight) holds() []string {
	if p.Layout != "" {
		return []string{p.Layout}
	}
	return []string{p.standing()}
}

// standing tells what the target holds already.
func (p Preflight) standing() string {
	var parts []string
	for _, kind := range p.Only.List() {
		if n := p.Documents[kind]; n > 0 {
			parts = append(parts, kind.String()+" "+ui.Thousands(n))
		}
	}
	if len(parts) == 0 {
		return "holds no documents of these kinds yet"
	}
	return "holds already, in documents: " + strings.Join(parts, ", ")
}

func (p Preflight) plan() string {
	kinds := strings.Join(ui.Names(p.Only.List()), ", ")
	if p.Retried != nil {
		return p.Verb + " again what was left out: " + p.Retried.text()
	}
	switch {
	case p.Direction.OfTables():
		return p.Verb + " the tables " + kinds
	case len(p.Users) == 0:
		return p.Verb + " " + kinds + " of all users"
	}
	return p.Verb + " " + kinds + " of these users alone: " + SomeUsers(p.Users)
}

// SomeUsers names the first of the users.
func SomeUsers(ids []record.UserID) string {
	users := ui.Names(ids)
	if len(users) > namedUsers {
		users = append(slices.Clip(users[:namedUsers]), fmt.Sprintf("%d more", len(users)-namedUsers))
	}
	return strings.Join(users, ", ")
}
