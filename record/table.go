package record

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// AttributeType is a type of DynamoDB's, by its name there.
type AttributeType string

// The types that an attribute of a key can have, and those of sets.
const (
	TextType      AttributeType = "S"
	NumberType    AttributeType = "N"
	BinaryType    AttributeType = "B"
	TextSetType   AttributeType = "SS"
	NumberSetType AttributeType = "NS"
	BinarySetType AttributeType = "BS"
)

// Binary is bytes that are no text.
type Binary string

// Set is a set of texts, numbers or binaries. Make one with [NewSet].
type Set struct {
	Type    AttributeType // [TextSetType], [NumberSetType] or [BinarySetType]
	Members Array         // in ascending order
}

// NewSet returns the set of the members. It reports false where one of them is not of the type, or stands twice.
func NewSet(t AttributeType, members []Value) (Set, bool) {
	sorted := slices.Clone(members)
	for _, m := range sorted {
		switch m.(type) {
		case string:
			if t != TextSetType {
				return Set{}, false
			}
		case int64, Decimal:
			if t != NumberSetType {
				return Set{}, false
			}
		case Binary:
			if t != BinarySetType {
				return Set{}, false
			}
		default:
			return Set{}, false
		}
	}
	slices.SortFunc(sorted, compareMembers)
	for i := 1; i < len(sorted); i++ {
		if Equal(sorted[i-1], sorted[i]) {
			return Set{}, false
		}
	}
	return Set{Type: t, Members: sorted}, true
}

// compareMembers orders members of one set: texts and binaries by their bytes, numbers by value.
func compareMembers(a, b Value) int {
	switch a := a.(type) {
	case string:
		return cmp.Compare(a, b.(string))
	case Binary:
		return bytes.Compare([]byte(a), []byte(b.(Binary)))
	}
	return compareExact(a, b)
}

// compareExact orders two numbers: an int64 or a [Decimal] each.
func compareExact(a, b Value) int {
	x, xIsInt := a.(int64)
	y, yIsInt := b.(int64)
	if xIsInt && yIsInt {
		return cmp.Compare(x, y)
	}
	return ratOf(a).Cmp(ratOf(b))
}

// Attribute is one named attribute of a [Table].
type Attribute struct {
	Name string
	Type AttributeType

	// Optional tells that items need not have it.
	Optional bool
}

// Table is a table of DynamoDB: one of those that the bot (GrantBirki/errbot) keeps, or any other.
type Table struct {
	Name       string
	Collection string // of MongoDB

	// Keys are the partition key, and the sort key where there is one. They are empty for a table of [DefineTable], of which
	// DynamoDB itself tells them.
	Keys []Attribute

	// Attributes are the others that the bot gives an item.
	Attributes []Attribute
}

var (
	server = Attribute{Name: "discord_server_id", Type: NumberType}
	handle = Attribute{Name: "discord_handle", Type: TextType}
)

func texts(names ...string) (list []Attribute) {
	for _, name := range names {
		list = append(list, Attribute{Name: name, Type: TextType})
	}
	return list
}

func numbers(names ...string) (list []Attribute) {
	for _, name := range names {
		list = append(list, Attribute{Name: name, Type: NumberType})
	}
	return list
}

// RememberedField is the attribute of [Remember] that holds what is remembered.
const RememberedField = "rem_value"

// MaxOtherTables is how many tables [DefineTable] takes.
const MaxOtherTables = 16

// otherTables are the kinds of [DefineTable], in their order.
var otherTables [MaxOtherTables]atomic.Pointer[tableKind]

