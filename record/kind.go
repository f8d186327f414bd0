package record

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// Kind is one of the things that Lanyard keeps, or a [Table]. The methods of a number that is no kind panic, but for
// [Kind.String] and [Kind.MarshalText].
type Kind uint8

// The kinds, in the order in which reports name them. A new one takes a constant before the last, its rules in
// [rulesOf], and a file with them.
const (
	APIKeys Kind = iota
	KV
	LastSeen
	MonitoringSince
	Metrics

	// The tables of the bot.
	Remember
	League
	Loud
	Play
	TTS
	Sparkle
	BotData
	EFTItemTracker

	// From here on there are the kinds of [DefineTable].
	otherTable
)

// KindCount is how many kinds there can be; kinds are integers below it. It is at most 32.
const KindCount = int(otherTable) + MaxOtherTables

var rulesOf = [...]rules{
	APIKeys:         apiKeyRules,
	KV:              kvRules,
	LastSeen:        lastSeenRules,
	MonitoringSince: monitoringRules,
	Metrics:         metricsRules,

	// The tables of the bot, as its Terraform files and its models describe them.
	Remember: newTableKind(Remember, Table{
		Name: "remember", Keys: []Attribute{server, {Name: "rem_key", Type: TextType}}, Attributes: texts(RememberedField),
	}),
	League: newTableKind(League, Table{
		Name: "league", Keys: []Attribute{server, handle},
		Attributes: slices.Concat(texts("summoner_name", "puuid", "created_at", "updated_at", "bot_can_at_me"),
			numbers("win_streak", "loss_streak"), []Attribute{{Name: "last_match_sha256", Type: TextType, Optional: true}}),
	}),
	Loud: newTableKind(Loud, Table{Name: "loud", Keys: []Attribute{server, handle}, Attributes: texts("updated_at")}),
	Play: newTableKind(Play, Table{Name: "play", Keys: []Attribute{server}, Attributes: texts("stats", "updated_at")}),
	TTS:  newTableKind(TTS, Table{Name: "tts", Keys: []Attribute{server, handle}, Attributes: texts("updated_at")}),
	Sparkle: newTableKind(Sparkle, Table{
		Name: "sparkle", Keys: []Attribute{server, handle},
		Attributes: slices.Concat(numbers("total_sparkles"), texts("sparkle_reasons", "updated_at")),
	}),
	BotData: newTableKind(BotData, Table{Name: "botdata", Keys: texts("key"), Attributes: texts("value", "updated_at")}),
	EFTItemTracker: newTableKind(EFTItemTracker, Table{
		Name: "eftitemtracker", Keys: slices.Concat(numbers("server_id"), texts("item")),
		Attributes: texts("threshold", "channel", "handle"),
	}),
}

// This does not compile where the last kind has no rules, and the next line where a set of kinds cannot hold all.
var (
	_ [otherTable]rules = rulesOf
	_ [32 - KindCount]struct{}
)

// rules is all that is peculiar to a kind.
type rules interface {
	about() *traits

	// merge decides as [Merge] does, but for the column.
	merge(m merging) Decision

	// compare returns the differences of the fields, in no order.
	compare(c comparing) []Difference

	// content completes c, which has the document's identity, with what the document says.
	content(c Content, held Held, bounds Bounds) Content

	// refusesName returns why no document can hold a field of the name, whatever the target; else nothing.
	refusesName(name string) string
}

// traits is what is known of a kind without a record.
type traits struct {
	name       string
	collection Collection
	shape      Shape
	nobodys    bool // there is one record, which is no user's
	named      bool // a name identifies a record
	whole      bool // a record is written as a whole or not at all
	ordered    bool
	admits     bool
	frame      int // bytes of BSON that a new document takes beside its content and its identity, or a few more
}

func (t *traits) about() *traits { return t }

// Shape says which of the fields of a [Record], a [Held] or a [Decision] carry what a kind keeps.
type Shape uint8

// The shapes.
const (
	TextShape   Shape = iota // APIKey
	TimeShape                // Time, and Times of what a target holds
	FieldsShape              // Fields, or Set and Unset of a decision; parts of a record may be rejected or in conflict
)

func (k Kind) rules() rules {
	r, ok := k.known()
	if !ok {
		panic("record: " + k.String() + " has no rules")
	}
	return r
}

func (k Kind) known() (r rules, ok bool) {
	if int(k) < len(rulesOf) {
		return rulesOf[k], true
	}
	t, ok := k.otherTable()
	return t, ok
}

// Shape returns what carries the kind's content.
func (k Kind) Shape() Shape { return k.rules().about().shape }

// Identified reports whether the kind has a record for each user, or for each name. Else it has one in all, which is
// nobody's.
func (k Kind) Identified() bool { return !k.rules().about().nobodys }

// Named reports whether a [Name] identifies the kind's records, as it does those of a [Table]. Else it is a user.
func (k Kind) Named() bool { return k.rules().about().named }

// Ordered reports whether one of two values is the better: the later, the earlier or the larger one. Of the other kinds
// two values are equal or not, and the documents carry the digest of what lanyardctl wrote, in [WrittenField]; those of
// users do in a mirror, whatever the kind.
func (k Kind) Ordered() bool { return k.rules().about().ordered }

// Admits reports whether a document lets somebody in, so that one without a record in the source is never fine.
func (k Kind) Admits() bool { return k.rules().about().admits }

// CollectionOf returns the collection of a kind.
func CollectionOf(kind Kind) Collection { return kind.rules().about().collection }

// String returns the kind's name as flags and reports spell it, such as "api_keys".
func (k Kind) String() string {
	if r, ok := k.known(); ok {
		return r.about().name
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// MarshalText returns [Kind.String].
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// Kinds is a set of kinds. The zero value is empty.
type Kinds uint32

// LanyardKinds are the five of Lanyard, and BotTables those of the bot.
const (
	LanyardKinds Kinds = 1<<Remember - 1
	BotTables    Kinds = 1<<otherTable - 1 - LanyardKinds
)

// Has reports whether k is in the set.
func (s Kinds) Has(k Kind) bool { return s&(1<<k) != 0 }

// With returns the set and k.
func (s Kinds) With(k Kind) Kinds { return s | 1<<k }

// Len returns how many kinds are in the set.
func (s Kinds) Len() int { return bits.OnesCount32(uint32(s)) }

// Index returns the place of k, which is in the set, among the set's kinds in their order.
func (s Kinds) Index(k Kind) int { return (s & (1<<k - 1)).Len() }

// List returns the set's kinds in the order of reports.
func (s Kinds) List() []Kind {
	var list []Kind
	for k := range Kind(KindCount) {
		if s.Has(k) {
			list = append(list, k)
		}
	}
	return list
}

// String returns the names of the set's kinds, separated by commas.
func (s Kinds) String() string {
	var names []string
	for _, k := range s.List() {
		names = append(names, k.String())
	}
	return strings.Join(names, ",")
}

// ParseKinds returns the set of the named kinds, which are of the known ones: more than one for a name that several tables
// have. It fails on a name that is none, and on no name at all.
func ParseKinds(names []string, known Kinds) (Kinds, error) {
	var set Kinds
	for _, name := range names {
		name = strings.TrimSpace(name)
		found := false
		for _, k := range known.List() {
			if k.String() == name {
				set, found = set.With(k), true
			}
		}
		if !found {
			return 0, fmt.Errorf("unknown kind %q (the kinds are %s)", name, known)
		}
	}
	if set == 0 {
		return 0, fmt.Errorf("no kind named (the kinds are %s)", known)
	}
	return set, nil
}
