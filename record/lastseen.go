package record

// lastSeenRules are those of the times at which users were last seen, in Unix milliseconds: the later one wins.
var lastSeenRules = &timeKind{
	traits: traits{name: "last_seen", collection: LastSeenCollection, shape: TimeShape, ordered: true, frame: bsonDates},
	fields: []string{"timestamp"},
}
