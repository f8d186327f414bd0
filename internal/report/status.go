package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// StatusReport is in what state the stores of the persistence layer are. Its texts hold no secret.
type StatusReport struct {
	Layer
	Stores []StoreStatus // those that are configured
	Exact  bool          // everything was counted

	// Runs and Sweeps are what MongoDB tells of commands that ran, and Sync of one that runs. Told is false where it tells
	// nothing.
	Runs   []record.EndedRun
	Sweeps sweep.History
	Sync   *RunningSync // nil for none
	Told   bool
}

// RunningSync is a mirror that has not ended.
type RunningSync struct {
	record.Lease
	Alive bool // else its process is gone
}

// StoreStatus is in what state a store is.
type StoreStatus struct {
	Name     string // "MongoDB"
	URI      string // redacted
	Database string // of MongoDB; or the number of one of Redis other than 0
	Secret   bool   // the URI holds a password
	Err      error  // why not all of it could be looked at; nil where it could
	record.Survey
}

// Faults returns what needs attention, in the order in which it is mended.
func (s StatusReport) Faults() []StoreFault {
	var list []StoreFault
	for i := range s.Stores {
		for _, f := range s.Stores[i].Faults {
			list = append(list, StoreFault{&s.Stores[i], f})
		}
		if s.Stores[i].Name != mongoStore {
			continue
		}
		if stopped, ok := s.Sweeps.Interrupted(); ok {
			list = append(list, StoreFault{&s.Stores[i], record.Fault{Code: record.InterruptedSweep, Place: "lanyardctl_sweeps", Count: 1, Detail: stopped.ID}})
		}
	}
	slices.SortStableFunc(list, func(a, b StoreFault) int {
		return cmp.Compare(slices.Index(mendOrder, a.Code), slices.Index(mendOrder, b.Code))
	})
	return list
}

// mongoStore is the name of MongoDB among the stores.
const mongoStore = "MongoDB"

// mongo returns the state of MongoDB, and redis that of Redis; nil where there is none.
func (s StatusReport) mongo() *StoreStatus {
	return s.store(func(name string) bool { return name == mongoStore })
}
func (s StatusReport) redis() *StoreStatus {
	return s.store(func(name string) bool { return name != mongoStore })
}

func (s StatusReport) store(is func(name string) bool) *StoreStatus {
	for i := range s.Stores {
		if is(s.Stores[i].Name) {
			return &s.Stores[i]
		}
	}
	return nil
}

// holds returns how many entries of users the store holds, about.
func (s *StoreStatus) holds() (n int64) {
	for _, c := range s.Counts {
		if c.Kind.Identified() {
			n += c.Count
		}
	}
	return n
}

var modeTexts = map[persistence.Mode]string{
	persistence.Both:      "MongoDB keeps, Redis syncs",
	persistence.Durable:   "MongoDB alone",
	persistence.HighSpeed: "Redis alone",
	persistence.Lite:      "neither Redis nor MongoDB is configured: Lanyard keeps everything in memory, and loses it when it ends",
}

// Text returns s for people. It ends with a newline.
func (s StatusReport) Text(l ui.Style) string {
	t := newBuilder(l)
	t.statusMode(s)
	for _, store := range s.Stores {
		t.statusStore(store)
	}
	t.statusCounts(s)
	t.statusFaults(s)
	t.statusPast(s)
	t.warnings(s.Warnings)
	t.Line("")
	t.nextAfterStatus(s)
	return t.String()
}

func (t *builder) statusMode(s StatusReport) {
	t.Wrap("", t.Paint(ui.Bold, "Mode "+string(s.Mode))+": "+modeTexts[s.Mode]+".")
	g := s.Mode.Guarantees()
	t.Line("  durability       %s", g.Durability)
	t.Line("  real-time sync   %s", g.RealTimeSync)
	t.Line("  key-value pairs  %s", g.KV)
	t.Line("  counters         %s", g.Counters)
	switch {
	case s.Mode == persistence.Lite:
	case s.App == record.Fork:
		t.Line("  app              fork: reads MongoDB, then Redis")
	default:
		t.Line("  app              upstream: reads Redis alone")
	}
}

