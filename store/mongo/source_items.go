package mongo

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// itemOrigin is where items come from.
type itemOrigin struct {
	user   record.UserID
	key    string // of [record.Origin]: "COLLECTION/USER" or "COLLECTION/NAME"
	now    time.Time
	shared map[string]bool // API keys that several users have
}

func (s *Source) origin(kind record.Kind, user record.UserID, id string) itemOrigin {
	return itemOrigin{user: user, key: collectionName(kind) + "/" + id, now: s.now, shared: s.shared}
}

// of returns where a value came from.
func (o itemOrigin) of(v any) record.Origin {
	if text, ok := record.Storable(v).(string); ok {
		return record.Origin{Key: o.key, Raw: text}
	}
	return record.Origin{Key: o.key, Raw: string(record.JSON(v))}
}

// reject returns the reject of a value.
func (o itemOrigin) reject(kind record.Kind, v any, reason record.Reason, detail string) record.Reject {
	return record.Reject{Key: o.key, Kind: kind, User: o.user, Reason: reason, Detail: detail, Value: record.Raw(o.of(v).Raw)}
}

// appendItems appends the items of a document, and reports whether it is some user's, or a name's. One whose user has others is left to
// [Source.Deferred].
func (s *Source) appendItems(items []record.Item, c *sourceCollection, doc bson.Raw) (more []record.Item, known bool) {
	if c.kind.Named() {
		name, known := nameOf(doc)
		return schemaOf(c.kind).appendItems(items, s.origin(c.kind, 0, name.String()), doc), known
	}
	text, _ := lookup(doc, "user_id").StringValueOK()
	user, ok := record.ParseUserID(text)
	switch {
	case !ok:
		return s.appendNobodys(items, c, doc)
	case c.repeated[user]:
		return items, true
	}
	return schemaOf(c.kind).appendItems(items, s.origin(c.kind, user, text), doc), true
}

// appendNobodys appends rejects of all that a document holds which the app takes for no user's.
func (s *Source) appendNobodys(items []record.Item, c *sourceCollection, doc bson.Raw) (more []record.Item, known bool) {
	user, name, numeric := owner(doc)
	detail := "the document's user_id is no user id"
	switch {
	case numeric:
		detail = "the document's user_id is a number, so that the app does not see it; lanyardctl sweep --dedupe makes it text"
	case name == "" && lookup(doc, "user_id").Type == 0:
		detail = "the document has no user_id"
		name = "_id " + string(record.JSON(value(lookup(doc, "_id"))))
	}
	for _, it := range schemaOf(c.kind).appendItems(nil, s.origin(c.kind, 0, name), doc) {
		for i := range it.Rejects {
			it.Rejects[i].Reason, it.Rejects[i].Detail = record.InvalidUserID, detail
		}
		if it.Record != nil {
			it.Rejects = append(it.Rejects, it.Record.Rejects(record.InvalidUserID, detail)...)
		}
		items = append(items, record.Item{Kind: it.Kind, Rejects: it.Rejects})
	}
	return items, user != 0
}
