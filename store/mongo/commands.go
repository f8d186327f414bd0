package mongo

import (
	"context"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
)

// Every command that compares text is made here: it compares bytes (but for [Store.findInOrder]), and its time is bounded.

// simple is the locale of the collation that compares bytes.
const simple = "simple"

// collation is what the server says of how a collection or an index compares text.
type collation struct {
	Locale   string `bson:"locale"` // empty or "simple" for bytes
	Strength int32  `bson:"strength"`
}

func (c collation) comparesBytes() bool { return c.Locale == "" || c.Locale == simple }

// bytewise returns the collation that compares text byte by byte, whatever the collection's own does. Without it, a guard
// would take "Ab" for "ab" where the collection ignores case, and overwrite what somebody has written in between.
func (s *Store) bytewise() *options.Collation { return s.dialect.bytewise() }

// command calls a command of the driver, for as long as one may take, so that a server that hangs is noticed. After that
// there is nothing left of the time in which it is tried again.
func (s *Store) command(ctx context.Context, call func(context.Context) error) error {
	return s.commandWithin(ctx, s.commandTimeout, call)
}

func (s *Store) commandWithin(ctx context.Context, timeout time.Duration, call func(context.Context) error) error {
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	began := time.Now()
	err := s.dialect.failure(call(bounded), 0)
	// The driver's own clock may be a little faster.
	if ctx.Err() == nil && (err != nil && bounded.Err() != nil || mongo.IsTimeout(err) && time.Since(began) > timeout*9/10) {
		return fmt.Errorf("%w after %s: %w", record.ErrGivenUp, timeout, err)
	}
	return err
}

// find opens a cursor on the documents that the filter finds; all where it is nil.
func (s *Store) find(ctx context.Context, collection string, filter bson.D, opts *options.FindOptionsBuilder) (cursor *mongo.Cursor, err error) {
	return s.findInOrder(ctx, collection, filter, opts.SetCollation(s.bytewise()))
}

// findInOrder does so without a collation. That is for a find in the order of an index, which is that of the collection's own
// collation, and which the server finds only by that.
func (s *Store) findInOrder(ctx context.Context, collection string, filter bson.D, opts *options.FindOptionsBuilder) (cursor *mongo.Cursor, err error) {
	err = s.command(ctx, func(ctx context.Context) error {
		if filter == nil {
			filter = bson.D{}
		}
		cursor, err = s.db.Collection(collection).Find(ctx, filter, opts)
		return err
	})
	return cursor, err
}

func (s *Store) findOne(ctx context.Context, collection string, filter bson.D, opts *options.FindOneOptionsBuilder) (doc bson.Raw, err error) {
	err = s.command(ctx, func(ctx context.Context) error {
		doc, err = s.db.Collection(collection).FindOne(ctx, filter, opts.SetCollation(s.bytewise())).Raw()
		return err
	})
	return doc, err
}

// deleteOne reports whether a document was deleted.
func (s *Store) deleteOne(ctx context.Context, collection string, filter bson.D) (deleted bool, err error) {
	err = s.command(ctx, func(ctx context.Context) error {
		res, err := s.db.Collection(collection).DeleteOne(ctx, filter, options.DeleteOne().SetCollation(s.bytewise()))
		deleted = err == nil && res.DeletedCount == 1
		return err
	})
	return deleted, err
}

// replaceOne reports whether the filter found a document to replace.
func (s *Store) replaceOne(ctx context.Context, collection string, filter bson.D, doc any, opts *options.ReplaceOptionsBuilder) (replaced bool, err error) {
	err = s.command(ctx, func(ctx context.Context) error {
		res, err := s.db.Collection(collection).ReplaceOne(ctx, filter, doc, opts.SetCollation(s.bytewise()))
		replaced = err == nil && res.MatchedCount == 1
		return err
	})
	return replaced, err
}

func (s *Store) insertMany(ctx context.Context, collection string, documents []bson.Raw) error {
	return s.command(ctx, func(ctx context.Context) error {
		_, err := s.db.Collection(collection).InsertMany(ctx, documents, options.InsertMany().SetOrdered(false))
		return err
	})
}

// bulkWrite makes the changes in no order. The models are those of [Store.updateModel], [Store.replaceModel] and
// [Store.deleteModel], and inserts; [Store.maxUpdates] of them at the most.
func (s *Store) bulkWrite(ctx context.Context, collection string, models []mongo.WriteModel) (res *mongo.BulkWriteResult, err error) {
	defer s.dialect.lockUpdates()()
	err = s.command(ctx, func(ctx context.Context) error {
		res, err = s.db.Collection(collection).BulkWrite(ctx, models, options.BulkWrite().SetOrdered(false))
		return err
	})
	return res, s.dialect.failure(err, len(models))
}

// maxUpdates returns how many updates of a collection a command may hold.
func (s *Store) maxUpdates(ctx context.Context, collection string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, s.commandTimeout)
	defer cancel()
	return s.dialect.maxUpdates(ctx, s.db.Collection(collection))
}

func (s *Store) updateModel(filter, change bson.D) *mongo.UpdateOneModel {
	return mongo.NewUpdateOneModel().SetFilter(filter).SetUpdate(change).SetCollation(s.bytewise())
}

func (s *Store) replaceModel(filter bson.D, doc any) *mongo.ReplaceOneModel {
	return mongo.NewReplaceOneModel().SetFilter(filter).SetReplacement(doc).SetCollation(s.bytewise())
}

func (s *Store) deleteModel(filter bson.D) *mongo.DeleteOneModel {
	return mongo.NewDeleteOneModel().SetFilter(filter).SetCollation(s.bytewise())
}

// identity returns the condition that finds a document by its _id. Where the collection has a collation of its own, the
// index on _id does not serve a comparison of bytes; the one on user_id that lanyardctl makes does.
func (s *Store) identity(collection string, doc bson.Raw) bson.D {
	id := lookup(doc, "_id")
	filter := bson.D{{Key: "_id", Value: id}}
	if id.Type == bson.TypeEmbeddedDocument { // its first name may be taken for an operator
		filter[0].Value = bson.D{{Key: "$eq", Value: id}}
	}
	if user := lookup(doc, "user_id"); s.peculiar[collection].collated && user.Type == bson.TypeString {
		filter = append(filter, bson.E{Key: "user_id", Value: user})
	}
	return filter
}
