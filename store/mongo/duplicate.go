package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// mergeDuplicate makes one document of the one that lanyardctl inserted and the one that somebody else inserted for the
// same user since: ours is merged into theirs, and deleted. What loses is kept. It fails with a [*DuplicatesError]
// where the documents are not such a pair.
func (s *Sink) mergeDuplicate(ctx context.Context, kind record.Kind, field string, v bson.RawValue, keep record.KeepFunc) error {
	cursor, err := s.collection(kind).Find(ctx, bson.D{{Key: field, Value: v}})
	if err != nil {
		return s.wrap("read the duplicates in "+collectionName(kind), err)
	}
	var documents []bson.Raw
	if err := cursor.All(ctx, &documents); err != nil {
		return s.wrap("read the duplicates in "+collectionName(kind), err)
	}
	var ours, theirs bson.Raw
	for _, doc := range documents {
		if ownWork(doc) && ours == nil {
			ours = doc
		} else {
			theirs = doc
		}
	}
	if len(documents) < 2 {
		return nil // it went meanwhile
	}
	if len(documents) > 2 || ours == nil {
		return s.duplicatesError(kind, field, []bson.RawValue{v})
	}
	user, _ := record.ParseUserID(lookup(ours, "user_id").StringValue())
	r := fromDocument(kind, user, ours)
	if field == "user_id" {
		if err := s.mergeInto(ctx, r, theirs, keep); err != nil {
			return err
		}
	} else if err := keep([]record.Superseded{{
		Kind: kind, User: user, Field: field, HasField: true, Value: record.Raw(r.APIKey),
		Detail: "the same API key came to another user in the target meanwhile",
	}}); err != nil {
		return err
	}
	if _, err := s.collection(kind).DeleteOne(ctx, bson.D{{Key: "_id", Value: lookup(ours, "_id")}}); err != nil {
		return s.wrap("remove a duplicate from "+collectionName(kind), err)
	}
	return nil
}

// ownWork reports whether lanyardctl inserted the document: its _id is the user id.
func ownWork(doc bson.Raw) bool {
	id, ok := lookup(doc, "_id").StringValueOK()
	user, _ := lookup(doc, "user_id").StringValueOK()
	return ok && id == user
}

// mergeInto merges r into a document. Conflicts go to the document, since the app has used it already.
func (s *Sink) mergeInto(ctx context.Context, r record.Record, doc bson.Raw, keep record.KeepFunc) error {
	for range rounds {
		f := &found{own: doc}
		d := record.Merge(r, f.held(r), record.TimeBounds(r.Kind, r.User, s.opts.Now()), record.PreferTarget)
		if len(d.Superseded) > 0 {
			if err := keep(d.Superseded); err != nil {
				return err
			}
		}
		if !d.Write {
			return nil
		}
		w := writing{Sink: s, kind: r.Kind, batch: []record.Record{r}, outcomes: make([]record.Outcome, 1), keep: keep}
		again, err := w.updateSome(ctx, []change{{found: f, decision: d}})
		if err != nil || len(again) == 0 {
			return err
		}
		if doc, err = s.collection(r.Kind).FindOne(ctx, bson.D{{Key: "_id", Value: lookup(doc, "_id")}}).Raw(); err != nil {
			return s.wrap("read a duplicate in "+collectionName(r.Kind)+" again", err)
		}
	}
	return s.wrap("merge duplicates in "+collectionName(r.Kind), record.ErrUnavailable)
}

// fromDocument returns what a document of lanyardctl's own making holds as a record.
func fromDocument(kind record.Kind, user record.UserID, doc bson.Raw) record.Record {
	r := record.Record{Kind: kind, User: user}
	switch kind {
	case record.APIKeys:
		r.APIKey, _ = lookup(doc, "key").StringValueOK()
		r.Origin.Raw = r.APIKey
	case record.LastSeen, record.MonitoringSince:
		r.Time, _ = lookup(doc, record.TimeField(kind)).AsInt64OK()
	case record.KV:
		kv, _ := lookup(doc, "kv").DocumentOK()
		fields := object(kv)
		r.Fields = make(map[string]record.Field, len(fields))
		for name, v := range fields {
			r.Fields[name] = record.Field{Value: v, Origin: record.Origin{Raw: string(record.JSON(v))}}
		}
	}
	return r
}
