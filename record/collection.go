package record

// Collection is one of the collections in which Lanyard and its forks keep something, or that of a [Table].
type Collection uint8

// The collections. All but that of the counters hold documents of users.
const (
	MonitoringCollection Collection = iota
	UsersCollection                 // of some forks; the app only reads it
	KVCollection
	LastSeenCollection
	APIKeysCollection
	MetricsCollection
	firstTableCollection // that of [Remember]; those of the other tables follow
)

// UserCollections are the collections that hold documents of users, in the order in which a sweep reads them.
var UserCollections = []Collection{MonitoringCollection, UsersCollection, KVCollection, LastSeenCollection, APIKeysCollection}

var collectionNames = [...]string{"monitoring", "users", "kv", "last_seen", "api_keys", "metrics"}

// tableCollection returns the collection of a table's kind.
func tableCollection(kind Kind) Collection { return firstTableCollection + Collection(kind-Remember) }

// String returns the collection's name in the database.
func (c Collection) String() string {
	if c < firstTableCollection {
		return collectionNames[c]
	}
	table, _ := (Remember + Kind(c-firstTableCollection)).Table()
	return table.Collection
}

// MarshalText returns [Collection.String].
func (c Collection) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// ParseCollection returns the collection of Lanyard's with the name.
func ParseCollection(name string) (Collection, bool) {
	for c, known := range collectionNames {
		if name == known {
			return Collection(c), true
		}
	}
	return 0, false
}

// Form returns the kind in whose form the collection's documents are: its own, and for [UsersCollection] that of the
// monitoring dates.
func (c Collection) Form() Kind {
	if kind, ok := c.Kind(); ok {
		return kind
	}
	return MonitoringSince
}

// Kind returns the kind that the collection keeps; it reports false for [UsersCollection], which keeps none.
func (c Collection) Kind() (Kind, bool) {
	if c >= firstTableCollection {
		return Remember + Kind(c-firstTableCollection), true
	}
	for _, k := range LanyardKinds.List() {
		if CollectionOf(k) == c {
			return k, true
		}
	}
	return 0, false
}
