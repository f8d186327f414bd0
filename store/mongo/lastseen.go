package mongo

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// lastSeen are the documents of the times at which users were last seen: {user_id, timestamp, updated_at}.
var lastSeen = newLastSeen()

type lastSeenSchema struct{ *timeSchema }

func newLastSeen() lastSeenSchema {
	s := newTimeSchema(record.LastSeen)
	s.updated = true
	return lastSeenSchema{s}
}

// outlined returns nothing: no monitoring date is kept here.
func (lastSeenSchema) outlined(record.UserID, bson.Raw) record.Held { return record.Held{Found: true} }
