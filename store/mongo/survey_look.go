package mongo

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// look is a look at the documents of a collection of users, for what is wrong with them.
type look struct {
	collection record.Collection
	unique     []string // fields in which no value may stand twice, where no index sees to it
	exact      bool     // count the documents
	total      int64    // about how many there are; zero where nobody knows

	mu        sync.Mutex // of what follows
	documents int64      // that were counted, or looked at
	faults    map[record.FaultCode]*record.Fault
	pending   []pending // of [record.UsersCollection], for [look.settle]
}

// times returns the fields in one of which a time stands: the first that is there counts for the app.
func (l *look) times() []string {
	switch l.collection {
	case record.LastSeenCollection, record.MonitoringCollection, record.UsersCollection:
		return record.TimeFields(l.collection.Form())
	}
	return nil
}

// suspicious returns the filter that finds all documents that [look.suspect] faults, and perhaps others.
func (l *look) suspicious() bson.D {
	some := bson.A{bson.D{{Key: "user_id", Value: bson.D{{Key: "$type", Value: "number"}}}}}
	// An array is of the types of its elements, too.
	not := func(field string, types ...string) {
		other := bson.D{{Key: "$exists", Value: true}, {Key: "$not", Value: bson.D{{Key: "$type", Value: append(types, "null")}}}}
		some = append(some, bson.D{{Key: field, Value: other}}, bson.D{{Key: field, Value: bson.D{{Key: "$type", Value: "array"}}}})
	}
	for _, field := range l.times() {
		not(field, "int", "long")
		least, most := record.AppTimes(l.collection.Form())
		some = append(some, bson.D{{Key: field, Value: bson.D{{Key: "$gt", Value: most}}}}, bson.D{{Key: field, Value: bson.D{{Key: "$lt", Value: least}}}})
	}
	if l.collection == record.KVCollection {
		not("kv", "object")
	}
	return bson.D{{Key: "$or", Value: some}}
}

// projection returns the fields that a look needs.
func (l *look) projection() bson.D {
	fields := bson.D{{Key: "_id", Value: 0}, {Key: "user_id", Value: 1}}
	for _, field := range l.times() {
		fields = append(fields, bson.E{Key: field, Value: 1})
	}
	if l.collection == record.KVCollection {
		fields = append(fields, bson.E{Key: "kv", Value: 1})
	}
	for _, field := range l.unique {
		if field != "user_id" {
			fields = append(fields, bson.E{Key: field, Value: 1})
		}
	}
	return fields
}

// suspect notes what is wrong with a document.
func (l *look) suspect(doc bson.Raw) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := lookup(doc, "user_id")
	note := l.add
	if l.collection == record.UsersCollection {
		note = func(code record.FaultCode, field string, id bson.RawValue) {
			user, _, _ := owner(doc)
			l.pending = append(l.pending, pending{user, code, field, bson.RawValue{Type: id.Type, Value: slices.Clone(id.Value)}})
		}
	}
	if id.IsNumber() {
		note(record.NumericUsers, "user_id", id)
	}
	for _, field := range l.times() {
		if v := lookup(doc, field); v.Type != 0 && v.Type != bson.TypeNull {
			if !readableTime(l.collection, v) {
				note(record.UnreadableTime, field, id)
			}
			break
		}
	}
	if v := lookup(doc, "kv"); l.collection == record.KVCollection && v.Type != 0 && v.Type != bson.TypeNull && v.Type != bson.TypeEmbeddedDocument {
		note(record.UnreadablePairs, "kv", id)
	}
}

// pending is a fault of a document that matters only where the app reads the document.
type pending struct {
	user  record.UserID
	code  record.FaultCode
	field string
	id    bson.RawValue
}

// settle notes the faults of those users of whom the app reads nothing else first: it looks into [record.UsersCollection]
// only where it finds nothing in [record.MonitoringCollection].
func (l *look) settle(ctx context.Context, s *Store) error {
	for some := range slices.Chunk(l.pending, textsAtOnce) {
		users := make([]record.UserID, len(some))
		for i, p := range some {
			users[i] = p.user
		}
		monitored := make(map[string]bool)
		for doc, err := range s.documentsOf(ctx, record.MonitoringCollection.String(), users, projection(record.MonitoringSince)) {
			if err != nil {
				return err
			}
			if lookup(doc, record.TimeField(record.MonitoringSince)).Type != 0 {
				monitored[lookup(doc, "user_id").StringValue()] = true
			}
		}
		for _, p := range some {
			if !monitored[p.user.String()] {
				l.add(p.code, p.field, p.id)
			}
		}
	}
	return nil
}

// add counts a fault, and names whose it is, if that is known. The mutex is held.
func (l *look) add(code record.FaultCode, field string, id bson.RawValue) {
	f := l.faults[code]
	if f == nil {
		f = &record.Fault{Code: code, Place: l.collection.String(), Field: field}
		l.faults[code] = f
	}
	f.Count++
	if id.Type != 0 && len(f.Users) < record.MostNamed {
		f.Users = append(f.Users, idText(id))
	}
}

