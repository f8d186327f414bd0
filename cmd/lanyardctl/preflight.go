package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// preflight is what a run tells before it begins: where from, where to, and what it is going to do. Its texts hold no
// secret.
type preflight struct {
	Source   endpoint
	Target   endpoint
	Database string

	// Documents are about how many documents the target holds already, by kind.
	Documents map[record.Kind]int64

	Verb     string // what is done with the kinds: "merge"
	Only     record.Kinds
	Users    []record.UserID
	Policy   record.Policy
	KVPrefer string
	Rules    []string // a line each
	Mode     string   // a last line, which stands out; may be empty
	Log      []any    // what a log has beside
}

// endpoint is one side of a run.
type endpoint struct {
	URI   string // redacted
	Facts string // "Redis 7.0.15, master, db 0, about 1,234 keys"
}

// preflight returns what both commands tell.
func (o pairOptions) preflight(verb string, source location.SourceFacts, target location.TargetFacts, documents map[record.Kind]int64) preflight {
	return preflight{
		Source:   endpoint{o.source.Shown(), ui.PrintableLine(source.Is)},
		Target:   endpoint{o.target.Shown(), ui.PrintableLine(target.Is)},
		Database: o.target.Database, Documents: documents,
		Verb: verb, Only: o.only, Users: o.users, Policy: o.policy, KVPrefer: o.kvPrefer,
	}
}

// layoutRule says which layout wins, where that matters.
func (o pairOptions) layoutRule() []string {
	if !o.only.Has(record.KV) {
		return nil
	}
	return []string{"where a user has key-value pairs in both layouts, the " + o.kvPrefer + " layout wins"}
}

// namedUsers is how many users a preflight names.
const namedUsers = 5

func (p preflight) Text(l ui.Style) string {
	t := newReportText(l)
	t.Row("source", p.Source.URI)
	t.Row("", p.Source.Facts)
	t.Row("target", p.Target.URI)
	t.Row("", p.Target.Facts+", database "+p.Database)
	t.Row("", p.standing())
	t.Row("plan", p.plan())
	for _, rule := range p.Rules {
		t.Row("", rule)
	}
	if p.Mode != "" {
		t.Row("", l.Paint(ui.Yellow, p.Mode))
	}
	return t.String()
}

// attrs returns p for a log.
func (p preflight) attrs() []any {
	return append([]any{
		"source", p.Source.URI, "source_is", p.Source.Facts, "target", p.Target.URI, "target_is", p.Target.Facts,
		"database", p.Database, "target_holds", p.standing(), "kinds", p.Only.String(), "users", len(p.Users),
		"on_conflict", p.Policy.String(), "kv_prefer", p.KVPrefer,
	}, p.Log...)
}

// standing tells what the target holds already.
func (p preflight) standing() string {
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

func (p preflight) plan() string {
	kinds := strings.Join(ui.Names(p.Only.List()), ", ")
	if len(p.Users) == 0 {
		return p.Verb + " " + kinds + " of all users"
	}
	return p.Verb + " " + kinds + " of these users alone: " + someUsers(p.Users)
}

// someUsers names the first of the users.
func someUsers(ids []record.UserID) string {
	users := ui.Names(ids)
	if len(users) > namedUsers {
		users = append(slices.Clip(users[:namedUsers]), fmt.Sprintf("%d more", len(users)-namedUsers))
	}
	return strings.Join(users, ", ")
}
