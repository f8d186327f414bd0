package report

import (
	"cmp"
	"fmt"
	"net"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// StoreFault is a fault of a store.
type StoreFault struct {
	store *StoreStatus
	record.Fault
}

// mendOrder are the faults in the order in which they are mended: what is down before all else, and duplicates before the
// index, and the migration, that they stand in the way of.
var mendOrder = []record.FaultCode{
	record.MemberDown, record.NotPrimary, record.ReplicaAlone, record.ReadOnly, record.SaveFails, record.NotKept, record.Evicts, record.Expires,
	record.InterruptedSweep, record.NumericUsers, record.DuplicateUsers, record.SharedAPIKey, record.NobodysDocuments,
	record.SeveralCounters, record.UntypedCounters, record.UnreadableCount,
	record.UnfitIndex, record.MissingIndex, record.UnreadableTime, record.UnreadablePairs,
	record.WrongTypes, record.HalfAPIKey, record.StrayAPIKey, record.LayoutsDiffer, record.InterruptedRun,
}

// text says for people what is wrong.
func (f StoreFault) text() string {
	place, detail, field := ui.ShownWord(f.Place), ui.ShownWord(f.Detail), ui.ShownName(f.Field)
	switch f.Code {
	case record.MissingIndex:
		if f.Field != "user_id" {
			return fmt.Sprintf("%s has no unique index on %s: each request that shows an API key reads the whole collection, and two users may have the same", place, field)
		}
		return fmt.Sprintf("%s has no unique index on %s: each write of Lanyard's reads the whole collection, and two at once leave two documents", place, field)
	case record.UnfitIndex:
		return fmt.Sprintf("the index %s of %s is in the way of a unique index on %s", detail, place, field)
	case record.DuplicateUsers:
		return f.some("user") + has(f.Count) + " several documents in " + place + ": Lanyard reads any one of them"
	case record.NobodysDocuments:
		return fmt.Sprintf("%s has several documents of which user_id is the same, and no user's (%s): no unique index can be made",
			place, ui.ShownText(strings.Join(f.Users, ", ")))
	case record.SharedAPIKey:
		return f.some("API key") + stand(f.Count) + " in several documents of " + place
	case record.NumericUsers:
		return f.some("document") + has(f.Count) + " a number as user_id in " + place + ": Lanyard cannot see " + them(f.Count)
	case record.UnreadableTime:
		return f.some("document") + has(f.Count) + " a time in " + place + "." + field + " that is no integer, or in another unit: Lanyard stops at " + them(f.Count)
	case record.UnreadablePairs:
		return f.some("document") + has(f.Count) + " something else than key-value pairs in " + place + "." + field
	case record.UnreadableCount:
		return f.number("counter") + " in " + place + " " + be(f.Count) + " no number from zero up, such as " + field + ": Lanyard stops when it starts"
	case record.UntypedCounters:
		return "the document of the counters in " + place + " lacks its type: Lanyard does not find it"
	case record.SeveralCounters:
		return f.number("document") + " of the counters stand in " + place + ": Lanyard reads any one of them"
	case record.InterruptedRun:
		return "a migration did not come to its end"
	case record.InterruptedSweep:
		return "the sweep " + detail + " did not come to its end"
	case record.MemberDown:
		return "a member of the " + place + " is down: " + ui.ShownText(f.Detail)
	case record.NotPrimary:
		text := place + " is not the primary of its replica set: what it holds may be old, and nothing can be written"
		if detail != "" {
			text += "; the primary is " + detail
		}
		return text
	case record.HalfAPIKey:
		return f.some("user") + has(f.Count) + " a current API key that does not authenticate"
	case record.StrayAPIKey:
		return f.some("user") + has(f.Count) + " an API key that authenticates, and is not the current one"
	case record.LayoutsDiffer:
		return f.some("user") + has(f.Count) + " key-value pairs in both layouts, which differ"
	case record.WrongTypes:
		return f.some("key") + " under " + place + " " + be(f.Count) + " of another type than Lanyard gives " + them(f.Count)
	case record.Expires:
		return f.some("key") + " under " + place + has(f.Count) + " a time to live: Redis will remove " + them(f.Count)
	case record.NotKept:
		return place + " writes nothing to a disk: all that it holds is lost when it ends"
	case record.SaveFails:
		return place + " could not write to its disk" + inBrackets(f.Detail) + ": what changed since is lost when it ends"
	case record.Evicts:
		return place + " removes keys when its memory is full (maxmemory-policy " + detail + ")"
	case record.ReadOnly:
		return place + " is a replica, to which nothing can be written; its master is " + detail
	case record.ReplicaAlone:
		return place + " is a replica " + cmp.Or(ui.ShownText(f.Detail), "without its master") + ": what it holds may be old"
	}
	return strings.TrimSpace(string(f.Code) + " " + place + " " + detail)
}

// number says how many, of what.
func (f StoreFault) number(noun string) string {
	text := ui.Plural(f.Count, noun)
	if f.Estimated {
		text = "at least " + text
	}
	return text
}

// some is a number with some of those whose they are.
func (f StoreFault) some(noun string) string {
	text := f.number(noun)
	if len(f.Users) > 0 {
		text += " (" + f.named() + ")"
	}
	return text
}

// named names some of those whose they are.
func (f StoreFault) named() string {
	const most = 3
	var names []string
	for _, user := range f.Users[:min(len(f.Users), most)] {
		names = append(names, ui.ShownName(user))
	}
	text := strings.Join(names, ", ")
	if int64(len(names)) < f.Count && text != "" {
		text += ", …"
	}
	return text
}

func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + ui.ShownText(text) + ")"
}

