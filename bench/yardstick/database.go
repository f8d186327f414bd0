package yardstick

import (
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func with(ctx context.Context, uri string, do func(*mongo.Client) error) error {
	client, err := mongo.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		return err
	}
	defer client.Disconnect(context.WithoutCancel(ctx))
	return do(client)
}

// Version returns the version of a server.
func Version(ctx context.Context, uri string) (version string, err error) {
	err = with(ctx, uri, func(client *mongo.Client) error {
		info, err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Raw()
		if err != nil {
			return fmt.Errorf("ask for its version: %w", err)
		}
		version, _ = info.Lookup("version").StringValueOK()
		return nil
	})
	return version, err
}

// Count returns how many documents a database holds, in all collections.
func Count(ctx context.Context, uri, database string) (count int64, err error) {
	err = with(ctx, uri, func(client *mongo.Client) error {
		db := client.Database(database)
		names, err := db.ListCollectionNames(ctx, bson.D{})
		if err != nil {
			return fmt.Errorf("list the collections of %s: %w", database, err)
		}
		for _, name := range names {
			n, err := db.Collection(name).EstimatedDocumentCount(ctx)
			if err != nil {
				return fmt.Errorf("count %s.%s: %w", database, name, err)
			}
			count += n
		}
		return nil
	})
	return count, err
}

// Drop drops a database.
func Drop(ctx context.Context, uri, database string) error {
	return with(ctx, uri, func(client *mongo.Client) error { return client.Database(database).Drop(ctx) })
}
