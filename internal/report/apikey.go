package report

import (
	"io"
	"slices"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

// KeyShow is what the stores hold of a user's API keys.
type KeyShow struct {
	Layer
	persistence.KeyState
	Reveal     bool // the keys as they are
	Everything bool // every key of the stores was looked at
}

// shownKey returns an API key as far as it may be shown.
func shownKey(key string, reveal bool) string {
	switch {
	case key == "":
		return "-"
	case reveal:
		return ui.PrintableLine(key)
	}
	return record.Fingerprint(key)
}

// Text returns s for people.
func (s KeyShow) Text(look ui.Style) string {
	t := newBuilder(look)
	if s.Current == "" {
		t.Line("No API key authenticates user %s for this Lanyard.", s.User)
	} else {
		t.Line("The API key of user %s is %s (%s %s).", s.User, shownKey(s.Current, s.Reveal), s.From.Store, ui.ShownWord(s.From.Place))
	}
	t.keyTable(s.All, s.App, s.Reveal)
	t.warnings(s.Warnings)
	if len(s.All) > 0 && !s.Reveal {
		t.Line("")
		t.Wrap("", "API keys are shown as fingerprints; --reveal shows them as they are, on a terminal alone.")
	}
	if !s.Everything {
		t.Line("")
		t.command("An api_key: entry that names the user, and that the user's entry does not name, is found by a look at every key alone:", s.Again.With("all"))
	}
	return t.String()
}

// keyTable lists what stores hold of a user's API keys.
func (t *builder) keyTable(list []persistence.Origin, app record.App, reveal bool) {
	if len(list) == 0 {
		return
	}
	t.Line("")
	table := ui.Table{Head: []string{"store", "place", "api key", "authenticates"}, Folds: true}
	for _, o := range list {
		table.Rows = append(table.Rows, []string{o.Store, ui.ShownWord(o.Place), shownKey(o.APIKey, reveal), authenticates(o.Entry, app)})
	}
	t.Table(table)
	t.faults(persistence.Answer{All: list}.Faults())
}

// lets reports whether an entry lets the user in to the app.
func lets(e record.Entry, app record.App) bool {
	return e.Authenticates && (e.Apps == 0 || e.Apps.Has(app))
}

// authenticates says whether an entry lets the user in to the app, or else to which one.
func authenticates(e record.Entry, app record.App) string {
	switch {
	case lets(e, app):
		return "yes"
	case e.Authenticates:
		return onlyFor(e.Apps)
	}
	return "no"
}

// onlyFor names the apps for which alone something counts.
func onlyFor(apps record.Apps) string {
	return "only for " + strings.Join(appsJSON(apps), " and ")
}

// WriteJSON writes s as one JSON object.
func (s KeyShow) WriteJSON(w io.Writer) error {
	o := append(s.begin(invocation.APIKeyShow), object{
		{"user_id", s.User.String()}, {"api_key", keyOrNull(s.Current, s.Reveal)}, {"store", orNull(s.From.Store)}, {"place", orNull(s.From.Place)},
		{"revealed", s.Reveal}, {"all", s.Everything}, {"keys", keysJSON(s.All, s.App, s.Reveal)},
	}...)
	return WriteJSON(w, append(o, s.end()...))
}

func keyOrNull(key string, reveal bool) *string {
	if key == "" {
		return nil
	}
	return orNull(shownKey(key, reveal))
}

// keysJSON returns what stores hold of a user's API keys.
func keysJSON(list []persistence.Origin, app record.App, reveal bool) []object {
	out := []object{}
	for _, o := range list {
		out = append(out, object{
			{"store", o.Store}, {"place", o.Place}, {"api_key", keyOrNull(o.APIKey, reveal)}, {"authenticates", lets(o.Entry, app)},
			{"apps", appsJSON(o.Apps)}, {"fault", orNull(o.Fault)},
		})
	}
	return out
}

// appsJSON returns the names of the apps.
func appsJSON(apps record.Apps) []string {
	out := []string{}
	for _, app := range []record.App{record.Fork, record.Upstream} {
		if apps.Has(app) {
			out = append(out, app.String())
		}
	}
	return out
}

// KeyWrite is what became of a user's API keys.
type KeyWrite struct {
	Layer
	Command string // "apikey rotate"
	persistence.KeyChange
	DryRun bool
	Key    string // the new one, which is shown as it is; empty where there is none
}

// Text returns k for people, without the new key.
func (k KeyWrite) Text(look ui.Style) string {
	t := newBuilder(look)
	rotates := k.Command == invocation.APIKeyRotate
	switch {
	case k.DryRun && rotates:
		t.Line("Dry run: nothing was written. User %s would get a new API key, and lose the others.", k.User)
	case k.DryRun:
		t.Line("Dry run: nothing was written. User %s would lose all API keys.", k.User)
	case rotates:
		t.Line("%s", t.Paint(ui.Green, "User "+k.User.String()+" has a new API key, and no other."))
	case len(k.Revoked) == 0:
		t.Line("User %s had no API key.", k.User)
	default:
		t.Line("%s", t.Paint(ui.Green, "No API key authenticates user "+k.User.String()+" any more."))
	}
	if len(k.Before.All) > 0 {
		t.Line("")
		t.Line("Before:")
	}
	t.keyTable(k.Before.All, k.App, false)
	if !k.DryRun {
		if rotates {
			t.stores("The new key stands in", k.Given)
		}
		t.stores("Keys were revoked in", k.Revoked)
	}
	t.warnings(k.Warnings)
	if k.DryRun {
		t.Line("")
		t.command("Next: do it, with the same command without --dry-run:", k.Again.Without("dry-run"))
	}
	return t.String()
}

// stores names stores, if there are any.
func (t *builder) stores(what string, names []string) {
	if len(names) > 0 {
		t.Line("")
		t.Wrap("", what+" "+strings.Join(names, " and ")+".")
	}
}

// WriteJSON writes k as one JSON object. The new key stands in it.
func (k KeyWrite) WriteJSON(w io.Writer) error {
	o := append(k.begin(k.Command), object{{"user_id", k.User.String()}, {"dry_run", k.DryRun}}...)
	if k.Command == invocation.APIKeyRotate {
		o = append(o, member{"api_key", keyOrNull(k.Key, true)}, member{"given", append([]string{}, k.Given...)})
	}
	o = append(o, object{{"revoked", append([]string{}, k.Revoked...)}, {"before", keysJSON(k.Before.All, k.App, false)}}...)
	return WriteJSON(w, append(o, k.end()...))
}

// KeyOwners are whom an API key authenticates.
type KeyOwners struct {
	Layer
	Key    string // shown as a fingerprint alone
	Owners []persistence.KeyOwner
}

// Known reports whether the key authenticates anybody for the app.
func (k KeyOwners) Known() bool {
	return slices.ContainsFunc(k.Owners, func(o persistence.KeyOwner) bool { return k.owns(o) })
}

// owns reports whether the app takes who sends the key for the owner.
func (k KeyOwners) owns(o persistence.KeyOwner) bool {
	return o.User != 0 && o.AppKeys && o.Apps.Has(k.App)
}

// Text returns k for people.
func (k KeyOwners) Text(look ui.Style) string {
	t := newBuilder(look)
	table := ui.Table{Head: []string{"user", "store", "place", "authenticates"}, Folds: true}
	for _, o := range k.Owners {
		user, authenticates := "-", "no"
		if o.User != 0 {
			user = o.User.String()
		}
		switch {
		case k.owns(o):
			authenticates = "yes"
		case o.User != 0 && o.Apps != 0 && !o.Apps.Has(k.App):
			authenticates = onlyFor(o.Apps)
		}
		table.Rows = append(table.Rows, []string{user, o.Store, ui.ShownWord(o.Place), authenticates})
	}
	if len(k.Owners) > 0 {
		t.Table(table)
	}
	var faults []persistence.Origin
	for _, o := range k.Owners {
		if o.Fault != "" {
			faults = append(faults, persistence.Origin{Store: o.Store, Entry: record.Entry{Place: o.Place, Fault: o.Fault}})
		}
	}
	t.faults(faults)
	t.warnings(k.Warnings)
	return t.String()
}

// WriteJSON writes k as one JSON object.
func (k KeyOwners) WriteJSON(w io.Writer) error {
	list := []object{}
	for _, o := range k.Owners {
		list = append(list, object{
			{"user_id", userOrNull(o.User)}, {"store", o.Store}, {"place", o.Place}, {"authenticates", k.owns(o)},
			{"apps", appsJSON(o.Apps)}, {"fault", orNull(o.Fault)},
		})
	}
	o := append(k.begin(invocation.APIKeyWhois), object{{"api_key", keyOrNull(k.Key, false)}, {"owners", list}}...)
	return WriteJSON(w, append(o, k.end()...))
}