func has(n int64) string {
	if n == 1 {
		return " has"
	}
	return " have"
}

func stand(n int64) string {
	if n == 1 {
		return " stands"
	}
	return " stand"
}

func them(n int64) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

// Step is something to do: commands, and when or why.
type Step struct {
	Why      string   `json:"why,omitempty"`
	Commands []string `json:"commands"`

	ofUsers bool // each command is about users, and does not have to be given twice
}

// mend returns what mends a fault, a step after the other.
func (s StatusReport) mend(f StoreFault) []Step { return shown(s.steps(f)) }

func (s StatusReport) steps(f StoreFault) []Step {
	command := func(name string, flags []string, more ...string) string {
		c := s.Again.As(name, flags...)
		for _, flag := range more {
			c = c.With(flag)
		}
		return c.String()
	}
	sweep := command(invocation.Sweep, invocation.TargetFlags)
	dedupe := command(invocation.Sweep, invocation.TargetFlags, "dedupe")
	migrate := command(invocation.Migrate, invocation.PairFlags)
	redis := s.redis()
	source := redis != nil && redis.Err == nil && redis.holds() > 0
	server := func(arguments string) []Step {
		return []Step{{Commands: []string{f.store.redisCLI(f.Place) + " " + arguments}}}
	}
	switch f.Code {
	case record.MissingIndex:
		make := Step{Commands: []string{fmt.Sprintf("db.%s.createIndex({%s: 1}, {unique: true})", f.Place, f.Field)}}
		if source {
			make = Step{Why: "a migration makes it:", Commands: []string{migrate}}
		}
		return []Step{make}
	case record.UnfitIndex:
		drop := Step{Commands: []string{fmt.Sprintf("db.%s.dropIndex(%s)", f.Place, quoted(f.Detail))}}
		f.Code = record.MissingIndex
		return append([]Step{drop}, s.steps(f)...)
	case record.NumericUsers, record.DuplicateUsers:
		if f.Place == record.MonitoringCollection.String() || f.Place == record.UsersCollection.String() {
			return []Step{{Commands: []string{sweep}}}
		}
		return []Step{{Commands: []string{dedupe}, Why: "what has a rule is made one document; the rest is named, for you to decide:"}}
	case record.SharedAPIKey:
		steps := []Step{{Why: "those of one user are made one document:", Commands: []string{dedupe}}}
		return append(steps, s.perUser(f, invocation.APIKeyRotate, "who of several users has it all the same gets a new one:")...)
	case record.NobodysDocuments:
		return []Step{{Why: "Lanyard never reads them: give them the right user_id, or delete them:",
			Commands: []string{fmt.Sprintf("db.%s.deleteMany({user_id: {$in: [%s]}})", f.Place, strings.Join(f.Users, ", "))}}}
	case record.UnreadableTime:
		return s.mendTimes(f, sweep, migrate, source)
	case record.UnreadablePairs:
		remove := Step{Why: "what is no document says nothing to Lanyard:",
			Commands: []string{`db.kv.updateMany({$or: [{kv: {$type: "array"}}, {kv: {$exists: true, $not: {$type: "object"}}}]}, {$unset: {kv: ""}})`}}
		if source {
			remove.Why = "for those whom Redis does not know, what is no document says nothing to Lanyard:"
			return []Step{{Why: "Redis's pairs take its place:", Commands: []string{migrate}}, remove}
		}
		return []Step{remove}
	case record.UnreadableCount:
		return []Step{{Why: "they begin at zero then:", Commands: []string{fmt.Sprintf("db.%s.updateMany({}, {$unset: %s})", f.Place, f.Detail)}}}
	case record.UntypedCounters:
		return []Step{{Commands: []string{fmt.Sprintf(`db.%s.updateOne({_id: "global"}, {$set: {type: "global"}})`, f.Place)}}}
	case record.SeveralCounters:
		return []Step{{Why: "the one that was written last stays:",
			Commands: []string{fmt.Sprintf(`db.%s.deleteMany({type: "global", _id: {$ne: %s}})`, f.Place, f.Detail)}}}
	case record.InterruptedRun:
		return []Step{
			{Why: "the same command as then resumes it:", Commands: []string{migrate}},
			{Why: "where nobody wants it any more, forget it:", Commands: []string{fmt.Sprintf("db.%s.deleteOne({_id: %s})", f.Place, quoted(f.Detail))}},
		}
	case record.InterruptedSweep:
		id := " " + invocation.Quote(f.Detail)
		return []Step{
			{Why: "see what it changed:", Commands: []string{command(invocation.SweepShow+id, invocation.TargetFlags)}},
			{Why: "take it back, or sweep to the end:", Commands: []string{command(invocation.SweepUndo+id, invocation.TargetFlags), sweep}},
		}
	case record.MemberDown:
		return []Step{{Why: "bring it back", Commands: []string{}}}
	case record.NotPrimary:
		return []Step{{Why: "name the primary in --mongo, or the set (replicaSet=NAME, without directConnection)", Commands: []string{}}}
	case record.HalfAPIKey, record.StrayAPIKey:
		return s.perUser(f, invocation.APIKeyRotate, "give the user a new API key, in place of all that there are (apikey revoke takes them away alone):")
	case record.LayoutsDiffer:
		if users := f.userIDs(); len(users) > 0 {
			step := Step{Why: "make them the same; of two values the one that Lanyard reads stays:"}
			step.Commands = []string{s.Again.As(invocation.KVUnify+" "+strings.Join(users, " "), invocation.LayerFlags...).String()}
			return f.withRest(step, len(users))
		}
		return []Step{}
	case record.WrongTypes:
		return f.wrongTypes()
	case record.Expires:
		var commands []string
		for _, addr := range f.store.masters() {
			cli := f.store.redisCLI(addr)
			commands = append(commands, fmt.Sprintf("%s --scan --pattern '%s*' | xargs -r -n 1 %s PERSIST", cli, f.Place, cli))
		}
		return []Step{{Commands: commands}}
	case record.NotKept:
		return append(server("CONFIG SET appendonly yes"), Step{Why: "and in its file, for the next start:", Commands: server("CONFIG REWRITE")[0].Commands})
	case record.SaveFails:
		return []Step{{Why: "see that its disk has room and can be written, then save anew:", Commands: server("BGSAVE")[0].Commands}}
	case record.Evicts:
		return append(server("CONFIG SET maxmemory-policy noeviction"), Step{Why: "and in its file, for the next start:", Commands: server("CONFIG REWRITE")[0].Commands})
	case record.ReadOnly:
		return []Step{{Why: "name its master in --redis", Commands: []string{}}}
	case record.ReplicaAlone:
		return []Step{{Why: "bring its master back, or see why it cannot be reached:", Commands: server("INFO replication")[0].Commands}}
	}
	return []Step{}
}

