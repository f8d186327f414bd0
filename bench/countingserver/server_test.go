package countingserver_test

import (
	"context"
	"fmt"
	"net"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/bench/countingserver"
)

// connect starts a server and returns a collection of it.
func connect(t *testing.T) *mongo.Collection {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go new(countingserver.Server).Serve(listener, func(err error) { t.Error(err) })
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + listener.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	return client.Database("db").Collection("c")
}

// fill inserts documents with the _ids "0", "1" and so on, and user_ids "u0", "u1" and so on.
func fill(t *testing.T, c *mongo.Collection, count int) {
	t.Helper()
	var documents []any
	for i := range count {
		documents = append(documents, bson.D{
			{Key: "_id", Value: fmt.Sprint(i)}, {Key: "user_id", Value: fmt.Sprint("u", i)}, {Key: "n", Value: i},
			{Key: "kv", Value: bson.D{{Key: "a", Value: 1}, {Key: "b", Value: 2}}},
		})
	}
	if _, err := c.InsertMany(t.Context(), documents, options.InsertMany().SetOrdered(false)); err != nil {
		t.Fatal(err)
	}
}

// ids finds documents and returns their _ids, as they come.
func ids(t *testing.T, c *mongo.Collection, filter any, opts ...options.Lister[options.FindOptions]) []string {
	t.Helper()
	cursor, err := c.Find(t.Context(), filter, opts...)
	if err != nil {
		t.Fatal(err)
	}
	var found []struct {
		ID string `bson:"_id"`
	}
	if err := cursor.All(t.Context(), &found); err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, f := range found {
		list = append(list, f.ID)
	}
	return list
}

func TestACursorOfSeveralRepliesGivesEachDocumentOnceInOrder(t *testing.T) {
	t.Parallel()
	c := connect(t)
	const count = 500
	fill(t, c, count)
	for _, size := range []int32{70, count - 1, count, count + 1} {
		list := ids(t, c, bson.D{}, options.Find().SetBatchSize(size))
		if len(list) != count {
			t.Fatalf("batches of %d: %d documents", size, len(list))
		}
		for i, id := range list {
			if id != fmt.Sprint(i) {
				t.Fatalf("batches of %d: document %d is %s", size, i, id)
			}
		}
	}
}

func TestAReplyStaysBelowWhatAClientTakes(t *testing.T) {
	t.Parallel()
	c := connect(t)
	large := make([]byte, 6<<20)
	for i := range 3 {
		if _, err := c.InsertOne(t.Context(), bson.D{{Key: "_id", Value: fmt.Sprint(i)}, {Key: "large", Value: large}}); err != nil {
			t.Fatal(err)
		}
	}
	if list := ids(t, c, bson.D{}); len(list) != 3 {
		t.Errorf("%v", list)
	}
}

