package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/lanyardctl/lanyardctl/record"
)

// UnwritableError tells that a collection is none that lanyardctl can write to. It is an [ErrUnwritable].
type UnwritableError struct {
	Database, Collection string
	Why                  string // "is capped: …"
	Remedy               string // what to do, for people
}

func (e *UnwritableError) Error() string {
	return fmt.Sprintf("the collection %s.%s %s", e.Database, e.Collection, e.Why)
}

// Unwrap returns [ErrUnwritable].
func (e *UnwritableError) Unwrap() error { return ErrUnwritable }

// collectionInfo is what the server says of a collection.
type collectionInfo struct {
	Name    string `bson:"name"`
	Type    string `bson:"type"` // "collection", "view" or "timeseries"
	Options struct {
		Capped    bool      `bson:"capped"`
		ViewOn    string    `bson:"viewOn"`
		Collation collation `bson:"collation"`
	} `bson:"options"`
	Info struct {
		UUID bson.Binary `bson:"uuid"`
	} `bson:"info"`
}

// listCollections returns what the server says of those of the collections that exist.
func (s *Store) listCollections(ctx context.Context, names []string) ([]collectionInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, s.commandTimeout)
	defer cancel()
	cursor, err := s.db.ListCollections(ctx, bson.D{{Key: "name", Value: bson.D{{Key: "$in", Value: names}}}})
	if err != nil {
		return nil, s.wrap("list the collections", err)
	}
	var list []collectionInfo
	if err := cursor.All(ctx, &list); err != nil {
		return nil, s.wrap("list the collections", err)
	}
	return list, nil
}

// CheckWritable fails with an [*UnwritableError] where one of the collections is none that can be written to: a capped
// one, a view, a time series, or one for items with a collation. It writes nothing.
func (s *Store) CheckWritable(ctx context.Context, collections []record.Collection) ([]Warning, error) {
	return s.checkAll(ctx, collections, false)
}

// checkAll also fails where a collection is sharded so that users or items cannot be unique, if they have to be.
func (s *Store) checkAll(ctx context.Context, collections []record.Collection, unique bool) ([]Warning, error) {
	names := make([]string, len(collections))
	for i, c := range collections {
		names[i] = c.String()
	}
	list, err := s.listCollections(ctx, names)
	if err != nil {
		return nil, err
	}
	s.peculiar = make(map[string]peculiarity)
	var warnings []Warning
	for _, info := range list {
		i := slices.Index(names, info.Name)
		if i < 0 {
			continue
		}
		sharded, err := s.checkWritable(ctx, info, collections[i], unique)
		if err != nil {
			return nil, err
		}
		by := info.Options.Collation
		s.peculiar[info.Name] = peculiarity{collated: !by.comparesBytes(), sharded: sharded}
		if !by.comparesBytes() {
			warnings = append(warnings, Warning{Collection: info.Name, Note: record.Collated, Collation: fmt.Sprintf("%s, strength %d", by.Locale, by.Strength)})
		}
	}
	return warnings, nil
}

// peculiarity is what there is to mind about a collection.
type peculiarity struct {
	collated bool // it compares text by a collation of its own, and so do its indexes unless they say otherwise
	sharded  bool // perhaps: an index that the shard key forbids has to be tried before the first write
}

// checkWritable refuses collections to which the server refuses writes of some sorts, or in which, where capped, it drops
// what was written before.
func (s *Store) checkWritable(ctx context.Context, info collectionInfo, collection record.Collection, unique bool) (sharded bool, err error) {
	e := &UnwritableError{Database: s.db.Name(), Collection: info.Name}
	kind, _ := collection.Kind()
	by := info.Options.Collation
	switch {
	case info.Type == "view":
		e.Why = fmt.Sprintf("is a view on %s", info.Options.ViewOn)
		e.Remedy = fmt.Sprintf("drop it (db.%s.drop() removes no documents)", info.Name)
	case info.Type == "timeseries":
		e.Why = "is a time series, in which single documents cannot be changed"
		e.Remedy = fmt.Sprintf("keep it under another name (mongodump, and mongorestore --nsTo), and drop db.%s", info.Name)
	case info.Options.Capped:
		e.Why = "is capped: what does not fit drops the oldest documents"
		e.Remedy = fmt.Sprintf("make a plain collection of it: db.%[1]s.aggregate([{$out: \"%[1]s_plain\"}]); db.%[1]s.drop(); "+
			"db.%[1]s_plain.renameCollection(%[1]q)", info.Name)
	case kind.Named() && !by.comparesBytes():
		// The index on _id, which there cannot be a second one of, takes names for one that are not the same bytes, and finds none.
		e.Why = fmt.Sprintf("compares text by a collation (%s, strength %d), and items have names that are told apart by their bytes", by.Locale, by.Strength)
		e.Remedy = "drop it where it is empty, or copy the table into another collection with --table NAME=COLLECTION"
	case unique && s.router:
		return s.checkShardKey(ctx, info.Name, collection)
	default:
		return false, nil
	}
	return false, e
}