// quoted returns a text as a MongoDB shell takes it.
func quoted(text string) string { return string(record.JSON(text)) }

// shown returns the steps as they can be shown. What no terminal should obey stands in strings of the commands, which take
// escapes.
func shown(steps []Step) []Step {
	for _, step := range steps {
		for i, command := range step.Commands {
			if len(command) > longestCommand {
				command = "(too long to be shown)"
			}
			step.Commands[i] = string(ui.EscapeJSON([]byte(command)))
		}
	}
	return steps
}

// mendTimes returns what mends times that Lanyard cannot read.
func (s StatusReport) mendTimes(f StoreFault, sweep, migrate string, source bool) []Step {
	if f.Place != record.LastSeenCollection.String() {
		least, most := record.AppTimes(record.MonitoringSince)
		return []Step{
			{Why: "a sweep makes what it can read an integer of seconds:", Commands: []string{sweep}},
			{Why: "what it cannot read either says nothing:", Commands: []string{fmt.Sprintf(
				`db.%[1]s.updateMany({$or: [{%[2]s: {$type: "array"}}, {%[2]s: {$exists: true, $not: {$type: ["int", "long"]}}}, `+
					`{%[2]s: {$lt: %[3]d}}, {%[2]s: {$gt: %[4]d}}]}, {$unset: {%[2]s: ""}})`,
				f.Place, f.Field, least, most)}},
		}
	}
	convert := Step{Why: "make integers of milliseconds of them:", Commands: []string{fmt.Sprintf(
		`db.%[1]s.updateMany({%[2]s: {$exists: true, $not: {$type: ["int", "long"]}}}, [{$set: {%[2]s: {$convert: {input: "$%[2]s", to: "long", `+
			`onError: {$toLong: {$toDate: "$%[2]s"}}}}}}])`, f.Place, f.Field)}}
	if !source {
		return []Step{convert}
	}
	convert.Why = "for those whom Redis does not know, make integers of milliseconds of them:"
	return []Step{{Why: "a migration makes integers of them for all whom Redis knows:", Commands: []string{migrate}}, convert}
}

