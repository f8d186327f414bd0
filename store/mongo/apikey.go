package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// apiKeys are the documents of API keys: {user_id, key, created_at}.
var apiKeys = &apiKeySchema{traits{kind: record.APIKeys, content: []string{"key"}, outline: []string{"key"}, secret: "key"}}

type apiKeySchema struct{ traits }

func (*apiKeySchema) appendContent(doc []byte, r record.Record, now time.Time) []byte {
	doc = bsoncore.AppendStringElement(doc, "key", r.APIKey)
	return bsoncore.AppendDateTimeElement(doc, "created_at", now.UnixMilli())
}

func (*apiKeySchema) held(user record.UserID, doc bson.Raw) record.Held {
	h := record.Held{Found: doc != nil}
	key := lookup(doc, "key")
	var ok bool
	if h.APIKey, ok = key.StringValueOK(); !ok && key.Type != 0 && key.Type != bson.TypeNull {
		h.Malformed = value(key)
	}
	h.Unmodified = record.Unmodified(record.Record{Kind: record.APIKeys, User: user, APIKey: h.APIKey}, markOf(doc))
	return h
}

func (s *apiKeySchema) outlined(user record.UserID, doc bson.Raw) record.Held {
	return s.held(user, doc)
}

func (*apiKeySchema) patch(doc bson.Raw, d record.Decision, _ record.Limits, now time.Time) patch {
	set := make(bson.D, 0, 3) // and the mark
	set = append(set, bson.E{Key: "key", Value: d.APIKey}, bson.E{Key: "created_at", Value: bson.NewDateTimeFromTime(now)})
	return patch{set: set, guard: bson.D{stillIs(doc, "key")}}
}

func (*apiKeySchema) restore(r *record.Record, held record.Held, _ time.Time) error {
	r.APIKey, r.Origin.Raw = held.APIKey, held.APIKey
	return nil
}

func (*apiKeySchema) join(f *fields, _ []record.Document, d record.Decision) {
	if key, _ := f.value("key").StringValueOK(); d.APIKey != "" && d.APIKey != key {
		f.setText("key", d.APIKey)
		f.remove(record.WrittenField)
	}
}

// takeKeys deletes the documents of other users that hold a record's API key, where the policy gives it to the record.
// Where such a document changed in between, it stays, and the record has to be decided anew.
func (w *writing) takeKeys(ctx context.Context, changes []decided) (ready []decided, again []int, err error) {
	for _, c := range changes {
		if c.decision.RevokeOther {
			filter := append(w.identity(collectionName(w.kind), c.found.holder), bson.E{Key: "key", Value: c.decision.APIKey})
			deleted, err := w.deleteOne(ctx, collectionName(w.kind), filter)
			if err != nil {
				return nil, nil, w.wrap("take an API key from another user in "+collectionName(w.kind), err)
			}
			if !deleted {
				again = append(again, c.index)
				continue
			}
		}
		ready = append(ready, c)
	}
	return ready, again, nil
}