// statusStore tells of a store's servers.
func (t *builder) statusStore(s StoreStatus) {
	t.Line("")
	title := t.Paint(ui.Bold, s.Name) + " at " + s.URI
	if s.Database != "" {
		title += ", database " + s.Database
	}
	t.Line("%s", title)
	if s.Err != nil {
		t.Wrap("  ", t.Paint(ui.Red, "Failed: ")+ui.Indented(s.Err.Error()))
	}
	if len(s.Servers) > 0 {
		rows := make([][]string, len(s.Servers))
		for i, server := range s.Servers {
			rows[i] = serverRow(server)
		}
		t.indentedTable(ui.Table{Head: []string{"server", "address", "role", "ping", "TLS", "lag", "keeps"}, Rows: rows, Folds: true})
	}
	for _, text := range s.Unchecked {
		t.Wrap("  ", t.Paint(ui.Yellow, "Not looked at: ")+ui.ShownText(text))
	}
}

func serverRow(s record.Server) []string {
	role := ui.ShownWord(s.Role)
	if s.Part != "" && s.Part != s.Role {
		role += ", " + ui.ShownWord(s.Part)
	}
	return []string{
		strings.TrimSpace(ui.ShownWord(s.Name) + " " + ui.ShownWord(s.Version)), ui.ShownWord(s.Addr), role,
		milliseconds(s.Ping), yesNo(s.TLS), lag(s), cmp.Or(ui.ShownWord(s.Keeps), "-"),
	}
}

