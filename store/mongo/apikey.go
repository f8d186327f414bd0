package mongo

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"

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

// appendItems makes each API key an item of its own. None of several goes on: which one the app finds is chance.
func (*apiKeySchema) appendItems(items []record.Item, from itemOrigin, documents ...bson.Raw) []record.Item {
	const kind = record.APIKeys
	var keys []string
	for _, doc := range documents {
		stands := lookup(doc, "key")
		key, ok := stands.StringValueOK()
		switch {
		case !ok && (stands.Type == 0 || stands.Type == bson.TypeNull):
			items = append(items, rejected(from.reject(kind, nil, record.WrongType, "the document holds no key")))
		case !ok:
			items = append(items, rejected(from.reject(kind, value(stands), record.WrongType, "the key is no text")))
		case key == "":
			items = append(items, rejected(from.reject(kind, key, record.WrongType, "the key is empty")))
		case !utf8.ValidString(key):
			items = append(items, rejected(from.reject(kind, key, record.InvalidUTF8, "the API key is not valid UTF-8")))
		case !slices.Contains(keys, key):
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		it := record.Item{Kind: kind}
		switch {
		case len(keys) > 1:
			it = rejected(from.reject(kind, key, record.AmbiguousAPIKey, "the user has several documents with different keys, each of which authenticates"))
			it.APIKey = key
		case from.shared[key]:
			it = rejected(from.reject(kind, key, record.ConflictReason, "documents of several users hold the key"))
			it.APIKey = key
		default:
			it.Record = &record.Record{Kind: kind, User: from.user, APIKey: key, Origin: from.of(key)}
		}
		items = append(items, it)
	}
	return items
}

func rejected(r record.Reject) record.Item {
	return record.Item{Kind: r.Kind, Rejects: []record.Reject{r}}
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
