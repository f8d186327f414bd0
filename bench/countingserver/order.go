package countingserver

import (
	"bytes"
	"cmp"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// typeOrder are the types in the order in which MongoDB sorts their values, which an index has, too. Types that compare
// with each other stand together.
var typeOrder = [][]bson.Type{
	{bson.TypeMinKey}, {0, bson.TypeUndefined}, {bson.TypeNull},
	{bson.TypeInt32, bson.TypeInt64, bson.TypeDouble, bson.TypeDecimal128},
	{bson.TypeString, bson.TypeSymbol}, {bson.TypeEmbeddedDocument}, {bson.TypeArray}, {bson.TypeBinary},
	{bson.TypeObjectID}, {bson.TypeBoolean}, {bson.TypeDateTime}, {bson.TypeTimestamp}, {bson.TypeRegex}, {bson.TypeMaxKey},
}

// order orders any two values. Other than on MongoDB, those of a type that [compare] does not know are in the order of
// their bytes.
func order(a, b bson.RawValue) int {
	place := func(v bson.RawValue) int {
		return slices.IndexFunc(typeOrder, func(types []bson.Type) bool { return slices.Contains(types, v.Type) })
	}
	if by := cmp.Compare(place(a), place(b)); by != 0 {
		return by
	}
	if by, comparable := compare(a, b); comparable {
		return by
	}
	return bytes.Compare(a.Value, b.Value)
}

// bounds are those of an index scan, which min and max ask for: from the first value on, up to the second one, which is
// not in it.
type bounds struct {
	field    string        // empty for none
	min, max bson.RawValue // of type zero for none
}

// parseBounds reads them as MongoDB does, which wants to be told of which index they are.
func (r request) parseBounds() (b bounds, err error) {
	for _, name := range []string{"min", "max"} {
		given := r.document(name)
		if given == nil {
			continue
		}
		elements, err := given.Elements()
		if err != nil {
			return b, err
		}
		if len(elements) != 1 || r.document("hint").Lookup(elements[0].Key()).Type == 0 {
			return b, unknown("bounds of more than one field, or without a hint of its index")
		}
		b.field = elements[0].Key()
		if name == "min" {
			b.min = elements[0].Value()
		} else {
			b.max = elements[0].Value()
		}
	}
	return b, nil
}

// holds reports whether the document is within the bounds.
func (b bounds) holds(document bson.Raw) bool {
	v := document.Lookup(b.field)
	return (b.min.Type == 0 || order(v, b.min) >= 0) && (b.max.Type == 0 || order(v, b.max) < 0)
}

// withinIDs returns the documents within bounds of their _ids, in the order of these. As with an index, only the first look
// after a write takes time.
func (c *collection) withinIDs(b bounds) []bson.Raw {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inOrder == nil {
		c.inOrder = make([]bson.Raw, 0, c.count)
		for _, document := range c.documents {
			if document != nil {
				c.inOrder = append(c.inOrder, document)
			}
		}
		slices.SortFunc(c.inOrder, func(x, y bson.Raw) int { return order(x.Lookup("_id"), y.Lookup("_id")) })
	}
	at := func(bound bson.RawValue, open int) int {
		if bound.Type == 0 {
			return open
		}
		n, _ := slices.BinarySearchFunc(c.inOrder, bound, func(document bson.Raw, v bson.RawValue) int { return order(document.Lookup("_id"), v) })
		return n
	}
	from := at(b.min, 0)
	return c.inOrder[from:max(from, at(b.max, len(c.inOrder)))]
}
