package report

import (
	"maps"
	"strconv"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// builder is a report in the making.
type builder struct{ ui.Text }

func newBuilder(l ui.Style) *builder { return &builder{ui.Text{Style: l}} }

// namedUsersText is whose keys are looked up for --user.
const namedUsersText = "the named users"

// ends tells where the pair is.
func (t *builder) ends(p Pair) {
	t.Line("  from  %s", p.from())
	t.Line("  to    %s", p.to())
}

// keys tells how many keys were read. Of is whose keys were looked up, where not every key was looked at.
func (t *builder) keys(p Pair, of string, s record.KeyCounts) {
	read := ui.Plural(s.Keys, p.Direction.SourceNoun())
	t.Line("")
	switch {
	case p.ByUser:
		t.Line("%s of %s looked up, of which %s are there.", read, of, ui.Thousands(s.Lanyard))
	case p.Direction.OfTables() && p.Err == nil:
		t.Line("%s in the source.", read)
	case p.Direction.OfTables():
		t.Line("%s read until then.", read)
	case p.Err == nil:
		t.Line("%s in the source, of which %s are Lanyard's.", read, ui.Thousands(s.Lanyard))
	default:
		t.Line("%s read until then, of which %s are Lanyard's.", read, ui.Thousands(s.Lanyard))
	}
	var list []ui.Item
	for _, c := range []ui.Item{
		{N: s.Analytics, Name: "analytics", Text: "of a feature that Lanyard dropped in 2024; left alone"},
		{N: s.Foreign, Name: "foreign", Text: "of another application, under a prefix that Lanyard also uses; left alone"},
		{N: s.Ignored, Name: "ignored", Text: "nothing that Lanyard ever wrote"},
	} {
		if c.N > 0 {
			list = append(list, c)
		}
	}
	t.Items(list)
}

var reasonTexts = map[record.Reason]string{
	record.AmbiguousAPIKey:      "several keys authenticate, and none is the user's current one",
	record.ConflictReason:       "the target's value differs, and lanyardctl did not write it",
	record.DocumentTooLarge:     "larger than a document of the target may be",
	record.ImplausibleTimestamp: "a time, but not one that can be true",
	record.InvalidFieldName:     "the target cannot hold a field of this name",
	record.InvalidItemKey:       "what identifies the item is not the key that its attributes give",
	record.InvalidUserID:        "the key names no user",
	record.InvalidUTF8:          "the value is not text",
	record.NotACounter:          "not a finite number of zero or more, or a reserved name",
	record.NotATimestamp:        "not a time",
	record.NotText:              "no text, and upstream's layout holds texts alone; --as-json writes it as JSON text",
	record.NumberOutOfRange:     "a number that MongoDB cannot hold exactly",
	record.RefusedByTarget:      "the server refused it",
	record.StaleAPIKey:          "the user has another current key",
	record.TooDeep:              "nested deeper than " + strconv.Itoa(record.MaxDepth),
	record.UnpairedAPIKey:       "named as current, but it does not authenticate",
	record.WrongType:            "the Redis key has another type than Lanyard gives it",
}

// reasonsIn returns what the reasons mean in the direction.
func reasonsIn(d invocation.Direction) map[record.Reason]string {
	if d == invocation.ToMongo {
		return reasonTexts
	}
	if d.OfTables() {
		texts := maps.Clone(reasonTexts)
		texts[record.DocumentTooLarge] = "larger than the target takes"
		texts[record.InvalidFieldName] = "the target cannot hold an attribute of this name"
		texts[record.NumberOutOfRange] = "a number that " + d.Target() + " cannot hold exactly"
		texts[record.RefusedByTarget] = "the target cannot hold it"
		texts[record.TooDeep] = "nested deeper than the target takes"
		return texts
	}
	texts := maps.Clone(reasonTexts)
	texts[record.ConflictReason] = "another value stands there that lanyardctl did not write, or MongoDB says it in two ways"
	texts[record.DocumentTooLarge] = "longer than the target's readers take"
	texts[record.InvalidUserID] = "the document names no user"
	texts[record.NumberOutOfRange] = "a number that JSON cannot hold"
	texts[record.RefusedByTarget] = "the target cannot hold it"
	texts[record.WrongType] = "the document holds another type than Lanyard gives it"
	return texts
}

func (t *builder) warnings(list []string) {
	if len(list) == 0 {
		return
	}
	t.Line("")
	for _, w := range list {
		t.Wrap("", t.Paint(ui.Yellow, "Warning: ")+w)
	}
}

func (t *builder) command(why string, cmd invocation.Invocation) {
	t.Wrap("", why)
	t.Line("  %s", t.Paint(ui.Bold, cmd.String()))
}