// DefineTable returns the kind of a table that is none of the bot's, which the process knows from then on. It has no Keys.
// Defined again with the same collection, a table has the same kind. It fails where there is no room for more.
func DefineTable(name, collection string) (Kind, error) {
	for i := range otherTables {
		kind := otherTable + Kind(i)
		t := newTableKind(kind, Table{Name: name, Collection: collection})
		if otherTables[i].CompareAndSwap(nil, t) {
			return kind, nil
		}
		if known := otherTables[i].Load().table; known.Name == name && known.Collection == collection {
			return kind, nil
		}
	}
	return 0, fmt.Errorf("at most %d tables beside the bot's can be named", MaxOtherTables)
}

// Table returns the table whose items are the kind's records. It reports false for a kind that is no table's, and for a number
// that is no kind.
func (k Kind) Table() (Table, bool) {
	r, known := k.known()
	t, ok := r.(*tableKind)
	if !known || !ok {
		return Table{}, false
	}
	return t.table, true
}

// Tables returns the kinds of all tables that the process knows: those of the bot, and those of [DefineTable].
func Tables() Kinds {
	all := BotTables
	for i := range otherTables {
		if otherTables[i].Load() != nil {
			all = all.With(otherTable + Kind(i))
		}
	}
	return all
}

func (k Kind) otherTable() (*tableKind, bool) {
	if k < otherTable || int(k) >= KindCount {
		return nil, false
	}
	t := otherTables[k-otherTable].Load()
	return t, t != nil
}

// ItemName returns what identifies an item among those of a table with the keys: the text of its key. Where there are two,
// there is a slash between them, and "/" and "%" within them are "%2F" and "%25", so that no two items have one name. A
// number is in the form that [Decimal] has, a binary in unpadded URL-safe base64. It fails where an attribute of the key is
// missing, or is not of its type.
func ItemName(keys []Attribute, fields map[string]Field) (Name, error) {
	var b strings.Builder
	for i, key := range keys {
		f, ok := fields[key.Name]
		text, is := keyText(f.Value)
		switch {
		case !ok:
			return Name{}, fmt.Errorf("the item lacks %q, which is of its key", key.Name)
		case is != key.Type:
			return Name{}, fmt.Errorf("%q, which is of the item's key, is not of the type %s", key.Name, key.Type)
		}
		if len(keys) > 1 {
			text = nameEscapes.Replace(text)
		}
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(text)
	}
	return NameOf(b.String()), nil
}

var nameEscapes = strings.NewReplacer("%", "%25", "/", "%2F")

// keyText returns the text of what may be of a key, and its type; none for what may not.
func keyText(v Value) (text string, t AttributeType) {
	switch v := v.(type) {
	case string:
		return v, TextType
	case int64, Decimal:
		return string(JSON(v)), NumberType
	case Binary:
		return base64.RawURLEncoding.EncodeToString([]byte(v)), BinaryType
	}
	return "", ""
}

// tableKind are the rules of a table's items. An item is merged as key-value pairs are, but as a whole: one with an attribute
// in conflict stays as it is.
type tableKind struct {
	kvKind
	table Table
}

func newTableKind(kind Kind, table Table) *tableKind {
	table.Collection = cmp.Or(table.Collection, table.Name)
	traits := kvRules.traits
	traits.name, traits.collection, traits.named, traits.whole = table.Name, tableCollection(kind), true, true
	return &tableKind{kvKind{traits}, table}
}

func (t *tableKind) merge(m merging) Decision {
	d := t.kvKind.merge(m)
	if d.Conflicts > 0 || d.Kept > 0 {
		d.Set, d.Unset, d.Mark, d.Write = nil, nil, "", false
	}
	return d
}

// refusesName: MongoDB has an _id of its own, and takes no path with a point for a name.
func (*tableKind) refusesName(name string) string {
	switch {
	case name == "":
		return "a document has no field without a name"
	case name == "_id":
		return "the field _id is the document's own"
	case name == WrittenField:
		return "the field " + WrittenField + " is lanyardctl's own"
	case strings.Contains(name, "."), strings.HasPrefix(name, "$"):
		return "MongoDB cannot update a field whose name holds a point or begins with a dollar"
	}
	return ""
}