// TestBoundsOfAnIndex has _ids of several types, which only bounds of an index put in one order: operators compare with
// one type alone.
func TestBoundsOfAnIndex(t *testing.T) {
	t.Parallel()
	c := connect(t)
	values := []any{int32(7), 7.5, int64(8), "10", "11", "2", bson.D{{Key: "a", Value: 1}}, bson.ObjectID{1}, bson.ObjectID{2}, true}
	for i := range values {
		if _, err := c.InsertOne(t.Context(), bson.D{{Key: "_id", Value: values[(i+4)%len(values)]}}); err != nil {
			t.Fatal(err)
		}
	}
	byID := bson.D{{Key: "_id", Value: 1}}
	bound := func(v any) bson.D { return bson.D{{Key: "_id", Value: v}} }
	for name, test := range map[string]struct {
		opts     *options.FindOptionsBuilder
		from, to int // of the values
	}{
		"all":               {options.Find(), 0, 10},
		"a text at the end": {options.Find().SetMax(bound("11")), 0, 4},
		"texts alone":       {options.Find().SetMin(bound("")).SetMax(bound(bson.D{})), 3, 6},
		"what is no text":   {options.Find().SetMin(bound("2")), 5, 10},
		"numbers":           {options.Find().SetMin(bound(7.2)).SetMax(bound("")), 1, 3},
		"a flag":            {options.Find().SetMin(bound(bson.ObjectID{2})).SetMax(bound(bson.MaxKey{})), 8, 10},
	} {
		cursor, err := c.Find(t.Context(), bson.D{}, test.opts.SetHint(byID).SetSort(byID))
		if err != nil {
			t.Fatal(err)
		}
		var found []bson.D
		if err := cursor.All(t.Context(), &found); err != nil {
			t.Fatal(err)
		}
		var want []bson.D
		for _, v := range values[test.from:test.to] {
			want = append(want, bound(v))
		}
		if fmt.Sprint(found) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", name, found, want)
		}
	}
	// What is written later is in the order, too.
	for _, change := range []struct{ insert, remove, first any }{{int32(1), nil, int32(1)}, {nil, int32(1), int32(7)}} {
		var err error
		if change.insert != nil {
			_, err = c.InsertOne(t.Context(), bound(change.insert))
		} else {
			_, err = c.DeleteOne(t.Context(), bound(change.remove))
		}
		if err != nil {
			t.Fatal(err)
		}
		first, err := c.Find(t.Context(), bson.D{}, options.Find().SetHint(byID).SetSort(byID))
		if err != nil || !first.Next(t.Context()) || first.Current.Lookup("_id").AsInt64() != int64(change.first.(int32)) {
			t.Errorf("%v comes first: %v", first.Current, err)
		}
	}
	if _, err := c.Find(t.Context(), bson.D{}, options.Find().SetMin(bound("2"))); err == nil {
		t.Error("bounds are taken without the hint that MongoDB asks for")
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	c := connect(t)
	fill(t, c, 10)
	for _, test := range []struct {
		filter string
		want   string
	}{
		{`{"_id": {"$in": ["3", "1", "x", "1"]}}`, "[1 3]"},
		{`{"user_id": {"$in": ["u3", "u5"]}}`, "[3 5]"},
		{`{"$or": [{"user_id": {"$in": ["u3"]}}, {"_id": {"$in": ["3", "4"]}}]}`, "[3 4]"},
		{`{"user_id": "u2"}`, "[2]"},
		{`{"user_id": "u2", "n": 3}`, "[]"},
		{`{"_id": {"$gte": "3", "$lt": "5"}}`, "[3 4]"},
		{`{"user_id": {"$type": "number"}}`, "[]"},
		{`{"n": {"$gt": 7}, "user_id": {"$type": "string"}}`, "[8 9]"},
		{`{"kv.a": {"$exists": false}}`, "[]"},
		{`{"_id": {"$in": ["3", "4"]}, "user_id": {"$ne": "u3"}}`, "[4]"},
		{`{"$expr": {"$eq": [{"$cmp": ["$kv", {"$literal": {"a": 1, "b": 2}}]}, 0]}, "_id": "3"}`, "[3]"},
		{`{"$expr": {"$eq": [{"$cmp": ["$kv", {"$literal": {"a": 1, "b": 3}}]}, 0]}, "_id": "3"}`, "[]"},
		{`{"$expr": {"$eq": [{"$cmp": ["$$ROOT", {"$literal": {"_id": "3"}}]}, 0]}, "_id": "3"}`, "[]"},
		{`{"$expr": {"$eq": [{"$bsonSize": "$kv"}, 19]}, "_id": "3"}`, "[3]"},
		{`{"$expr": {"$eq": [{"$bsonSize": "$kv"}, 20]}, "_id": "3"}`, "[]"},
	} {
		var filter bson.D
		if err := bson.UnmarshalExtJSON([]byte(test.filter), false, &filter); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(ids(t, c, filter)); got != test.want {
			t.Errorf("%s: %s", test.filter, got)
		}
		if n, err := c.CountDocuments(t.Context(), filter); err != nil || fmt.Sprint(n) != fmt.Sprint(len(ids(t, c, filter))) {
			t.Errorf("%s: counted %d, %v", test.filter, n, err)
		}
	}
	if got := fmt.Sprint(ids(t, c, bson.D{}, options.Find().SetSort(bson.D{{Key: "_id", Value: -1}}).SetLimit(2))); got != "[9 8]" {
		t.Errorf("sorted: %s", got)
	}
	if n, err := c.EstimatedDocumentCount(t.Context()); err != nil || n != 10 {
		t.Errorf("%d documents, %v", n, err)
	}
}

func TestProjections(t *testing.T) {
	t.Parallel()
	c := connect(t)
	fill(t, c, 1)
	for _, test := range []struct{ projection, want string }{
		{`{"_id": 0, "user_id": 1}`, `{"user_id":"u0"}`},
		{`{"_id": 1}`, `{"_id":"0"}`},
		{`{"kv.a": 1}`, `{"_id":"0","kv":{"a":1}}`},
		{`{"kv": 0}`, `{"_id":"0","user_id":"u0","n":0}`},
	} {
		var projection, found bson.D
		if err := bson.UnmarshalExtJSON([]byte(test.projection), false, &projection); err != nil {
			t.Fatal(err)
		}
		if err := c.FindOne(t.Context(), bson.D{}, options.FindOne().SetProjection(projection)).Decode(&found); err != nil {
			t.Fatal(err)
		}
		if got, err := bson.MarshalExtJSON(found, false, false); err != nil || string(got) != test.want {
			t.Errorf("%s: %s, %v", test.projection, got, err)
		}
	}
}

