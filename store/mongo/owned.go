package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
)

// What is written here is no bulk write, and so does not wait for those that are under way on any server: an owner has to
// show in time that it lives.

// replaceOrInsert writes a document that names its owner's run, where nobody has one under the id or where the given
// owner has it, and reports whether it did.
func (s *Store) replaceOrInsert(ctx context.Context, collection, id string, from record.Owner, doc any) (bool, error) {
	replaced, err := s.replaceOwned(ctx, collection, id, from, doc)
	if replaced || err != nil {
		return replaced, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.commandTimeout)
	defer cancel()
	_, err = s.db.Collection(collection).InsertOne(ctx, doc)
	if mongo.IsDuplicateKeyError(err) {
		return false, nil
	}
	return err == nil, err
}

// replaceOwned writes a document over the one under the id where the owner has it, and reports whether that is so.
func (s *Store) replaceOwned(ctx context.Context, collection, id string, owner record.Owner, doc any) (bool, error) {
	return s.replaceOne(ctx, collection, ownedBy(id, owner), doc, options.Replace())
}

// ownedBy finds the document under the id where the owner has it.
func ownedBy(id string, owner record.Owner) bson.D {
	return bson.D{{Key: "_id", Value: id}, {Key: "run", Value: owner.Run}}
}

// save writes a document over the one under the id, if any.
func (s *Store) save(ctx context.Context, collection, id string, doc any) error {
	_, err := s.replaceOne(ctx, collection, bson.D{{Key: "_id", Value: id}}, doc, options.Replace().SetUpsert(true))
	return err
}
