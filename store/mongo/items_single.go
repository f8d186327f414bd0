package mongo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// Items returns the items of the collections to which tables were copied, of the tables whose key is known.
func (s *Store) Items() record.Items { return items{s} }

type items struct{ *Store }

// Item implements [record.Items].
func (s items) Item(ctx context.Context, kind record.Kind, key map[string]record.Value) (*record.Record, error) {
	table, _ := kind.Table()
	name, err := s.name(kind, table.Keys, key)
	if err != nil {
		return nil, err
	}
	doc, err := s.documentByID(ctx, table.Collection, name)
	if err != nil {
		return nil, s.wrap("read an item of "+table.Collection, err)
	}
	if doc == nil {
		return nil, nil
	}
	r := itemOf(kind, doc)
	return &r, nil
}

// name returns the name of the item with the key.
func (s items) name(kind record.Kind, keys []record.Attribute, key map[string]record.Value) (string, error) {
	if len(keys) == 0 {
		return "", fmt.Errorf("the key of the table %s is not known", kind)
	}
	fields := make(map[string]record.Field, len(key))
	for name, v := range key {
		fields[name] = record.Field{Value: v}
	}
	name, err := record.ItemName(keys, fields)
	if err != nil {
		return "", fmt.Errorf("find an item of %s: %w", kind, err)
	}
	return name.String(), nil
}

// itemOf returns what an item's document says.
func itemOf(kind record.Kind, doc bson.Raw) record.Record {
	return documentOf(kind, doc).Content(time.Time{}).Record
}

// Partition implements [record.Items]. The items' names begin with the partition key, so that an index finds them; where text
// is escaped in them they are not in the order of their sort keys.
func (s items) Partition(ctx context.Context, kind record.Kind, partition record.Value, yield func([]record.Record) error) error {
	table, _ := kind.Table()
	if len(table.Keys) == 1 {
		r, err := s.Item(ctx, kind, map[string]record.Value{table.Keys[0].Name: partition})
		if err != nil || r == nil {
			return err
		}
		return yield([]record.Record{*r})
	}
	keys, key := slices.Clone(table.Keys), map[string]record.Value{}
	for i := range keys {
		keys[i].Type, key[keys[i].Name] = record.TextType, ""
	}
	if len(keys) > 0 {
		keys[0], key[keys[0].Name] = table.Keys[0], partition
	}
	prefix, err := s.name(kind, keys, key)
	if err != nil {
		return err
	}
	q := query{
		filter: idsBetween(prefix, strings.TrimSuffix(prefix, "/")+"0"), // which follows the slash
		sort:   bson.D{{Key: table.Keys[1].Name, Value: 1}},
	}
	p := pages[record.Record]{yield: yield}
	for doc, err := range s.stream(ctx, table.Collection, q) {
		if err != nil {
			return s.wrap("read items of "+table.Collection, err)
		}
		if err := p.add(itemOf(kind, doc), len(doc)); err != nil {
			return err
		}
	}
	return p.flush()
}

// Replace implements [record.Items]. The document carries no digest: what a person wrote does not give way to a migration.
func (s items) Replace(ctx context.Context, before, after *record.Record) (done bool, err error) {
	r := after
	if after == nil {
		r = before
	}
	collection := record.CollectionOf(r.Kind)
	unlock, err := s.dialect.exclusive(ctx, s.Store, collection.String()+"/"+r.Name.String())
	if err != nil {
		return false, s.wrap("change an item of "+collection.String(), err)
	}
	defer unlock()
	step := record.Step{Collection: collection}
	if before != nil {
		doc, err := s.documentByID(ctx, collection.String(), before.Name.String())
		switch {
		case err != nil:
			return false, s.wrap("read an item of "+collection.String(), err)
		case doc == nil || itemOf(before.Kind, doc).Digest() != before.Digest():
			return false, nil
		}
		step.ID, step.Before = idOf(doc), doc
	}
	if after != nil {
		step.After = writtenByHand(*after, before, step.Before)
		step.ID = idOf(step.After)
	}
	results, err := s.Documents().Apply(ctx, []record.Step{step})
	if err != nil {
		return false, err
	}
	switch results[0] {
	case record.StepDone:
		return true, nil
	case record.StepNoop: // it was so before
		return before != nil && after != nil, nil
	case record.StepRefused:
		return false, fmt.Errorf("%s refuses the item of %s", s.limits.Server, collection)
	case record.StepModified, record.StepDuplicate:
	}
	return false, nil
}

// writtenByHand returns the document of an item that somebody writes on purpose. What it says as the document before does stays
// what that has, such as a double.
func writtenByHand(r record.Record, before *record.Record, doc bson.Raw) bson.Raw {
	i, after := bsoncore.AppendDocumentStart(nil)
	after = bsoncore.AppendStringElement(after, "_id", r.Name.String())
	for _, name := range r.FieldNames() {
		v := rawValue(r.Fields[name].Value)
		if before != nil {
			if was, has := before.Fields[name]; has && record.Equal(was.Value, r.Fields[name].Value) {
				v = lookup(doc, name)
			}
		}
		after = bsoncore.AppendValueElement(after, name, bsoncore.Value{Type: bsoncore.Type(v.Type), Data: v.Value})
	}
	if types := typesOfRecord(r); len(types) > 0 {
		after = appendMark(after, "", types...)
	}
	return finish(after, i)
}
