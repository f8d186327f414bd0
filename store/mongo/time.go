package mongo

import (
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// timeSchema is that of documents which hold one time of a user, perhaps in several fields.
type timeSchema struct {
	traits
	updated bool // documents tell in updated_at when the time was written
}

// field returns the name of the field that the app reads and lanyardctl writes.
func (s *timeSchema) field() string { return record.TimeField(s.kind) }

func (s *timeSchema) appendContent(doc []byte, r record.Record, now time.Time) []byte {
	doc = bsoncore.AppendInt64Element(doc, s.field(), r.Time)
	if s.updated {
		doc = bsoncore.AppendDateTimeElement(doc, "updated_at", now.UnixMilli())
	}
	return doc
}

func (s *timeSchema) held(user record.UserID, doc bson.Raw) record.Held {
	h := record.Held{Found: doc != nil, Times: make(map[string]any)}
	for _, name := range s.content {
		if v := lookup(doc, name); v.Type != 0 {
			h.Times[name] = moment(v)
		}
	}
	h.Unmodified = record.UnmodifiedTime(s.kind, user, h.Times, markOf(doc))
	return h
}

func (s *timeSchema) appendItems(items []record.Item, from itemOrigin, documents ...bson.Raw) []record.Item {
	times := record.NewTimeItem(s.kind, from.user, from.now)
	for _, doc := range documents {
		for _, name := range s.content {
			if v := lookup(doc, name); v.Type != 0 && v.Type != bson.TypeNull {
				m := moment(v)
				times.Add(m, from.of(m))
			}
		}
	}
	it := times.Item()
	if it.Record == nil && len(it.Rejects) == 0 {
		it.Rejects = []record.Reject{from.reject(s.kind, nil, record.NotATimestamp, "the document holds no time")}
	}
	return append(items, it)
}

func (s *timeSchema) outlined(user record.UserID, doc bson.Raw) record.Held {
	if s.outline == nil {
		return record.Held{Found: true}
	}
	return s.held(user, doc)
}

func (s *timeSchema) patch(doc bson.Raw, d record.Decision, _ record.Limits, now time.Time) patch {
	p := patch{set: make(bson.D, 0, 3), guard: make(bson.D, 0, len(s.content))}
	p.set = append(p.set, bson.E{Key: s.field(), Value: d.Time})
	if s.updated {
		p.set = append(p.set, bson.E{Key: "updated_at", Value: bson.NewDateTimeFromTime(now)})
	}
	for _, name := range s.content {
		p.guard = append(p.guard, stillIs(doc, name))
	}
	return p
}

func (s *timeSchema) restore(r *record.Record, held record.Held, now time.Time) error {
	m, reason, detail := record.Timestamp(s.kind, held.Times[s.field()], record.TimeBounds(s.kind, r.User, now))
	if reason != "" {
		return fmt.Errorf("read the time of user %s in %s: %s", r.User, collectionName(s.kind), detail)
	}
	r.Time = m.Time
	return nil
}

func (s *timeSchema) join(f *fields, _ []record.Document, d record.Decision) {
	if d.Write {
		f.setInteger(s.field(), d.Time)
	}
}