func TestAUniqueIndexRefusesASecondDocument(t *testing.T) {
	t.Parallel()
	c := connect(t)
	fill(t, c, 3)
	unique := mongo.IndexModel{Keys: bson.D{{Key: "user_id", Value: 1}}, Options: options.Index().SetUnique(true)}
	if _, err := c.Indexes().CreateOne(t.Context(), unique); err != nil {
		t.Fatal(err)
	}
	_, err := c.InsertMany(t.Context(), []any{
		bson.D{{Key: "_id", Value: "1"}}, bson.D{{Key: "_id", Value: "7"}, {Key: "user_id", Value: "u2"}}, bson.D{{Key: "_id", Value: "8"}},
	}, options.InsertMany().SetOrdered(false))
	failed, ok := err.(mongo.BulkWriteException)
	if !ok || len(failed.WriteErrors) != 2 || failed.WriteErrors[0].Code != 11000 || failed.WriteErrors[1].Index != 1 {
		t.Errorf("%v", err)
	}
	if got := fmt.Sprint(ids(t, c, bson.D{})); got != "[0 1 2 8]" {
		t.Errorf("%s", got)
	}

	c = c.Database().Collection("other")
	for _, id := range []string{"1", "2"} {
		if _, err := c.InsertOne(t.Context(), bson.D{{Key: "_id", Value: id}, {Key: "user_id", Value: "same"}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Indexes().CreateOne(t.Context(), unique); !mongo.IsDuplicateKeyError(err) {
		t.Errorf("an index over two documents of one user: %v", err)
	}
}

func TestUpdatesAndDeletions(t *testing.T) {
	t.Parallel()
	c := connect(t)
	ctx := t.Context()
	fill(t, c, 3)
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "user_id", Value: "new"}}}, {Key: "$unset", Value: bson.D{{Key: "kv", Value: ""}}}}
	if r, err := c.UpdateOne(ctx, bson.D{{Key: "user_id", Value: "u1"}}, set); err != nil || r.ModifiedCount != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	upsert := bson.D{{Key: "$set", Value: bson.D{{Key: "n", Value: 7}}}}
	for i := range 2 {
		r, err := c.UpdateOne(ctx, bson.D{{Key: "user_id", Value: "u9"}}, upsert, options.UpdateOne().SetUpsert(true))
		if err != nil || r.UpsertedCount != int64(1-i) {
			t.Errorf("upsert %d: %+v, %v", i, r, err)
		}
	}
	if r, err := c.ReplaceOne(ctx, bson.D{{Key: "_id", Value: "lease"}}, bson.D{{Key: "run", Value: "r"}}, options.Replace().SetUpsert(true)); err != nil || r.UpsertedID != "lease" {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := c.DeleteOne(ctx, bson.D{{Key: "_id", Value: "0"}}); err != nil || r.DeletedCount != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	for filter, want := range map[string]int{"u1": 0, "new": 1, "u9": 1, "u0": 0, "u2": 1} {
		if n, err := c.CountDocuments(ctx, bson.D{{Key: "user_id", Value: filter}}); err != nil || int(n) != want {
			t.Errorf("%d documents of %s, %v", n, filter, err)
		}
	}
	if n, err := c.EstimatedDocumentCount(ctx); err != nil || n != 4 {
		t.Errorf("%d documents, %v", n, err)
	}
	if err := c.Database().Drop(ctx); err != nil {
		t.Fatal(err)
	}
	if names, err := c.Database().ListCollectionNames(ctx, bson.D{}); err != nil || len(names) != 0 {
		t.Errorf("%v, %v", names, err)
	}
}

func TestWhatItDoesNotKnowIsAnError(t *testing.T) {
	t.Parallel()
	c := connect(t)
	fill(t, c, 1)
	if _, err := c.Find(t.Context(), bson.D{{Key: "n", Value: bson.D{{Key: "$mod", Value: bson.A{2, 0}}}}}); err == nil {
		t.Error("an operator that it does not know")
	}
	if err := c.Distinct(t.Context(), "n", bson.D{}).Err(); err == nil {
		t.Error("a command that it does not know")
	}
}