// perUser returns a command for each user that the fault names.
func (s StatusReport) perUser(f StoreFault, name, why string) []Step {
	step := Step{Why: why, ofUsers: true}
	for _, user := range f.userIDs() {
		step.Commands = append(step.Commands, s.Again.As(name+" "+user, invocation.LayerFlags...).String())
	}
	if len(step.Commands) == 0 {
		return nil
	}
	return f.withRest(step, len(step.Commands))
}

// userIDs returns those that the fault names and that are ids of users.
func (f StoreFault) userIDs() (list []string) {
	for _, user := range f.Users {
		if _, ok := record.ParseUserID(user); ok {
			list = append(list, user)
		}
	}
	return list
}

// withRest returns the step for so many users, and says how many are left for the next time.
func (f StoreFault) withRest(step Step, users int) []Step {
	if more := f.Count - int64(users); more > 0 {
		return []Step{step, {Why: ui.Plural(more, "more user") + " will be named next time", Commands: []string{}}}
	}
	return []Step{step}
}

// wrongTypes returns what removes keys of a wrong type. Those whose names are API keys are not shown.
func (f StoreFault) wrongTypes() []Step {
	look, remove := Step{Why: "see what each is:"}, Step{Why: "and remove what is nothing of value, or rename it:"}
	masters := f.store.masters()
	keys := f.keys()
	if len(masters) == 0 || len(keys) == 0 {
		return []Step{{Why: "they may be another application's: see what they are (redis-cli TYPE), and remove what is nothing of value", Commands: []string{}}}
	}
	cli := f.store.redisCLI(masters[0])
	for _, key := range keys {
		look.Commands = append(look.Commands, cli+" TYPE "+key)
		remove.Commands = append(remove.Commands, cli+" DEL "+key)
	}
	return []Step{look, remove}
}

// keys returns the keys of Redis that the fault names. None of them is an API key.
func (f StoreFault) keys() []string {
	if !strings.HasSuffix(f.Place, ":") {
		return []string{f.Place} // that of the counters
	}
	var keys []string
	for _, user := range f.Users {
		if _, ok := record.ParseUserID(user); ok && f.Place != "api_key:" {
			keys = append(keys, f.Place+user)
		}
	}
	return keys
}

// masters returns the addresses of those servers of a Redis that can be written to.
func (s *StoreStatus) masters() (list []string) {
	for _, server := range s.Servers {
		if server.Role == "master" {
			list = append(list, server.Addr)
		}
	}
	return list
}

// redisCLI returns how redis-cli is called for the server at the address.
func (s *StoreStatus) redisCLI(addr string) string {
	words := []string{"redis-cli"}
	if host, port, err := net.SplitHostPort(addr); err == nil {
		words = append(words, "-h", invocation.Quote(host), "-p", invocation.Quote(port))
	} else {
		words = append(words, "-s", invocation.Quote(addr))
	}
	for _, server := range s.Servers {
		if server.Addr != addr {
			continue
		}
		if server.TLS {
			words = append(words, "--tls")
		}
		if server.Part == "cluster" {
			words = append(words, "-c")
		}
	}
	if s.Database != "" {
		words = append(words, "-n", invocation.Quote(s.Database))
	}
	return strings.Join(words, " ")
}
