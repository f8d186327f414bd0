package yardstick

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"
)

// collections are those of Lanyard's documents.
var collections = []string{"api_keys", "kv", "last_seen", "monitoring", "metrics"}

// outlines are the fields that a sweep needs, by collection.
var outlines = map[string]bson.D{
	"api_keys":   fields("user_id", "key"),
	"kv":         fields("user_id", "kv.monitoring_since"),
	"last_seen":  fields("user_id"),
	"monitoring": fields("user_id", "since", "monitoring_since"),
}

func fields(names ...string) bson.D {
	projection := bson.D{{Key: "_id", Value: 1}}
	for _, name := range names {
		projection = append(projection, bson.E{Key: name, Value: 1})
	}
	return projection
}

// read reads all documents once, by plain cursors: whole, or the fields that are named for collections.
func read(ctx context.Context, db *mongo.Database, projections map[string]bson.D) (count int, err error) {
	for _, name := range collections {
		o := options.Find()
		if p := projections[name]; p != nil {
			o.SetProjection(p)
		}
		cursor, err := db.Collection(name).Find(ctx, bson.D{}, o)
		if err != nil {
			return 0, fmt.Errorf("read %s: %w", name, err)
		}
		for cursor.Next(ctx) {
			count++
		}
		if err := cursor.Err(); err != nil {
			return 0, fmt.Errorf("read %s: %w", name, err)
		}
	}
	return count, nil
}

// prepare returns the documents of a database by collection, in batches ready to be inserted.
func prepare(ctx context.Context, db *mongo.Database) (map[string][][]any, error) {
	const batch = 1000
	ready := make(map[string][][]any)
	for _, name := range collections {
		cursor, err := db.Collection(name).Find(ctx, bson.D{})
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		var documents []any
		for cursor.Next(ctx) {
			documents = append(documents, slices.Clone(cursor.Current))
		}
		if err := cursor.Err(); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		ready[name] = slices.Collect(slices.Chunk(documents, batch))
	}
	return ready, nil
}

// load inserts the documents: unordered, by four workers. The unique indexes are made afterwards.
func load(ctx context.Context, db *mongo.Database, ready map[string][][]any) (int, error) {
	const workers = 4
	group, inserting := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	var count atomic.Int64
	for _, name := range collections {
		for _, batch := range ready[name] {
			group.Go(func() error {
				r, err := db.Collection(name).InsertMany(inserting, batch, options.InsertMany().SetOrdered(false))
				if err != nil {
					return fmt.Errorf("load %s: %w", name, err)
				}
				count.Add(int64(len(r.InsertedIDs)))
				return nil
			})
		}
	}
	if err := group.Wait(); err != nil {
		return 0, err
	}
	for _, index := range []struct{ collection, field string }{
		{"api_keys", "user_id"}, {"api_keys", "key"}, {"kv", "user_id"}, {"last_seen", "user_id"}, {"monitoring", "user_id"},
	} {
		_, err := db.Collection(index.collection).Indexes().CreateOne(ctx, mongo.IndexModel{
			Keys: bson.D{{Key: index.field, Value: 1}}, Options: options.Index().SetUnique(true),
		})
		if err != nil {
			return 0, fmt.Errorf("index %s: %w", index.collection, err)
		}
	}
	return int(count.Load()), nil
}
