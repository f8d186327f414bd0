package dynamo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/lanyardctl/lanyardctl/record"
)

// ErrTooManyAttributes tells that an item has more attributes than one condition can compare.
var ErrTooManyAttributes = errors.New("the item has more attributes than DynamoDB compares at once")

// Items returns the items of the tables of Options.Tables, one by one. Its reads are consistent.
//
// An item is replaced where all attributes of before are what they were, and there is none of those that the kind's table is
// known to have besides. It is not before any more where somebody gave it an attribute of another name: that stays where the
// item is changed, and goes with one that is deleted. It fails with [ErrTooManyAttributes].
func (s *Store) Items() record.Items { return items{s} }

// items implements [record.Items].
type items struct{ *Store }

// Item implements [record.Items].
func (s items) Item(ctx context.Context, kind record.Kind, key map[string]record.Value) (*record.Record, error) {
	r := record.Record{Kind: kind, Fields: make(map[string]record.Field, len(key))}
	for name, v := range key {
		r.Fields[name] = record.Field{Value: v}
	}
	itemKey, err := s.checkedKey(&r)
	if err != nil {
		return nil, err
	}
	it, err := s.get(ctx, kind, itemKey)
	if err != nil || it == nil {
		return nil, err
	}
	return s.readable(kind, it)
}

// checkedKey returns the key of a record's item.
func (s items) checkedKey(r *record.Record) (item, error) {
	table, known := s.tables[r.Kind]
	if !known {
		return nil, fmt.Errorf("%s is none of the tables that were opened", r.Kind)
	}
	if _, err := record.ItemName(table.Keys, r.Fields); err != nil {
		return nil, fmt.Errorf("%s: %w", table.Name, err)
	}
	key, _ := s.keyOf(r) // what has a name has a key
	return key, nil
}

