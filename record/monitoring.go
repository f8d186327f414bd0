package record

// monitoringRules are those of the dates since which users are monitored, in Unix seconds: the earliest one wins, and
// nobody was monitored before their account existed.
var monitoringRules = &timeKind{
	traits: traits{
		name: "monitoring_since", collection: MonitoringCollection, shape: TimeShape, ordered: true, frame: bsonDates,
	},
	fields:   []string{"since", OlderTimeField},
	seconds:  true,
	earliest: true,
	ofLife:   true,
}

// OlderTimeField is the name under which some forks keep the monitoring date, in their documents and among a user's
// key-value pairs.
const OlderTimeField = "monitoring_since"

// PlacesIn returns the places of monitoring dates in a collection, by the name of the field in [Held.Times], in the order
// in which the app looks at them. The caller must not change them.
func PlacesIn(c Collection) []FieldPlace { return placesIn[c] }

var placesIn = map[Collection][]FieldPlace{
	MonitoringCollection: bothFields(MonitoringCollection),
	UsersCollection:      bothFields(UsersCollection),
	KVCollection:         {{OlderTimeField, DatePlace{Name: KVCollection.String() + ".kv." + OlderTimeField, UserWritable: true}}},
}

func bothFields(c Collection) []FieldPlace {
	var list []FieldPlace
	for _, field := range monitoringRules.fields {
		list = append(list, FieldPlace{field, DatePlace{Name: c.String() + "." + field}})
	}
	return list
}
