package mongo

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// monitoring are the documents of the dates since which users are monitored: {user_id, since}. Those of some forks have
// another name for the date, and those of [record.UsersCollection] either.
var monitoring = newMonitoring()

type monitoringSchema struct{ *timeSchema }

func newMonitoring() monitoringSchema {
	s := newTimeSchema(record.MonitoringSince)
	s.outline = s.content
	return monitoringSchema{s}
}

func (s monitoringSchema) outlined(user record.UserID, doc bson.Raw) record.Held {
	return s.held(user, doc)
}