// idText returns what stands in place of a user id, for people.
func idText(id bson.RawValue) string {
	if text, ok := number(id).(string); ok {
		return text
	}
	return string(record.JSON(value(id)))
}

// repeated notes that a value of the field stands in several documents. User is the user_id of one of them, if it is known.
func (l *look) repeated(field string, user bson.RawValue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text, isText := user.StringValueOK()
	_, ok := record.ParseUserID(text)
	switch {
	case field != "user_id":
		l.add(record.SharedAPIKey, field, user)
	case ok || user.IsNumber():
		l.add(record.DuplicateUsers, field, user)
	default:
		l.add(record.NobodysDocuments, field, bson.RawValue{})
		if f := l.faults[record.NobodysDocuments]; len(f.Users) < record.MostNamed {
			what := record.Value(nil)
			if isText {
				what = text
			}
			f.Users = append(f.Users, string(record.JSON(what)))
		}
	}
}

// findShared notes the API keys that stand in several documents, and names the users that have the first of them beside
// somebody else.
func (l *look) findShared(ctx context.Context, s *Store, field string) error {
	var first bson.A
	err := s.repeatedValues(ctx, l.collection.String(), field, func(v bson.RawValue) {
		l.repeated(field, bson.RawValue{})
		if v.Type == bson.TypeString && len(first) < record.MostNamed {
			first = append(first, v.StringValue())
		}
	})
	if err != nil || len(first) == 0 {
		return err
	}
	met := make(map[string]bool)
	q := query{filter: bson.D{{Key: field, Value: bson.D{{Key: "$in", Value: first}}}}, projection: l.projection()}
	for doc, err := range s.stream(ctx, l.collection.String(), q) {
		if err != nil {
			return err
		}
		key, _ := lookup(doc, field).StringValueOK()
		if user := lookup(doc, "user_id"); met[key] && user.Type != 0 {
			l.name(record.SharedAPIKey, user)
		}
		met[key] = true
	}
	return nil
}

// name names one more user of a fault.
func (l *look) name(code record.FaultCode, id bson.RawValue) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.faults[code]; len(f.Users) < record.MostNamed {
		f.Users = append(f.Users, idText(id))
	}
}

// tally notes the values of a document that may not stand in another.
func (l *look) tally(doc bson.Raw, seen map[string]*seenValues) {
	for _, field := range l.unique {
		if seen[field] == nil {
			seen[field] = &seenValues{seed: maphash.MakeSeed(), times: make(map[uint64]uint8)}
		}
		if seen[field].second(lookup(doc, field)) {
			l.repeated(field, lookup(doc, "user_id"))
		}
	}
}

// seenValues are the values of a field, by their hashes.
type seenValues struct {
	seed  maphash.Seed
	times map[uint64]uint8
}

// second reports whether the value was seen once before. What is missing counts as null, as an index has it.
func (s *seenValues) second(v bson.RawValue) bool {
	var h maphash.Hash
	h.SetSeed(s.seed)
	if v.Type != 0 && v.Type != bson.TypeNull {
		_ = h.WriteByte(byte(v.Type)) // it never fails
		_, _ = h.Write(v.Value)
	}
	n := s.times[h.Sum64()]
	s.times[h.Sum64()] = min(n+1, 2)
	return n == 1
}

// found returns the faults, in an order that does not change. Partly tells that there may be more.
func (l *look) found(partly bool) []record.Fault {
	var list []record.Fault
	for _, code := range []record.FaultCode{
		record.NumericUsers, record.DuplicateUsers, record.NobodysDocuments, record.SharedAPIKey, record.UnreadableTime, record.UnreadablePairs,
	} {
		if f := l.faults[code]; f != nil {
			f.Estimated = partly
			slices.Sort(f.Users)
			list = append(list, *f)
		}
	}
	return list
}

// missed says, for people, what was not looked at.
func (l *look) missed() string {
	what := []string{"numeric user ids"}
	if len(l.unique) > 0 {
		what = append(what, "several documents of one user")
	}
	if slices.Contains(l.unique, "key") {
		what = append(what, "API keys in several documents")
	}
	if len(l.times()) > 0 {
		what = append(what, "times of the wrong type")
	}
	if l.collection == record.KVCollection {
		what = append(what, "pairs of the wrong type")
	}
	reached := "its documents were not all looked at in time"
	if l.documents > 0 {
		reached = fmt.Sprintf("%d of about %d documents were looked at in time", l.documents, l.total)
	}
	return fmt.Sprintf("%s: %s (%s)", l.collection, reached, strings.Join(what, ", "))
}

// readableTime reports whether the app can read the time.
func readableTime(c record.Collection, v bson.RawValue) bool {
	least, most := record.AppTimes(c.Form())
	n, ok := v.AsInt64OK()
	return (v.Type == bson.TypeInt32 || v.Type == bson.TypeInt64) && ok && n >= least && n <= most
}