// checkShardKey refuses a collection whose shard key is not where its unique indexes begin: the server can make no others. Each
// shard has an index on _id of its own, so that the shard key of a table's collection must be of what makes the _id.
func (s *Store) checkShardKey(ctx context.Context, name string, collection record.Collection) (sharded bool, err error) {
	var meta struct {
		Key          bson.D `bson:"key"`
		Dropped      bool   `bson:"dropped"`      // before 5.0
		Unsplittable bool   `bson:"unsplittable"` // not sharded, but moved
	}
	namespace := s.db.Name() + "." + name
	ctx, cancel := context.WithTimeout(ctx, s.commandTimeout)
	defer cancel()
	err = s.client.Database("config").Collection("collections").FindOne(ctx, bson.D{{Key: "_id", Value: namespace}}).Decode(&meta)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments) || err == nil && (meta.Dropped || meta.Unsplittable):
		return false, nil
	case err != nil && classify(err) == permission:
		return true, nil
	case err != nil:
		return false, s.wrap("read the shard key of "+namespace, err)
	}
	kind, ok := collection.Kind()
	if ok && kind.Named() {
		return true, s.checkItemsShardKey(kind, meta.Key)
	}
	if !ok || !kind.Identified() {
		return true, nil // there is no unique index
	}
	for _, field := range uniqueFields(kind) {
		if len(meta.Key) == 1 && meta.Key[0].Key == field && meta.Key[0].Value != "hashed" {
			continue
		}
		return true, s.badShardKey(kind, meta.Key, field)
	}
	return true, nil
}

// checkItemsShardKey refuses a shard key by which two shards could have an item each of one name.
func (s *Store) checkItemsShardKey(kind record.Kind, key bson.D) error {
	table, _ := kind.Table()
	for _, e := range key {
		if e.Key == "_id" || slices.ContainsFunc(table.Keys, func(a record.Attribute) bool { return a.Name == e.Key }) {
			continue
		}
		return &UnwritableError{
			Database: s.db.Name(), Collection: table.Collection,
			Why:    fmt.Sprintf("is sharded by %s, so that two shards could hold one item each", shardKey(key)),
			Remedy: `shard it by {_id: "hashed"} (sh.reshardCollection, MongoDB 5.0 and later)`,
		}
	}
	return nil
}

// badShardKey is the error of a collection that is sharded so that the field cannot be unique. The key may be unknown.
func (s *Store) badShardKey(kind record.Kind, key bson.D, field string) error {
	by := "by a key that may not be read here"
	if key != nil {
		by = "by " + shardKey(key)
	}
	e := &UnwritableError{
		Database: s.db.Name(), Collection: collectionName(kind),
		Why:    fmt.Sprintf("is sharded %s, so that the server can make no unique index on %s", by, field),
		Remedy: "shard it by {user_id: 1} (sh.reshardCollection, MongoDB 5.0 and later)",
	}
	if len(uniqueFields(kind)) > 1 {
		e.Remedy = "keep it on one shard (sh.unshardCollection, MongoDB 8.0 and later)"
	}
	return e
}

// shardKey returns a shard key for people: "{region: 1}".
func shardKey(key bson.D) string {
	text := "{"
	for i, e := range key {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s: %v", e.Key, e.Value)
	}
	return text + "}"
}
