// Package demo changes the database of lanyardctl's demo as somebody else would: as a MongoDB client. Each change is
// shown as it is typed into a client's shell. It also starts the Redis of the demo's way back.
package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/store/embedded"
)

// Two users of the bundled dump: the one whose last-seen time is deleted, and the one whose location is changed.
const (
	Deleted = "90000000000015839"
	Changed = "110000000000023758"
)

// Client is somebody with a MongoDB client.
type Client struct {
	Folder   string // of the embedded database
	Database string

	// Typed is told of each statement.
	Typed func(statement string)
}

// as calls f with the database. Its errors are those of [embedded.Start], or tell what could not be done.
func (c Client) as(ctx context.Context, f func(ctx context.Context, db *mongo.Database) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	server, err := embedded.Start(ctx, embedded.Options{Dir: c.Folder})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	client, err := mongo.Connect(options.Client().ApplyURI(server.URI()))
	if err != nil {
		return fmt.Errorf("connect to the demo's database: %w", err)
	}
	defer func() { err = errors.Join(err, client.Disconnect(context.WithoutCancel(ctx))) }()
	return f(ctx, client.Database(c.Database))
}

// hidden are documents of users whom the bundled dump does not know, as forks of Lanyard left them: a date of 2022
// behind one of 2026, one as text, one whose user id is a number, and one from before there was a Discord.
var hidden = []struct{ collection, document string }{
	{"monitoring", `{"user_id": "94490510688792576", "since": 1775185650}`},
	{"users", `{"user_id": "94490510688792576", "since": 1664641326}`},
	{"monitoring", `{"user_id": "94490510688792577", "since": "2022-10-01T16:22:06Z"}`},
	{"monitoring", `{"user_id": {"$numberLong": "94490510688792578"}, "since": 1700000000}`},
	{"monitoring", `{"user_id": "94490510688792579", "since": 1775185650}`},
	{"kv", `{"user_id": "94490510688792579", "kv": {"monitoring_since": "1230768000"}}`},
}

// Hide inserts documents with dates that Lanyard does not find.
func (c Client) Hide(ctx context.Context) error {
	return c.as(ctx, func(ctx context.Context, db *mongo.Database) error {
		for _, h := range hidden {
			c.Typed("db." + h.collection + ".insertOne(" + h.document + ")")
			var doc bson.D
			if err := bson.UnmarshalExtJSON([]byte(h.document), false, &doc); err != nil {
				return fmt.Errorf("read a document of the demo: %w", err)
			}
			if _, err := db.Collection(h.collection).InsertOne(ctx, doc); err != nil {
				return fmt.Errorf("insert a document of the demo: %w", err)
			}
		}
		return nil
	})
}

// Tamper deletes a document and changes another.
func (c Client) Tamper(ctx context.Context) error {
	return c.as(ctx, func(ctx context.Context, db *mongo.Database) error {
		c.Typed(fmt.Sprintf(`db.last_seen.deleteOne({user_id: "%s"})`, Deleted))
		deleted, err := db.Collection("last_seen").DeleteOne(ctx, bson.D{{Key: "user_id", Value: Deleted}})
		if err != nil {
			return fmt.Errorf("delete a document of the demo: %w", err)
		}
		c.Typed(fmt.Sprintf(`db.kv.updateOne({user_id: "%s"}, {$set: {"kv.location": "Atlantis"}})`, Changed))
		changed, err := db.Collection("kv").UpdateOne(ctx, bson.D{{Key: "user_id", Value: Changed}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "kv.location", Value: "Atlantis"}}}})
		if err != nil {
			return fmt.Errorf("change a document of the demo: %w", err)
		}
		if deleted.DeletedCount != 1 || changed.ModifiedCount != 1 {
			return fmt.Errorf("the demo's database holds %d and %d of the two documents that were to be changed", deleted.DeletedCount, changed.ModifiedCount)
		}
		return nil
	})
}
