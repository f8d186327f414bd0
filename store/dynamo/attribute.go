package dynamo

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/lanyardctl/lanyardctl/record"
)

// item is an item as the SDK has it.
type item = map[string]types.AttributeValue

// valueOf returns what an attribute holds. It fails where that is none of DynamoDB's types, or a number that is none.
func valueOf(a types.AttributeValue) (record.Value, error) {
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		return a.Value, nil
	case *types.AttributeValueMemberN:
		return numberOf(a.Value)
	case *types.AttributeValueMemberB:
		return record.Binary(a.Value), nil
	case *types.AttributeValueMemberBOOL:
		return a.Value, nil
	case *types.AttributeValueMemberNULL:
		return nil, nil
	case *types.AttributeValueMemberL:
		array := make(record.Array, 0, len(a.Value))
		for _, e := range a.Value {
			v, err := valueOf(e)
			if err != nil {
				return nil, err
			}
			array = append(array, v)
		}
		return array, nil
	case *types.AttributeValueMemberM:
		object := make(record.Object, len(a.Value))
		for name, e := range a.Value {
			v, err := valueOf(e)
			if err != nil {
				return nil, err
			}
			object[name] = v
		}
		return object, nil
	case *types.AttributeValueMemberSS:
		return setOf(record.TextSetType, a.Value, func(s string) (record.Value, error) { return s, nil })
	case *types.AttributeValueMemberNS:
		return setOf(record.NumberSetType, a.Value, numberOf)
	case *types.AttributeValueMemberBS:
		return setOf(record.BinarySetType, a.Value, func(b []byte) (record.Value, error) { return record.Binary(b), nil })
	}
	return nil, fmt.Errorf("an attribute of a type that is none of DynamoDB's")
}

func numberOf(text string) (record.Value, error) {
	n, ok := record.ParseDecimal(text)
	if !ok {
		return nil, fmt.Errorf("a number that is no decimal number")
	}
	return n, nil
}

func setOf[M any](t record.AttributeType, members []M, value func(M) (record.Value, error)) (record.Value, error) {
	values := make([]record.Value, 0, len(members))
	for _, m := range members {
		v, err := value(m)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	set, ok := record.NewSet(t, values)
	if !ok {
		return nil, fmt.Errorf("a set in which a member stands twice")
	}
	return set, nil
}

// attributeOf returns the attribute that holds the value. It reports false where DynamoDB has none.
func attributeOf(v record.Value) (types.AttributeValue, bool) {
	switch v := v.(type) {
	case nil:
		return &types.AttributeValueMemberNULL{Value: true}, true
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}, true
	case string:
		return &types.AttributeValueMemberS{Value: v}, true
	case record.Binary:
		return &types.AttributeValueMemberB{Value: []byte(v)}, true
	case int64, record.Decimal:
		text, ok := numberText(v)
		return &types.AttributeValueMemberN{Value: text}, ok
	case record.Array:
		list := make([]types.AttributeValue, 0, len(v))
		for _, e := range v {
			a, ok := attributeOf(e)
			if !ok {
				return nil, false
			}
			list = append(list, a)
		}
		return &types.AttributeValueMemberL{Value: list}, true
	case record.Object:
		members := make(item, len(v))
		for name, e := range v {
			a, ok := attributeOf(e)
			if !ok {
				return nil, false
			}
			members[name] = a
		}
		return &types.AttributeValueMemberM{Value: members}, true
	case record.Set:
		return attributeOfSet(v)
	}
	return nil, false
}

func attributeOfSet(set record.Set) (types.AttributeValue, bool) {
	switch set.Type {
	case record.TextSetType:
		members, ok := membersOf(set, func(v record.Value) (string, bool) { s, ok := v.(string); return s, ok })
		return &types.AttributeValueMemberSS{Value: members}, ok
	case record.NumberSetType:
		members, ok := membersOf(set, numberText)
		return &types.AttributeValueMemberNS{Value: members}, ok
	case record.BinarySetType:
		members, ok := membersOf(set, func(v record.Value) ([]byte, bool) { b, ok := v.(record.Binary); return []byte(b), ok })
		return &types.AttributeValueMemberBS{Value: members}, ok
	}
	return nil, false
}

func membersOf[M any](set record.Set, member func(record.Value) (M, bool)) ([]M, bool) {
	members := make([]M, 0, len(set.Members))
	for _, v := range set.Members {
		m, ok := member(v)
		if !ok {
			return nil, false
		}
		members = append(members, m)
	}
	return members, true
}

// numberText returns a number as DynamoDB reads it.
func numberText(v record.Value) (string, bool) {
	switch v := v.(type) {
	case int64:
		return strconv.FormatInt(v, 10), true
	case record.Decimal:
		return string(v), true
	}
	return "", false
}

// itemOf returns the item that has the fields. It reports false where [attributeOf] does.
func itemOf(fields map[string]record.Field) (item, bool) {
	it := make(item, len(fields))
	for name, f := range fields {
		a, ok := attributeOf(f.Value)
		if !ok {
			return nil, false
		}
		it[name] = a
	}
	return it, true
}

// appendWire appends the attribute as DynamoDB's JSON, such as {"N":"1.5"}, to b.
func appendWire(b []byte, a types.AttributeValue) []byte {
	switch a := a.(type) {
	case *types.AttributeValueMemberS:
		return append(appendText(append(b, `{"S":`...), a.Value), '}')
	case *types.AttributeValueMemberN:
		return append(appendText(append(b, `{"N":`...), a.Value), '}')
	case *types.AttributeValueMemberB:
		return append(appendBinary(append(b, `{"B":`...), a.Value), '}')
	case *types.AttributeValueMemberBOOL:
		return append(strconv.AppendBool(append(b, `{"BOOL":`...), a.Value), '}')
	case *types.AttributeValueMemberNULL:
		return append(strconv.AppendBool(append(b, `{"NULL":`...), a.Value), '}')
	case *types.AttributeValueMemberL:
		return appendList(append(b, `{"L":`...), a.Value, appendWire)
	case *types.AttributeValueMemberM:
		b = append(b, `{"M":{`...)
		for i, name := range slices.Sorted(maps.Keys(a.Value)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendWire(append(appendText(b, name), ':'), a.Value[name])
		}
		return append(b, "}}"...)
	case *types.AttributeValueMemberSS:
		return appendList(append(b, `{"SS":`...), a.Value, appendText)
	case *types.AttributeValueMemberNS:
		return appendList(append(b, `{"NS":`...), a.Value, appendText)
	case *types.AttributeValueMemberBS:
		return appendList(append(b, `{"BS":`...), a.Value, appendBinary)
	}
	return append(b, "null"...)
}

// appendList appends an array, and the end of the object in which it is.
func appendList[E any](b []byte, list []E, member func([]byte, E) []byte) []byte {
	b = append(b, '[')
	for i, e := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = member(b, e)
	}
	return append(b, "]}"...)
}

func appendText(b []byte, s string) []byte { return append(b, record.JSON(s)...) }

func appendBinary(b, data []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(b, '"'), data), '"')
}
