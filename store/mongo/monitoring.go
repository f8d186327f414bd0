package mongo

import "github.com/lanyardctl/lanyardctl/record"

// monitoring are the documents of the dates since which users are monitored: {user_id, since}. Some forks have another
// name for the date, here and in [record.UsersCollection].
var monitoring = &timeSchema{traits: traits{
	kind:    record.MonitoringSince,
	content: record.TimeFields(record.MonitoringSince), outline: record.TimeFields(record.MonitoringSince),
}}