// get returns the item as it is now; nil where there is none.
func (s items) get(ctx context.Context, kind record.Kind, key item) (item, error) {
	name := s.tables[kind].Name
	out, err := call(ctx, s.Store, operation{name: "GetItem", table: name, pace: s.reads, units: 1}, s.client.GetItem, &dynamodb.GetItemInput{
		TableName: &name, Key: key, ConsistentRead: new(true), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	if err != nil {
		return nil, err
	}
	return out.Item, nil
}

// readable returns an item as a record. It fails where something of it cannot be read.
func (s items) readable(kind record.Kind, it item) (*record.Record, error) {
	r := s.recordOf(kind, it)
	if r.Record == nil {
		return nil, fmt.Errorf("an item of the table %s cannot be read: %s", s.tables[kind].Name, r.Rejects[0].Detail)
	}
	return r.Record, nil
}

// Partition implements [record.Items].
func (s items) Partition(ctx context.Context, kind record.Kind, partition record.Value, yield func([]record.Record) error) error {
	table, known := s.tables[kind]
	a, ok := attributeOf(partition)
	if !known || !ok {
		return fmt.Errorf("%s has no such partition", kind)
	}
	e := newExpression()
	e.is(e.name(table.Keys[0].Name), a)
	in := &dynamodb.QueryInput{
		TableName: &table.Name, KeyConditionExpression: e.condition(), ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
		ConsistentRead: new(true), ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	}
	for {
		out, err := call(ctx, s.Store, operation{name: "Query", table: table.Name, pace: s.reads, units: 1}, s.client.Query, in)
		if err != nil {
			return err
		}
		page := make([]record.Record, 0, len(out.Items))
		for _, it := range out.Items {
			r, err := s.readable(kind, it)
			if err != nil {
				return err
			}
			page = append(page, *r)
		}
		if len(page) > 0 {
			if err := yield(page); err != nil {
				return err
			}
		}
		if in.ExclusiveStartKey = out.LastEvaluatedKey; len(in.ExclusiveStartKey) == 0 {
			return nil
		}
	}
}

// Replace implements [record.Items].
func (s items) Replace(ctx context.Context, before, after *record.Record) (done bool, err error) {
	one := before
	if one == nil {
		one = after
	}
	key, err := s.checkedKey(one)
	if err != nil {
		return false, err
	}
	was, is, err := s.both(before, after)
	if err != nil {
		return false, err
	}
	table := s.tables[one.Kind]
	e := newExpression()
	if before == nil {
		e.absent(table.Keys[0].Name)
	} else if e, err = s.replacing(one.Kind, was, is); err != nil {
		return false, err
	}
	op := operation{table: table.Name, pace: s.writes, units: writeUnits(itemSize(one.Fields))}
	done, maybe, err := once(func(attempts func(*dynamodb.Options)) error {
		var err error
		switch {
		case before == nil:
			op.name = "PutItem"
			_, err = call(ctx, s.Store, op, with(s.client.PutItem, attempts), &dynamodb.PutItemInput{
				TableName: &table.Name, Item: is, ConditionExpression: e.condition(), ExpressionAttributeNames: e.names,
				ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
			})
		case after == nil:
			op.name = "DeleteItem"
			_, err = call(ctx, s.Store, op, with(s.client.DeleteItem, attempts), &dynamodb.DeleteItemInput{
				TableName: &table.Name, Key: key, ConditionExpression: e.condition(), ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values,
				ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
			})
		default:
			op.name = "UpdateItem"
			_, err = call(ctx, s.Store, op, with(s.client.UpdateItem, attempts), &dynamodb.UpdateItemInput{
				TableName: &table.Name, Key: key, ConditionExpression: e.condition(), UpdateExpression: e.update(),
				ExpressionAttributeNames: e.names, ExpressionAttributeValues: e.values, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
			})
		}
		return err
	})
	if done || err != nil || !maybe {
		return done, err
	}
	// What stands there may be what an attempt wrote whose answer was lost.
	now, err := s.get(ctx, one.Kind, key)
	if err != nil {
		return false, err
	}
	return sameItem(now, is), nil
}

// both returns the attributes of both states of an item; nil for none.
func (s items) both(before, after *record.Record) (was, is item, err error) {
	attributes := func(r *record.Record) (item, error) {
		if r == nil {
			return nil, nil
		}
		it, ok := itemOf(r.Fields)
		if !ok {
			return nil, fmt.Errorf("%s: DynamoDB has no type for a value", r.Kind)
		}
		return it, nil
	}
	if before != nil && after != nil && (before.Kind != after.Kind || before.Name != after.Name) {
		return nil, nil, fmt.Errorf("%s is not replaced by another item", before.Kind)
	}
	if was, err = attributes(before); err == nil {
		is, err = attributes(after)
	}
	return was, is, err
}

// replacing returns what makes an item another, or deletes it where that is nil, on the condition that it still is what it was.
func (s items) replacing(kind record.Kind, was, is item) (*expression, error) {
	key := s.Keys(kind)
	build := func(same func(e *expression, name string)) *expression {
		e := newExpression()
		for _, name := range slices.Sorted(maps.Keys(was)) {
			same(e, name)
			if isKey := slices.ContainsFunc(key, func(k record.Attribute) bool { return k.Name == name }); isKey || is == nil {
				continue
			}
			if a := is[name]; a == nil || !sameAttribute(a, was[name]) {
				e.set(name, a)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(is)) {
			if was[name] == nil {
				e.absent(name)
				e.set(name, is[name])
			}
		}
		table, _ := kind.Table()
		for _, a := range table.Attributes {
			if was[a.Name] == nil && is[a.Name] == nil {
				e.absent(a.Name)
			}
		}
		return e
	}
	e := build(func(e *expression, name string) { e.still(name, was[name]) })
	if !e.fits() {
		e = build(func(e *expression, name string) { e.is(e.name(name), was[name]) })
	}
	if !e.fits() {
		return nil, ErrTooManyAttributes
	}
	return e, nil
}

// sameItem reports whether both have the same attributes.
func sameItem(a, b item) bool { return maps.EqualFunc(a, b, sameAttribute) }

// sameAttribute reports whether both are of one type and value.
func sameAttribute(a, b types.AttributeValue) bool {
	x, errX := valueOf(a)
	y, errY := valueOf(b)
	return errX == nil && errY == nil && record.Equal(x, y)
}
