package countingserver

import (
	"cmp"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// filter is the conditions of a find, an update or a deletion, all of which have to hold.
type filter struct {
	conditions []condition
}

// condition is one on a field, or on the whole document where there is none, or a choice of filters where or is set.
type condition struct {
	field string // empty for the whole document
	test  func(value bson.RawValue, there bool) bool
	equal []bson.RawValue // the values that it asks for, where it asks for some
	or    []*filter
}

// parseFilter reads one as MongoDB does, or fails where it has to do with more than equality, order, type, existence and size
// of fields.
func parseFilter(document bson.Raw) (*filter, error) {
	f := &filter{}
	if document == nil {
		return f, nil
	}
	elements, err := document.Elements()
	if err != nil {
		return nil, err
	}
	for _, e := range elements {
		name, value := e.Key(), e.Value()
		switch {
		case name == "$or" || name == "$and":
			parts, err := parseFilters(value)
			if err != nil {
				return nil, err
			}
			if name == "$or" {
				f.conditions = append(f.conditions, condition{or: parts})
				continue
			}
			for _, part := range parts {
				f.conditions = append(f.conditions, part.conditions...)
			}
		case name == "$expr":
			c, err := parseExpression(value)
			if err != nil {
				return nil, err
			}
			f.conditions = append(f.conditions, c)
		case strings.HasPrefix(name, "$"):
			return nil, unknown("the filter " + name)
		default:
			conditions, err := parseConditions(name, value)
			if err != nil {
				return nil, err
			}
			f.conditions = append(f.conditions, conditions...)
		}
	}
	return f, nil
}

func parseFilters(list bson.RawValue) ([]*filter, error) {
	values, err := valuesOf(list)
	if err != nil {
		return nil, err
	}
	var parts []*filter
	for _, v := range values {
		document, ok := v.DocumentOK()
		if !ok {
			return nil, unknown("a filter that is no document")
		}
		part, err := parseFilter(document)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// parseConditions reads those on one field: {field: value} or {field: {$operator: value, …}}.
func parseConditions(field string, value bson.RawValue) ([]condition, error) {
	document, ok := value.DocumentOK()
	if !ok {
		return []condition{equals(field, value)}, nil
	}
	elements, err := document.Elements()
	if err != nil {
		return nil, err
	}
	if len(elements) == 0 || !strings.HasPrefix(elements[0].Key(), "$") {
		return []condition{equals(field, value)}, nil
	}
	var conditions []condition
	for _, e := range elements {
		c, err := parseOperator(field, e.Key(), e.Value())
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, c)
	}
	return conditions, nil
}

func equals(field string, values ...bson.RawValue) condition {
	wanted := make(map[string]bool, len(values))
	for _, v := range values {
		wanted[string(keyOf(v))] = true
	}
	return condition{field: field, equal: values, test: func(v bson.RawValue, there bool) bool {
		return there && wanted[string(keyOf(v))]
	}}
}

func parseOperator(field, operator string, operand bson.RawValue) (condition, error) {
	ordered := func(fits func(order int) bool) condition {
		return condition{field: field, test: func(v bson.RawValue, there bool) bool {
			order, comparable := compare(v, operand)
			return there && comparable && fits(order)
		}}
	}
	switch operator {
	case "$eq":
		return equals(field, operand), nil
	case "$ne":
		same := equals(field, operand).test
		return condition{field: field, test: func(v bson.RawValue, there bool) bool { return !same(v, there) }}, nil
	case "$in":
		values, err := valuesOf(operand)
		return equals(field, values...), err
	case "$gt":
		return ordered(func(order int) bool { return order > 0 }), nil
	case "$gte":
		return ordered(func(order int) bool { return order >= 0 }), nil
	case "$lt":
		return ordered(func(order int) bool { return order < 0 }), nil
	case "$lte":
		return ordered(func(order int) bool { return order <= 0 }), nil
	case "$exists":
		wanted := !operand.IsNumber() && operand.Boolean() || operand.IsNumber() && operand.AsInt64() != 0
		return condition{field: field, test: func(_ bson.RawValue, there bool) bool { return there == wanted }}, nil
	case "$type":
		return condition{field: field, test: func(v bson.RawValue, there bool) bool { return there && isOfType(v, operand) }}, nil
	}
	return condition{}, unknown("the operator " + operator)
}

// parseExpression reads those by which lanyardctl makes sure that a document, or a field of one, still is what was read:
// {$eq: [{$cmp: ["$$ROOT", {$literal: document}]}, 0]} and {$eq: [{$bsonSize: "$field"}, size]}.
func parseExpression(v bson.RawValue) (condition, error) {
	operands, err := valuesOf(lookupIn(v, "$eq"))
	if err != nil || len(operands) != 2 || !operands[1].IsNumber() {
		return condition{}, unknown("the expression")
	}
	wanted := operands[1].AsInt64()
	compared, err := valuesOf(lookupIn(operands[0], "$cmp"))
	if err == nil && len(compared) == 2 && wanted == 0 {
		field, ok := fieldOf(compared[0])
		if literal := lookupIn(compared[1], "$literal"); ok && literal.Type != 0 {
			return condition{field: field, test: equals(field, literal).test}, nil
		}
	}
	if field, ok := fieldOf(lookupIn(operands[0], "$bsonSize")); ok {
		return condition{field: field, test: func(v bson.RawValue, there bool) bool { return there && int64(len(v.Value)) == wanted }}, nil
	}
	return condition{}, unknown("the expression")
}

// lookupIn returns a field of a value that is a document; of type zero where there is none.
func lookupIn(v bson.RawValue, field string) bson.RawValue {
	document, _ := v.DocumentOK()
	found, err := document.LookupErr(field)
	if err != nil {
		return bson.RawValue{}
	}
	return found
}

// fieldOf returns the field that an expression names, empty for the whole document.
func fieldOf(v bson.RawValue) (field string, ok bool) {
	path, _ := v.StringValueOK()
	if path == "$$ROOT" {
		return "", true
	}
	field, ok = strings.CutPrefix(path, "$")
	return field, ok && field != ""
}

// isOfType knows the names that lanyardctl uses, and the numbers of all types.
func isOfType(v, wanted bson.RawValue) bool {
	name, ok := wanted.StringValueOK()
	if !ok {
		return wanted.IsNumber() && int64(v.Type) == wanted.AsInt64()
	}
	return name == "number" && v.IsNumber() || name == v.Type.String()
}

// compare orders two texts or two numbers. Others it does not compare.
func compare(a, b bson.RawValue) (order int, comparable bool) {
	x, textX := a.StringValueOK()
	y, textY := b.StringValueOK()
	if textX && textY {
		return strings.Compare(x, y), true
	}
	n, numberN := a.AsFloat64OK()
	m, numberM := b.AsFloat64OK()
	return cmp.Compare(n, m), numberN && numberM
}

func (f *filter) matches(document bson.Raw) bool {
	return !slices.ContainsFunc(f.conditions, func(c condition) bool { return !c.holds(document) })
}

func (c condition) holds(document bson.Raw) bool {
	if c.or != nil {
		return slices.ContainsFunc(c.or, func(f *filter) bool { return f.matches(document) })
	}
	if c.field == "" {
		return c.test(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: document}, true)
	}
	v, err := document.LookupErr(strings.Split(c.field, ".")...)
	return c.test(v, err == nil)
}

// choice is a field's value by which documents can be looked up.
type choice struct{ field, value string }

// choices returns values one of which every document that fits has. It tells false where there are no such values.
func (f *filter) choices() ([]choice, bool) {
	for _, c := range f.conditions {
		var choices []choice
		for _, v := range c.equal {
			choices = append(choices, choice{c.field, string(keyOf(v))})
		}
		all := c.equal != nil && !strings.Contains(c.field, ".")
		if c.or != nil {
			all = true
			for _, part := range c.or {
				more, ok := part.choices()
				choices, all = append(choices, more...), all && ok
			}
		}
		if all {
			return choices, true
		}
	}
	return nil, false
}

func valuesOf(list bson.RawValue) ([]bson.RawValue, error) {
	array, ok := list.ArrayOK()
	if !ok {
		return nil, unknown("a list that is no array")
	}
	return array.Values()
}

// unknownError is what a client asks that this server does not know.
type unknownError string

func (e unknownError) Error() string { return "the counting server does not know " + string(e) }

func unknown(what string) error { return unknownError(what) }