func milliseconds(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func lag(s record.Server) string {
	if !s.HasLag {
		return "-"
	}
	return ui.Duration(s.Lag)
}

// indentedTable writes a table two columns further right.
func (t *builder) indentedTable(table ui.Table) {
	inner := newBuilder(t.Style)
	inner.Width = max(0, inner.Width-2)
	inner.Table(table)
	for line := range strings.Lines(inner.String()) {
		t.WriteString("  " + line)
	}
}

// statusCounts tells how much the stores hold, a kind and place.
func (t *builder) statusCounts(s StatusReport) {
	var rows [][]string
	estimated := false
	for _, kind := range record.LanyardKinds.List() {
		for _, store := range s.Stores {
			for _, c := range store.Counts {
				if c.Kind != kind || c.Count == 0 {
					continue
				}
				estimated = estimated || c.Estimated
				rows = append(rows, []string{kind.String(), store.Name, c.Place, about(c.Count, c.Estimated)})
			}
		}
	}
	switch {
	case len(rows) > 0:
	case len(s.Stores) > 0 && s.Err == nil:
		t.Line("")
		t.Line("Nothing of Lanyard's is there.")
		return
	default:
		return
	}
	t.Line("")
	width := 0
	for _, row := range rows {
		width = max(width, len(row[3]))
	}
	for _, row := range rows {
		row[3] = fmt.Sprintf("%*s", width, row[3])
	}
	t.Table(ui.Table{Head: []string{"kind", "store", "place", fmt.Sprintf("%*s", width, "holds")}, Rows: rows})
	if estimated {
		t.command("~ is an estimate. To count:", s.Again.With("exact"))
	}
}

func about(n int64, estimated bool) string {
	if estimated {
		return "~" + ui.Thousands(n)
	}
	return ui.Thousands(n)
}

// statusFaults lists what needs attention, with what mends it.
func (t *builder) statusFaults(s StatusReport) {
	list := s.Faults()
	if len(list) == 0 {
		return
	}
	t.Line("")
	t.Line("%s", t.Paint(ui.Bold, "Needs attention:"))
	told := make(map[string]bool) // commands about users
	for _, f := range list {
		t.Wrap("  "+t.Paint(ui.Yellow, fmt.Sprintf("%-7s", f.store.Name))+"  ", f.text())
		for _, step := range s.mend(f) {
			const indent = "           "
			commands := step.Commands
			if step.ofUsers {
				commands = slices.DeleteFunc(slices.Clone(commands), func(c string) bool { return told[c] })
				for _, command := range commands {
					told[command] = true
				}
				if len(commands) == 0 {
					t.Wrap(indent, "what is listed above mends this, too")
					continue
				}
			}
			if step.Why != "" {
				t.Wrap(indent, step.Why)
			}
			for _, command := range commands {
				t.Line("%s  %s", indent, t.Paint(ui.Bold, command))
			}
		}
	}
}

// runningSync tells whether a mirror runs.
func (t *builder) runningSync(s StatusReport) {
	if s.Sync == nil {
		t.Line("Running: no sync.")
		return
	}
	begin := "Running: "
	if !s.Sync.Alive {
		begin = t.Paint(ui.Yellow, "Died: ")
	}
	t.Wrap(begin, fmt.Sprintf("%s; last heard of %s from process %d on %s",
		ui.ShownText(s.Sync.Doing), s.ago(s.Sync.Heartbeat), s.Sync.Owner.PID, ui.ShownWord(s.Sync.Owner.Host)))
}

// statusPast tells what runs, and when commands last ran.
func (t *builder) statusPast(s StatusReport) {
	if !s.Told {
		return
	}
	t.Line("")
	t.runningSync(s)
	migrated := false
	for _, r := range s.Runs {
		migrated = migrated || r.Command == invocation.Migrate
		t.Wrap("Last ", s.runText(r))
	}
	if !migrated {
		t.Line("Last %s: never, or by an older version.", invocation.Migrate)
	}
	if len(s.Sweeps.Sweeps) == 0 {
		t.Line("Last sweep: none that changed anything.")
		return
	}
	last := s.Sweeps.Sweeps[0]
	t.Wrap("Last ", fmt.Sprintf("sweep: %s, %s, %s (%s)", s.ago(latest(last.StartedAt, last.EndedAt, last.UndoneAt)),
		ui.ShownWord(s.Sweeps.State(last)), ui.Plural(last.Changes, "change"), ui.ShownWord(last.ID)))
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// runText says how a run ended.
func (s StatusReport) runText(r record.EndedRun) string {
	ended := "done"
	switch r.Exit {
	case exit.Done:
	case exit.Rejects:
		ended = "done, with something left to decide"
	default:
		ended = fmt.Sprintf("failed (exit status %d)", r.Exit)
	}
	name := ui.ShownWord(r.Command)
	if r.Options != "" {
		name += " " + ui.ShownText(r.Options)
	}
	text := fmt.Sprintf("%s: %s, %s; %s read, %s inserted, %s updated", name, s.ago(r.EndedAt), ended,
		ui.Thousands(r.Read), ui.Thousands(r.Inserted), ui.Thousands(r.Updated))
	if r.Conflicts > 0 {
		text += ", " + ui.Thousands(r.Conflicts) + " in conflict"
	}
	if r.Rejected > 0 {
		text += ", " + ui.Thousands(r.Rejected) + " rejected"
	}
	return text
}

// ago says how long ago something was, and when.
func (s StatusReport) ago(at time.Time) string {
	age := s.Now.Sub(at)
	text := "just now"
	switch {
	case age >= 48*time.Hour:
		text = ui.Plural(int64(age/(24*time.Hour)), "day") + " ago"
	case age >= time.Second:
		text = ui.Duration(age) + " ago"
	}
	return text + " (" + ClockTime(at) + ")"
}

// nextAfterStatus says what to do now.
func (t *builder) nextAfterStatus(s StatusReport) {
	next := s.next()
	if next.command.Name == "" {
		t.Wrap("", next.text)
		return
	}
	t.command(next.text, next.command)
}

// next is what to do now.
type next struct {
	text    string
	command invocation.Invocation // without a name where there is none
}

func (s StatusReport) next() next {
	redis, mongo := s.redis(), s.mongo()
	failed := slices.ContainsFunc(s.Stores, func(store StoreStatus) bool { return store.Err != nil })
	switch {
	case s.Mode == persistence.Lite:
		return next{text: "That is well for a trial. To keep anything, give Lanyard a Redis (REDIS_URI) or a MongoDB (MONGODB_URI); where it " +
			"has one, tell lanyardctl by the same variables, or by --redis and --mongo."}
	case failed:
		return next{"Next: fix what the error names, then look again:", s.Again}
	case len(s.Faults()) > 0:
		return next{"Next: do what is listed above, from the top, then look again:", s.Again}
	case redis != nil && s.lastMigrationFailed():
		return next{"Next: the last migration failed. Migrate again:", s.Again.As(invocation.Migrate, invocation.PairFlags...)}
	case redis != nil && mongo != nil && redis.holds() > 0 && mongo.holds() == 0:
		return next{"Next: Redis holds what MongoDB does not. Copy it:", s.Again.As(invocation.Migrate, invocation.PairFlags...)}
	case redis != nil && mongo != nil && redis.holds() > 0:
		return next{"All is well. To see whether both hold the same:", s.Again.As(invocation.Verify, invocation.PairFlags...)}
	case mongo == nil:
		return next{text: "All is well. To keep the data where they outlive Redis, copy them to a MongoDB: lanyardctl migrate redis-to-mongo --help."}
	}
	return next{text: "All is well. Nothing is left to do."}
}

func (s StatusReport) lastMigrationFailed() bool {
	return slices.ContainsFunc(s.Runs, func(r record.EndedRun) bool { return r.Command == invocation.Migrate && r.Exit == exit.Failed })
}

// faultJSON is a fault for scripts.
type faultJSON struct {
	Store     string           `json:"store"`
	Code      record.FaultCode `json:"code"`
	Place     string           `json:"place"`
	Field     *string          `json:"field"`
	Count     int64            `json:"count"`
	Estimated bool             `json:"estimated"`
	Users     []string         `json:"users"`
	Detail    *string          `json:"detail"`
	Text      string           `json:"text"`
	Mend      []Step           `json:"mend"`
}

// WriteJSON writes s as one indented JSON object.
func (s StatusReport) WriteJSON(w io.Writer) error {
	g := s.Mode.Guarantees()
	o := append(s.begin(invocation.Status),
		member{"guarantees", object{{"durability", g.Durability}, {"real_time_sync", g.RealTimeSync}, {"kv", g.KV}, {"counters", g.Counters}}},
		member{"exact", s.Exact}, member{"stores", s.storesJSON()},
	)
	faults := []faultJSON{}
	for _, f := range s.Faults() {
		faults = append(faults, faultJSON{f.store.Name, f.Code, f.Place, orNull(f.Field), f.Count, f.Estimated,
			append([]string{}, f.Users...), orNull(f.Detail), f.text(), s.mend(f)})
	}
	runs, last := []object{}, any(nil)
	for _, r := range s.Runs {
		runs = append(runs, object{{"command", r.Command}, {"options", r.Options}, {"version", r.Version}, {"host", r.Host},
			{"started_at", utc(r.StartedAt)}, {"ended_at", utc(r.EndedAt)}, {"exit_status", r.Exit}, {"read", r.Read},
			{"inserted", r.Inserted}, {"updated", r.Updated}, {"conflicts", r.Conflicts}, {"rejected", r.Rejected}})
	}
	if len(s.Sweeps.Sweeps) > 0 {
		last = SweepOf(s.Sweeps, s.Sweeps.Sweeps[0])
	}
	next := s.next()
	command := ""
	if next.command.Name != "" {
		command = next.command.String()
	}
	var running any
	if s.Sync != nil {
		running = object{{"alive", s.Sync.Alive}, {"doing", s.Sync.Doing}, {"host", s.Sync.Owner.Host}, {"pid", s.Sync.Owner.PID},
			{"heartbeat", utc(s.Sync.Heartbeat)}}
	}
	o = append(o, member{"faults", faults}, member{"sync", running}, member{"last_runs", runs}, member{"last_sweep", last},
		member{"next", object{{"text", next.text}, {"command", orNull(command)}}})
	return WriteJSON(w, append(o, s.end()...))
}

func (s StatusReport) storesJSON() []object {
	list := []object{}
	for _, store := range s.Stores {
		servers, counts := []object{}, []object{}
		for _, v := range store.Servers {
			var ping, lag any
			if v.Ping > 0 {
				ping = float64(v.Ping.Microseconds()) / 1000
			}
			if v.HasLag {
				lag = v.Lag.Seconds()
			}
			servers = append(servers, object{{"name", v.Name}, {"version", v.Version}, {"address", v.Addr}, {"role", v.Role}, {"part", v.Part},
				{"ping_ms", ping}, {"tls", v.TLS}, {"lag_s", lag}, {"keeps", v.Keeps}})
		}
		for _, c := range store.Counts {
			counts = append(counts, object{{"kind", c.Kind.String()}, {"place", c.Place}, {"count", c.Count}, {"estimated", c.Estimated}})
		}
		list = append(list, object{{"store", store.Name}, {"uri", store.URI}, {"ok", store.Err == nil}, {"error", orNull(errorText(store.Err))},
			{"servers", servers}, {"counts", counts}, {"not_looked_at", append([]string{}, store.Unchecked...)}})
	}
	return list
}
