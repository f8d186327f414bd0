package dynamo

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/lanyardctl/lanyardctl/record"
)

// The limits of DynamoDB, from "Quotas and limits" of its developer guide. Sizes are in bytes.
const (
	maxItem         = 400 << 10
	maxPartitionKey = 2048
	maxSortKey      = 1024
	maxName         = 64<<10 - 1
	maxDigits       = 38
	mostExponent    = 125  // of 9.9…E125
	leastExponent   = -130 // of 1E-130

	// maxDepth is of lists and maps in each other. DynamoDB takes one less, as it counts the attribute too; servers that are not
	// AWS's may not, and the server has the last word.
	maxDepth = 32
)

// Limits returns what DynamoDB can hold.
func (s *Store) Limits() record.Limits {
	return record.Limits{Server: "DynamoDB", Named: true, Items: itemRule{s}}
}

// itemRule says which items DynamoDB can hold.
type itemRule struct{ store *Store }

// Refuses implements [record.ItemRule].
func (l itemRule) Refuses(r *record.Record) (field string, reason record.Reason, detail string) {
	keys := l.store.Keys(r.Kind)
	if field, detail := refusesKey(keys, r); detail != "" {
		return field, record.InvalidItemKey, detail
	}
	for _, name := range r.FieldNames() {
		if reason, detail := refusesName(name); reason != "" {
			return name, reason, detail
		}
		if reason, detail := refusesValue(r.Fields[name].Value, 0); reason != "" {
			return name, reason, detail
		}
	}
	if size := itemSize(r.Fields); size > maxItem {
		return "", record.DocumentTooLarge, fmt.Sprintf("%d bytes as DynamoDB counts them, the limit is %d", size, maxItem)
	}
	return "", "", ""
}

// refusesKey judges the attributes that identify an item, and that they are those of its name.
func refusesKey(keys []record.Attribute, r *record.Record) (field, detail string) {
	name, err := record.ItemName(keys, r.Fields)
	if err != nil {
		return "", err.Error()
	}
	for i, key := range keys {
		limit := maxPartitionKey
		if i > 0 {
			limit = maxSortKey
		}
		size, empty := 0, false
		switch v := r.Fields[key.Name].Value.(type) {
		case string:
			size, empty = len(v), v == ""
		case record.Binary:
			size, empty = len(v), v == ""
		}
		switch {
		case empty:
			return key.Name, "DynamoDB takes nothing empty in the key of an item"
		case size > limit:
			return key.Name, fmt.Sprintf("%d bytes of the item's key, the limit is %d", size, limit)
		}
	}
	if name != r.Name {
		return "", "the key that the attributes give is another than that by which the document is known"
	}
	return "", ""
}

func refusesName(name string) (record.Reason, string) {
	switch {
	case name == "":
		return record.InvalidFieldName, "DynamoDB has no attribute without a name"
	case len(name) > maxName:
		return record.InvalidFieldName, fmt.Sprintf("a name of %d bytes, the limit is %d", len(name), maxName)
	case !utf8.ValidString(name):
		return record.InvalidUTF8, "the name is not valid UTF-8"
	}
	return "", ""
}

// refusesValue judges a value that stands in as many lists and maps as depth says.
func refusesValue(v record.Value, depth int) (record.Reason, string) {
	switch v.(type) {
	case record.Array, record.Object:
		if depth == maxDepth {
			return record.TooDeep, fmt.Sprintf("nested deeper than %d", maxDepth)
		}
	}
	switch v := v.(type) {
	case string:
		if !utf8.ValidString(v) {
			return record.InvalidUTF8, "the value is not valid UTF-8"
		}
	case float64:
		return record.NumberOutOfRange, "the number is not finite"
	case record.Decimal:
		return refusesNumber(v)
	case record.Set:
		if len(v.Members) == 0 {
			return record.RefusedByTarget, "DynamoDB has no empty set"
		}
		return refusesMembers(v.Members)
	case record.Array:
		for _, e := range v {
			if reason, detail := refusesValue(e, depth+1); reason != "" {
				return reason, detail
			}
		}
	case record.Object:
		for name, e := range v {
			if !utf8.ValidString(name) {
				return record.InvalidUTF8, "a name in the value is not valid UTF-8"
			}
			if reason, detail := refusesValue(e, depth+1); reason != "" {
				return reason, detail
			}
		}
	case record.Opaque:
		return record.RefusedByTarget, "DynamoDB has no such type"
	}
	return "", ""
}

func refusesMembers(members record.Array) (record.Reason, string) {
	for _, m := range members {
		if reason, detail := refusesValue(m, 0); reason != "" {
			return reason, detail
		}
	}
	return "", ""
}

func refusesNumber(d record.Decimal) (record.Reason, string) {
	_, digits, exponent := d.Parts()
	first := len(digits) + exponent - 1 // the power of ten of the first digit
	switch {
	case len(digits) > maxDigits:
		return record.NumberOutOfRange, fmt.Sprintf("%d digits, DynamoDB holds %d", len(digits), maxDigits)
	case first > mostExponent || first < leastExponent:
		return record.NumberOutOfRange, fmt.Sprintf("DynamoDB holds numbers from 1E%d to 9.9E%d", leastExponent, mostExponent)
	}
	return "", ""
}

// itemSize returns the bytes of an item as DynamoDB counts them.
func itemSize(fields map[string]record.Field) int {
	size := 0
	for name, f := range fields {
		size += len(name) + valueSize(f.Value)
	}
	return size
}

// What a list or a map takes beside its members, and each of those beside its own size.
const (
	nestedBytes = 3
	memberBytes = 1
)

func valueSize(v record.Value) int {
	switch v := v.(type) {
	case string:
		return len(v)
	case record.Binary:
		return len(v)
	case int64:
		return numberSize(record.Decimal(strconv.FormatInt(v, 10)))
	case record.Decimal:
		return numberSize(v)
	case record.Set:
		size := 0
		for _, m := range v.Members {
			size += valueSize(m)
		}
		return size
	case record.Array:
		size := nestedBytes
		for _, e := range v {
			size += memberBytes + valueSize(e)
		}
		return size
	case record.Object:
		size := nestedBytes
		for name, e := range v {
			size += memberBytes + len(name) + valueSize(e)
		}
		return size
	}
	return 1
}

// numberSize returns the bytes of a number: one for its sign and power, and one for two digits, which go by pairs from the
// point on; a negative one ends with one more.
func numberSize(d record.Decimal) int {
	negative, digits, exponent := d.Parts()
	if digits == "" {
		return 1
	}
	size := 1 + (len(digits)+1)/2
	if len(digits)%2 == 0 && exponent%2 != 0 {
		size++
	}
	if negative {
		size++
	}
	return size
}
